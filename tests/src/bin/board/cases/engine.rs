//! Boards whose engine is not there, or not for the agent.

use super::life::started_at;
use harness::vm::Stand;

/// Drop-in of the unit that takes away the right to open what is closed.
const NO_RIGHTS: &str = "/etc/systemd/system/titania-agent.service.d/no-rights.conf";

fn wait_engine(stand: &Stand, wanted: &str) {
    let guest = stand.rig.guest();
    guest.wait(&format!("the engine to be {wanted}"), || {
        let status = guest.status();
        match status["board"]["engine"]["state"] == wanted {
            true => Ok(()),
            false => Err(format!("{status:#}")),
        }
    });
}

/// What `agentctl status` says, and with which code.
fn assert_told(stand: &Stand, word: &str) {
    let said = stand.rig.guest().run("agentctl status");
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.out.contains(word), "{word} is named: {said:?}");
    let doctor = stand.rig.guest().run("agentctl doctor");
    assert!(doctor.code == 1 && doctor.out.contains(word), "the doctor, too: {doctor:?}");
    let active = stand.rig.guest().run("systemctl is-active titania-agent").out;
    assert_eq!(active.trim(), "active", "the unit stays active");
}

pub fn without(stand: &mut Stand) {
    let guest = stand.rig.guest();
    guest.shell("systemctl mask -q docker.service docker.socket containerd.service");
    guest.reboot();
    wait_engine(stand, "away");
    assert_told(stand, "engine");
    let guest = stand.rig.guest();
    guest.shell("systemctl unmask -q docker.service docker.socket containerd.service");
    guest.shell("systemctl start docker.service");
    stand.rig.wait_version(&stand.version());
    stand.judge();
}

pub fn without_rights(stand: &mut Stand) {
    let before = started_at(stand);
    let guest = stand.rig.guest();
    let rights = "CAP_CHOWN CAP_FOWNER CAP_FSETID";
    let text = format!(
        "[Service]\nCapabilityBoundingSet=\nCapabilityBoundingSet={rights}\n\
         AmbientCapabilities=\nAmbientCapabilities={rights}\n"
    );
    guest.put(NO_RIGHTS, text.as_bytes());
    guest.shell("systemctl daemon-reload; systemctl restart titania-agent");
    wait_engine(stand, "refused");
    assert_told(stand, "docker.sock");
    let guest = stand.rig.guest();
    guest.shell(&format!(
        "rm {NO_RIGHTS}; systemctl daemon-reload; systemctl restart titania-agent"
    ));
    stand.rig.wait_version(&stand.version());
    assert_eq!(started_at(stand), before, "the app was not restarted");
}
