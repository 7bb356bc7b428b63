//! What fstab, units and mountinfo tell of a folder.

use super::*;
use crate::scratch::Scratch;
use crate::volumes::testing::Board;

const INFO: &str = "21 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
    22 21 0:5 / /dev rw shared:2 - devtmpfs none rw\n\
    30 21 8:1 / /mnt/usb\\040disk rw,relatime shared:9 master:1 - ext4 /dev/sda1 rw\n\
    31 21 0:40 / /auto rw - autofs systemd-1 rw\n";

#[test]
fn mount_points_are_read_with_their_escapes_and_a_waiting_automount_is_none() {
    let scratch = Scratch::new();
    let table = scratch.path().join("mountinfo");
    fs::write(&table, INFO).unwrap();
    let mounted = Mounted::read(&table).unwrap();
    assert!(mounted.has(Path::new("/mnt/usb disk")));
    assert!(mounted.has(Path::new("/")));
    assert!(!mounted.has(Path::new("/auto")));
    assert!(!mounted.has(Path::new("/mnt")));
    fs::write(&table, "garbage\n1 2 3\n\n-\n").unwrap();
    assert!(!Mounted::read(&table).unwrap().has(Path::new("/")));
}

#[test]
fn the_real_table_of_this_machine_is_read() {
    let disk = Scratch::disk(64 * 1024);
    let mounted = Mounted::read(Path::new("/proc/self/mountinfo")).unwrap();
    assert!(mounted.has(disk.path()));
    assert!(!mounted.has(&disk.path().join("below")));
    let link = Scratch::new();
    std::os::unix::fs::symlink(disk.path(), link.path().join("link")).unwrap();
    assert!(mounted.has(&link.path().join("link")));
}

/// What is found for the root `/datafs/apps` with these tables.
fn found(fstab: &str, units: &[(&str, &str)]) -> Option<String> {
    let board = Board::new();
    let system = board.system();
    fs::write(&system.mountinfo, INFO).unwrap();
    fs::write(&system.fstab, fstab).unwrap();
    for (name, text) in units {
        let path = board.outside().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if *text == "masked" {
            std::os::unix::fs::symlink("/dev/null", path).unwrap();
        } else {
            fs::write(path, text).unwrap();
        }
    }
    let unmounted = unmounted_above(&system, Path::new("/datafs/apps")).unwrap()?;
    Some(format!(
        "{} {}",
        unmounted.folder.display(),
        unmounted.named_by.file_name().unwrap().display()
    ))
}

#[test]
fn a_line_of_fstab_or_a_unit_that_is_not_mounted_is_found_at_the_root_and_above_it() {
    let unit = "[Unit]\nDescription=x\n[Mount]\nWhat=/dev/sda1\nWhere=/datafs/\nType=ext4\n";
    let auto = "[Mount]\nWhat=/dev/sda1\n Where = /datafs/apps\n";
    let memory = "[Mount]\nWhat=tmpfs\nWhere=/datafs\nType=tmpfs\n";
    for (case, fstab, units, want) in [
        ("nothing", "", vec![], None),
        ("fstab above", "UUID=1 /datafs ext4 defaults 0 2\n", vec![], Some("/datafs fstab")),
        (
            "fstab, the root",
            "# c\n\n/dev/sda1\t/datafs/apps/\text4\n",
            vec![],
            Some("/datafs/apps fstab"),
        ),
        ("mounted", "/dev/vda / ext4 defaults 0 1\n", vec![], None),
        ("elsewhere", "/dev/sdb1 /datafs/apps2 ext4\n/dev/sdc /data ext4\n", vec![], None),
        ("below", "/dev/sdb1 /datafs/apps/wallet ext4\n", vec![], None),
        ("a comment", "#/dev/sda1 /datafs ext4\n", vec![], None),
        ("memory and swap", "tmpfs /datafs tmpfs\n/dev/sdb none swap sw\n", vec![], None),
        ("a unit", "", vec![("lib-units/datafs.mount", unit)], Some("/datafs datafs.mount")),
        ("spaces", "", vec![("etc-units/a.mount", auto)], Some("/datafs/apps a.mount")),
        ("a unit in memory", "", vec![("lib-units/datafs.mount", memory)], None),
        ("no mount unit", "", vec![("lib-units/datafs.service", unit)], None),
        (
            "masked",
            "",
            vec![("lib-units/datafs.mount", unit), ("etc-units/datafs.mount", "masked")],
            None,
        ),
    ] {
        assert_eq!(found(fstab, &units).as_deref(), want, "{case}");
    }
}

#[test]
fn a_link_on_the_way_to_the_root_does_not_hide_the_mount() {
    let board = Board::new();
    let system = board.system();
    let real = board.outside().join("real");
    fs::create_dir(&real).unwrap();
    let link = board.outside().join("link");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    fs::write(&system.mountinfo, INFO).unwrap();
    fs::write(&system.fstab, format!("/dev/sda1 {} ext4\n", real.display())).unwrap();
    let found = unmounted_above(&system, &link.join("apps")).unwrap().unwrap();
    assert_eq!(found.folder, real);
}
