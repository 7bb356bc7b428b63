//! The product against a real engine, registry and broker: cases by promise.
//!
//! One file a room or promise; a new one is named here. `cargo test -p titania-tests --test e2e p1_`
//! runs those whose names begin so. They need root: `make test` says what else.

mod harness_apps;
mod harness_itself;
mod p1_first_install;
