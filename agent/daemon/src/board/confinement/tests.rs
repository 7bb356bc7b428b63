//! Mount tables of a unit, and what is told of them.

use super::*;

/// A strict unit with one folder open, homes hidden, a /tmp and a /dev of its own, and a disk that came late.
const STRICT: &str = "\
22 1 254:0 / / ro,relatime shared:1 - ext4 /dev/vda rw
23 22 0:6 / /dev ro,nosuid shared:2 - tmpfs tmpfs rw
24 22 0:23 /systemd/inaccessible/dir /home ro shared:3 - tmpfs tmpfs rw
25 22 254:0 /tmp/systemd-private-1-titania-agent.service-x/tmp /tmp rw shared:4 - ext4 /dev/vda rw
26 22 254:0 /var/lib/titania-volumes /var/lib/titania-volumes rw shared:5 - ext4 /dev/vda rw
27 22 8:1 / /mnt/late\\040disk rw master:6 - ext4 /dev/sda1 rw
28 22 8:2 / /mnt/broken ro master:7 - ext4 /dev/sdb1 ro
30 29 8:4 / /mnt/above rw master:9 - ext4 /dev/sdd1 rw
29 22 8:3 / /mnt/above ro master:8 - ext4 /dev/sdc1 rw
";
const PLAIN: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:6 / /dev rw,nosuid shared:2 - devtmpfs devtmpfs rw
";

fn look(table: &str, rights: CapabilitySet, needs: &Needs) -> Vec<(Code, String)> {
    let here = Confinement { mounts: mounts(table.as_bytes()), rights };
    let exists = |path: &Path| (!path.ends_with("missing")).then(|| path.to_owned());
    let told = here.troubles(needs, exists, Timestamp(0));
    told.into_iter()
        .map(|reason| (reason.code, format!("{} | {}", reason.message, reason.hint)))
        .collect()
}

fn writes(paths: &[&str]) -> Needs {
    Needs { write: paths.iter().map(PathBuf::from).collect(), ..Needs::default() }
}

#[test]
fn what_the_unit_opens_and_what_comes_late_is_well() {
    let needs = writes(&[
        "/var/lib/titania-volumes",
        "/mnt/late disk/apps",
        "/mnt/above/x",
        "/srv/missing",
    ]);
    assert_eq!(look(STRICT, CapabilitySet::all(), &needs), []);
}

#[test]
fn a_path_that_the_unit_does_not_know_names_daemon_reload_and_a_broken_disk_does_not() {
    let told = look(STRICT, CapabilitySet::all(), &writes(&["/srv/apps", "/mnt/broken/apps"]));
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0].0, Code::NotWritable);
    assert!(!told[0].1.contains("daemon-reload"), "{told:?}");
    assert_eq!(told[1].0, Code::UnitStale);
    assert!(told[1].1.contains("/srv/apps") && told[1].1.contains("systemctl daemon-reload"));
}

#[test]
fn what_is_hidden_is_told_only_where_it_is_needed() {
    assert_eq!(look(STRICT, CapabilitySet::all(), &Needs::default()), []);
    let all = Needs { homes: true, tmps: true, devices: true, kill: true, ..Needs::default() };
    let told = look(STRICT, CapabilitySet::all() - CapabilitySet::KILL, &all);
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told.iter().all(|(code, text)| *code == Code::UnitStale && text.contains(RENEW)));
    assert_eq!(look(PLAIN, CapabilitySet::all(), &all), []);
}

#[test]
fn each_right_that_is_missing_is_named() {
    let told = look(PLAIN, CapabilitySet::all() - CapabilitySet::CHOWN, &Needs::default());
    assert_eq!(told.len(), 1);
    assert!(told[0].1.contains("CAP_CHOWN"), "{told:?}");
}

#[test]
fn this_process_can_look_at_itself() {
    let here = Confinement::look();
    assert!(here.over(Path::new("/")).is_some(), "{here:?}");
}
