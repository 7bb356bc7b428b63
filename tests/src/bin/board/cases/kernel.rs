//! Boards with other control groups.

use harness::vm::{Hardware, Stand};

/// Boots the board with words on its kernel's command line, runs `act`, and boots it as it was.
fn with_kernel(stand: &mut Stand, fact: &str, act: impl FnOnce(&mut Stand)) {
    let guest = stand.rig.guest();
    let append = guest.facts().word(fact);
    guest.shut_down();
    guest.boot(&Hardware { append, ..Hardware::default() });
    act(stand);
    stand.rig.guest().shut_down();
    stand.rig.guest().boot(&Hardware::default());
    stand.rig.wait_version(&stand.version());
}

pub fn cgroup_v1(stand: &mut Stand) {
    with_kernel(stand, "APPEND_CGROUP_V1", |stand| {
        let kind = stand.rig.guest().shell("stat -fc %T /sys/fs/cgroup");
        assert_eq!(kind.trim(), "tmpfs", "version 1");
        stand.rig.wait_version(&stand.version());
        stand.update_whole();
    });
    stand.judge();
}

pub fn no_memory_cgroup(stand: &mut Stand) {
    let mut limited = stand.rig.definition();
    limited.set_in("limits", "memory", "64MiB");
    stand.rig.define(&limited);
    stand.rig.guest().wait_app("wallet", "to run with its limit", |app| {
        app["state"] == "ok" && app["update"].is_null() && app["last"]["trigger"] == "definition"
    });
    stand.known.committed.push(stand.version());
    stand.known.committed.dedup();
    with_kernel(stand, "APPEND_NO_MEMORY_CGROUP", |stand| {
        stand.rig.wait_version(&stand.version());
        let guest = stand.rig.guest();
        guest.wait("the missing limit to be named", || {
            let said = guest.run("agentctl status");
            match said.out.contains("memory") && said.out.contains("cgroup") {
                true => Ok(()),
                false => Err(format!("{said:?}")),
            }
        });
        let active = stand.rig.guest().run("systemctl is-active titania-agent").out;
        assert_eq!(active.trim(), "active");
    });
    stand.rig.define(&stand.rig.definition());
    stand.rig.guest().wait_app("wallet", "to run without a limit again", |app| {
        app["state"] == "ok"
            && app["update"].is_null()
            && app["last"]["id"] == app["container"]["name"]
    });
}
