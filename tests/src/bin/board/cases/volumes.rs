//! Disks that are late, full, or none.

use super::life::started_at;
use harness::run;
use harness::vm::{APP, Hardware, Stand};

/// Size of the second disk, in bytes.
const SECOND_DISK_BYTES: u64 = 512 * 1024 * 1024;

fn assert_active(stand: &Stand) {
    let active = stand.rig.guest().run("systemctl is-active titania-agent").out;
    assert_eq!(active.trim(), "active", "the unit stays active");
}

fn wait_told(stand: &Stand, code: &str) {
    let guest = stand.rig.guest();
    guest.wait(&format!("{code} to be told"), || {
        let status = guest.status();
        match status.to_string().contains(&format!("\"{code}\"")) {
            true => Ok(()),
            false => Err(format!("{status:#}")),
        }
    });
    let said = guest.run("agentctl status");
    assert!(said.out.contains("fix:"), "and what to do: {said:?}");
    let doctor = guest.run("agentctl doctor");
    assert!(doctor.out.contains("fix:"), "the doctor, too: {doctor:?}");
    assert_active(stand);
}

pub fn volatile_state(stand: &mut Stand) {
    let before = started_at(stand);
    let guest = stand.rig.guest();
    let place = "/var/lib/titania-agent";
    guest.shell(&format!(
        "systemctl stop titania-agent && mount -t tmpfs none {place} && systemctl start titania-agent"
    ));
    wait_told(stand, "state_not_durable");
    let guest = stand.rig.guest();
    guest.shell(&format!(
        "systemctl stop titania-agent && umount {place} && systemctl start titania-agent"
    ));
    stand.rig.wait_version(&stand.version());
    assert_eq!(started_at(stand), before, "the app was not touched");
    stand.judge();
}

pub fn full(stand: &mut Stand) {
    let before = started_at(stand);
    let fill = "fallocate -l $(($(df --output=avail -B1 / | tail -1) - 20000000)) /var/filler";
    stand.rig.guest().shell(fill);
    let (version, _) = stand.push("");
    stand.rig.update();
    wait_told(stand, "disk_low");
    assert_eq!(started_at(stand), before, "the app runs on");
    // To the last byte: not even a line of the journal finds room.
    let guest = stand.rig.guest();
    guest.run("dd if=/dev/zero of=/var/filler2 bs=1M 2>/dev/null; sync");
    assert_eq!(guest.status()["apps"][0]["app"], APP, "it answers on a full disk");
    assert_active(stand);
    guest.shell("rm /var/filler /var/filler2");
    stand.rig.update();
    stand.rig.wait_version(&version);
    stand.known.committed.push(version);
    stand.judge();
}

pub fn read_only_etc(stand: &mut Stand) {
    let guest = stand.rig.guest();
    guest.shell(
        "mount --bind /etc /etc && mount -o remount,bind,ro /etc && ! touch /etc/probe 2>/dev/null",
    );
    guest.shell("systemctl restart titania-agent");
    stand.rig.wait_version(&stand.version());
    stand.update_whole();
    stand.rig.guest().shell("umount /etc && touch /etc/probe && rm /etc/probe");
}

pub fn late_disk(stand: &mut Stand) {
    let disk = stand.rig.folder().join("second.img");
    let file = std::fs::File::create(&disk).expect("a file for the second disk");
    file.set_len(SECOND_DISK_BYTES).expect("a sparse file");
    run("mke2fs", &["-q", "-t", "ext4", "-L", "volumes", &disk.to_string_lossy()]);
    let both = Hardware { second_disk: Some(disk), ..Hardware::default() };
    let guest = stand.rig.guest();
    let root = "/var/lib/titania-volumes";
    guest.shut_down();
    guest.boot(&both);
    // The owner moves the volumes to a disk of their own.
    guest.shell(&format!(
        "set -e; systemctl stop titania-agent; docker stop $(docker ps -q); \
         mount LABEL=volumes /mnt; cp -a {root}/. /mnt/; umount /mnt; rm -rf {root}; mkdir {root}; \
         echo 'LABEL=volumes {root} ext4 nofail,x-systemd.device-timeout=10s 0 2' >>/etc/fstab; \
         systemctl daemon-reload; mount {root}; systemctl start titania-agent"
    ));
    stand.rig.wait_version(&stand.version());
    let guest = stand.rig.guest();
    guest.shut_down();
    // Without its disk.
    guest.boot(&Hardware::default());
    wait_told(stand, "volumes_missing");
    let guest = stand.rig.guest();
    assert_eq!(
        guest.shell(&format!("ls -A {root}")),
        "",
        "nothing was made where the disk belongs"
    );
    assert_eq!(stand.rig.version(), None, "and the app was not started on nothing");
    // Late: there, but mounted only when the agent has long been up.
    guest.shell("sed -i s/nofail,/nofail,noauto,/ /etc/fstab");
    guest.shut_down();
    guest.boot(&both);
    wait_told(stand, "volumes_missing");
    let guest = stand.rig.guest();
    guest.shell(&format!("mount LABEL=volumes {root}"));
    stand.rig.wait_version(&stand.version());
    stand.judge();
    let guest = stand.rig.guest();
    guest.shell(&format!(
        "set -e; systemctl stop titania-agent; docker stop $(docker ps -q); cp -a {root} /var/lib/moved; \
         umount {root}; rmdir {root}; mv /var/lib/moved {root}; sed -i /LABEL=volumes/d /etc/fstab; \
         systemctl daemon-reload; systemctl start titania-agent"
    ));
    stand.rig.wait_version(&stand.version());
    guest.shut_down();
    guest.boot(&Hardware::default());
    stand.rig.wait_version(&stand.version());
}
