//! The product against a real engine, registry and broker: cases by promise.
//!
//! One file a room or promise; a new one is named here. `cargo test -p titania-tests --test e2e p1_`
//! runs those whose names begin so. They need root: `make test` says what else.

/// Those that take long: the runner begins with them, for it takes cases by name.
mod begin_first {
    mod p1_everything_killed;
    mod p1_torture;
    mod p9_idle;
}
mod harness_apps;
mod harness_itself;
mod p10_hostile;
mod p10_pressed;
mod p1_agent_killed;
mod p1_damaged_image;
mod p1_disk_guard;
mod p1_engine;
mod p1_engine_away;
mod p1_faults;
mod p1_first_install;
mod p1_hand;
mod p1_leaked_port;
mod p1_leftovers;
mod p1_network;
mod p1_record;
mod p1_registry_down;
mod p1_stalled_disk;
mod p1_two_apps;
mod p2_database;
mod p2_room;
mod p2_snapshots;
mod p2_state;
mod p2_volume_root;
mod p3_neighbour;
mod p3_orphan;
mod p3_update;
mod p4_bad_release;
mod p4_environment;
mod p5_login;
mod p5_platform;
mod p6_agent_not_root;
mod p6_hostile_volumes;
mod p6_mapped;
mod p6_users;
mod p7_declared;
mod p8_board_faults;
mod p8_definitions;
mod p8_mqtt;
mod p8_outbox;
mod p8_status;
mod start;
