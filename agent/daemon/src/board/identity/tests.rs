//! Which id a board has, and which it refuses.

use super::*;
use std::fs;
use std::path::PathBuf;

/// A folder with these files, gone when dropped.
struct Root(PathBuf);

impl Root {
    fn with(name: &str, files: &[(&str, &str)]) -> Self {
        let root =
            std::env::temp_dir().join(format!("titania-identity-{}-{name}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(root)
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const TREE: (&str, &str) = ("proc/device-tree/serial-number", "10000000abcdef01\0");
const CPU: (&str, &str) = ("proc/cpuinfo", "processor\t: 0\nSerial\t\t: 00000000deadbeef\n");
const NO_SERIAL: (&str, &str) = ("proc/cpuinfo", "Serial\t\t: 0000000000000000\n");
const MACHINE: (&str, &str) = ("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
const UNSET: (&str, &str) = ("etc/machine-id", "uninitialized\n");
const NAME: (&str, &str) = ("proc/sys/kernel/hostname", "attic.local\n");

#[test]
fn the_best_name_a_board_has_is_its_id() {
    for (case, setting, files, want, source) in [
        ("setting", Some("attic"), vec![TREE, CPU], "attic", Source::Setting),
        ("tree", None, vec![TREE, CPU, MACHINE], "10000000abcdef01", Source::Serial),
        ("cpu", None, vec![CPU, MACHINE], "00000000deadbeef", Source::Serial),
        ("zeros", None, vec![NO_SERIAL, MACHINE], "", Source::MachineId),
        ("hash", None, vec![MACHINE, NAME], "", Source::MachineId),
        ("unset", None, vec![UNSET, NAME], "atticlocal", Source::HostName),
        ("nothing", None, vec![], "board", Source::HostName),
    ] {
        let root = Root::with(case, &files);
        let (id, from) = find(setting, &root.0);
        assert_eq!(from, source, "{case}");
        if source == Source::MachineId {
            assert_eq!(id.len(), 16, "{case}");
            assert!(!MACHINE.1.contains(&id), "{case}: a machine id stays on the machine");
        } else {
            assert_eq!(id, want, "{case}");
        }
    }
}

#[test]
fn two_machines_have_two_ids() {
    let one = hashed("0123456789abcdef0123456789abcdef");
    assert!(one.is_some());
    assert_ne!(one, hashed("0123456789abcdef0123456789abcdee"));
    assert_eq!(hashed("short"), None);
}
