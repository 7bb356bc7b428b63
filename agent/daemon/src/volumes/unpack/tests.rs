//! Archives, hostile ones too.

use std::fs;
use std::os::unix::fs::MetadataExt;

use tar::Header;

use super::*;
use crate::scratch::Scratch;
use crate::volumes::testing::names;

/// One entry as raw as it can be: tar's own builder refuses what a hostile archive has.
struct Raw(Vec<u8>);

impl Raw {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn add(mut self, kind: EntryType, name: &str, mode: u32, target: &str, text: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(4242);
        header.set_mtime(1_000_000);
        header.set_size(text.len() as u64);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(text);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str, text: &str) -> Self {
        self.add(EntryType::Regular, name, 0o644, "", text.as_bytes())
    }

    fn folder(self, name: &str) -> Self {
        self.add(EntryType::Directory, name, 0o755, "", b"")
    }

    fn link(self, kind: EntryType, name: &str, target: &str) -> Self {
        self.add(kind, name, 0o777, target, b"")
    }

    fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

struct Target {
    scratch: Scratch,
}

impl Target {
    fn new() -> Self {
        let scratch = Scratch::new();
        fs::create_dir_all(scratch.path().join("volume")).unwrap();
        fs::write(scratch.path().join("shadow"), "secret").unwrap();
        Self { scratch }
    }

    fn volume(&self) -> std::path::PathBuf {
        self.scratch.path().join("volume")
    }

    fn unpack(&self, archive: Raw) -> Result<Notes, VolumesError> {
        let cancel = Cancel::default();
        let result =
            Unpack::into(&self.volume(), "/var/wallet", &cancel)?.run(archive.end().as_slice());
        // Whatever it was, nothing beside the volume has changed.
        assert_eq!(fs::read(self.scratch.path().join("shadow")).unwrap(), b"secret");
        assert_eq!(fs::read_dir(self.scratch.path()).unwrap().count(), 2);
        result
    }
}

#[test]
fn names_are_taken_below_the_top_as_docker_and_podman_write_them() {
    for archive in [
        Raw::new().folder("wallet/").folder("wallet/a/").file("wallet/a/b", "x"),
        Raw::new().folder("wallet").file("./wallet//a/./b", "x"),
        Raw::new().folder("/").folder("/a").file("/a/b", "x"),
        Raw::new().folder("").file("a/b", "x"),
    ] {
        let target = Target::new();
        assert!(target.unpack(archive).unwrap().is_empty());
        assert_eq!(names(&target.volume()), ["a", "a/b"]);
    }
    let target = Target::new();
    target.unpack(Raw::new().folder("/").file("/wallet/x", "1")).unwrap();
    assert_eq!(names(&target.volume()), ["wallet", "wallet/x"], "a folder of the same name inside");
}

#[test]
fn p10_names_that_lead_out_are_refused() {
    for name in ["wallet/../../shadow", "../shadow", "..", "wallet/a/../../..", "/../shadow"] {
        let target = Target::new();
        let error = target.unpack(Raw::new().file(name, "evil")).unwrap_err();
        assert!(matches!(error, VolumesError::BadSeed { .. }), "{name}: {error}");
    }
    let target = Target::new();
    let absolute = target.scratch.path().join("shadow");
    target.unpack(Raw::new().file(absolute.to_str().unwrap(), "evil")).unwrap();
    assert!(
        target.volume().join(absolute.strip_prefix("/").unwrap()).exists(),
        "taken as below the top"
    );
}

#[test]
fn p10_links_are_kept_but_nothing_is_written_through_them() {
    let target = Target::new();
    let out = target.scratch.path().display().to_string();
    let archive = Raw::new().link(EntryType::Symlink, "wallet/out", &out).link(
        EntryType::Symlink,
        "wallet/relative",
        "../../etc/app.conf",
    );
    target.unpack(archive).unwrap();
    assert_eq!(
        fs::read_link(target.volume().join("relative")).unwrap().to_str(),
        Some("../../etc/app.conf")
    );
    for evil in [
        Raw::new().link(EntryType::Symlink, "wallet/l", &out).file("wallet/l/shadow", "evil"),
        Raw::new().link(EntryType::Symlink, "wallet/l", &out).folder("wallet/l/new"),
        Raw::new().link(EntryType::Symlink, "wallet/l", &out).folder("wallet/l"),
        Raw::new().link(EntryType::Symlink, "wallet/l", &format!("{out}/shadow")).link(
            EntryType::Link,
            "wallet/hard",
            "wallet/l",
        ),
        Raw::new().link(EntryType::Symlink, "wallet/l", &out).link(
            EntryType::Link,
            "wallet/h",
            "wallet/l/shadow",
        ),
        Raw::new().link(EntryType::Link, "wallet/h", "wallet/../../shadow"),
        Raw::new().link(EntryType::Link, "wallet/h", &format!("{out}/shadow")),
        Raw::new().folder("wallet/d").link(EntryType::Link, "wallet/h", "wallet/d"),
    ] {
        assert!(matches!(Target::new().unpack(evil), Err(VolumesError::BadSeed { .. })));
    }
    // A later file takes the link's place instead of going through it.
    let target = Target::new();
    let archive =
        Raw::new().link(EntryType::Symlink, "wallet/l", "../shadow").file("wallet/l", "mine");
    target.unpack(archive).unwrap();
    assert!(fs::symlink_metadata(target.volume().join("l")).unwrap().is_file());
}

#[test]
fn files_folders_hard_links_and_pipes_come_with_mode_and_time_but_no_set_uid_and_no_owner() {
    let target = Target::new();
    let archive = Raw::new()
        .add(EntryType::Directory, "wallet/tmp", 0o3777, "", b"")
        .add(EntryType::Regular, "wallet/su", 0o6755, "", b"text")
        .add(EntryType::Regular, "wallet/secret", 0o600, "", b"")
        .link(EntryType::Link, "wallet/twin", "wallet/su")
        .add(EntryType::Fifo, "wallet/pipe", 0o622, "", b"");
    assert!(target.unpack(archive).unwrap().is_empty());
    let seen = |name: &str| fs::symlink_metadata(target.volume().join(name)).unwrap();
    assert_eq!(seen("tmp").mode() & 0o7777, 0o1777);
    assert_eq!(seen("su").mode() & 0o7777, 0o755);
    assert_eq!(seen("secret").mode() & 0o7777, 0o600);
    assert_eq!((seen("su").uid(), seen("su").mtime()), (0, 1_000_000));
    assert_eq!((seen("twin").ino(), seen("twin").nlink()), (seen("su").ino(), 2));
    assert!(names(&target.volume()).contains(&"pipe".to_owned()));
}

#[test]
fn devices_and_unknown_kinds_are_left_out_with_a_note_and_a_file_at_the_path_seeds_nothing() {
    let target = Target::new();
    let archive = Raw::new()
        .add(EntryType::Char, "wallet/null", 0o666, "", b"")
        .add(EntryType::Block, "wallet/sda", 0o666, "", b"")
        .add(EntryType::new(b'Z'), "wallet/odd", 0o666, "", b"?")
        .file("wallet/good", "x");
    let notes = target.unpack(archive).unwrap();
    assert_eq!(names(&target.volume()), ["good"]);
    assert_eq!(notes.first.len(), 3);
    assert_eq!(notes.first[0], "wallet/null of /var/wallet was left out: it is a device");
    for archive in [
        Raw::new().file("wallet", "I am a file"),
        Raw::new().link(EntryType::Symlink, "wallet", "/etc"),
    ] {
        let target = Target::new();
        let notes = target.unpack(archive).unwrap();
        assert_eq!(
            notes.first,
            ["wallet of /var/wallet was left out: it is no folder in the image"]
        );
        assert_eq!(names(&target.volume()), Vec::<String>::new());
    }
}

#[test]
fn long_names_of_gnu_and_pax_count() {
    let long = format!("wallet/{}/file", "n".repeat(150));
    let pax = |key: &str, value: &str| {
        let line = format!(" {key}={value}\n");
        let length = (line.len()..).find(|n| n.to_string().len() + line.len() == *n).unwrap();
        format!("{length}{line}").into_bytes()
    };
    for archive in [
        Raw::new()
            .add(EntryType::GNULongName, "././@LongLink", 0, "", format!("{long}\0").as_bytes())
            .file("wallet/short", "x"),
        Raw::new()
            .add(EntryType::XHeader, "pax", 0, "", &pax("path", &long))
            .file("wallet/short", "x"),
    ] {
        let target = Target::new();
        target.unpack(archive.file("wallet/next", "y")).unwrap();
        let mut want = vec!["next".to_owned(), "n".repeat(150)];
        want.push(format!("{}/file", "n".repeat(150)));
        assert_eq!(names(&target.volume()), want);
    }
    let target = Target::new();
    let archive = Raw::new()
        .add(EntryType::XHeader, "pax", 0, "", &pax("linkpath", &"t".repeat(200)))
        .link(EntryType::Symlink, "wallet/l", "short");
    target.unpack(archive).unwrap();
    assert_eq!(
        fs::read_link(target.volume().join("l")).unwrap().to_str(),
        Some("t".repeat(200).as_str())
    );
}

#[test]
fn p10_memory_bytes_entries_and_depth_are_bounded() {
    let name = |bytes: usize| vec![b'n'; bytes];
    let max = usize::try_from(EXTENSION_BYTES_MAX).unwrap();
    let archive =
        Raw::new().add(EntryType::GNULongName, "x", 0, "", &name(max + 1)).file("wallet/a", "");
    assert!(matches!(Target::new().unpack(archive), Err(VolumesError::BadSeed { .. })));

    let deep = |n: usize| format!("/{}x", "d/".repeat(n - 1));
    let at = |n: usize| {
        Raw::new().add(EntryType::GNULongName, "x", 0, "", deep(n).as_bytes()).file("wallet/a", "")
    };
    Target::new().unpack(at(DEPTH_MAX)).unwrap();
    assert!(Target::new().unpack(at(DEPTH_MAX + 1)).is_err());

    let mut claims = Raw::new().file("wallet/big", "x");
    let mut header = Header::from_byte_slice(&claims.0[..512]).clone();
    header.set_size(SEED_BYTES_MAX + 1);
    header.set_cksum();
    claims.0[..512].copy_from_slice(header.as_bytes());
    assert!(matches!(Target::new().unpack(claims), Err(VolumesError::SeedTooLarge { .. })));

    let cancel = Cancel::default();
    let target = Target::new();
    let mut unpack = Unpack::into(&target.volume(), "/var/wallet", &cancel).unwrap();
    unpack.entries = SEED_ENTRIES_MAX - 1;
    unpack.run(Raw::new().file("wallet/a", "").end().as_slice()).unwrap();
    let mut unpack = Unpack::into(&target.volume(), "/var/wallet", &cancel).unwrap();
    unpack.entries = SEED_ENTRIES_MAX;
    let error = unpack.run(Raw::new().file("wallet/b", "").end().as_slice()).unwrap_err();
    assert!(matches!(error, VolumesError::SeedTooLarge { .. }));
}

#[test]
fn garbage_is_refused_and_nothing_panics() {
    let target = Target::new();
    let cancel = Cancel::default();
    let whole = Raw::new().folder("wallet/").file("wallet/a", "text").end();
    for place in (0..whole.len()).step_by(7) {
        let mut broken = whole.clone();
        broken[place] ^= 0xff;
        // Either is well; neither panics, nor writes beside the volume.
        let _either =
            Unpack::into(&target.volume(), "/var/wallet", &cancel).unwrap().run(broken.as_slice());
    }
    assert_eq!(fs::read_dir(target.scratch.path()).unwrap().count(), 2);
    let noise: Vec<u8> =
        (0..5_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let error = Unpack::into(&target.volume(), "/var/wallet", &cancel)
        .unwrap()
        .run(noise.as_slice())
        .unwrap_err();
    assert!(matches!(error, VolumesError::BadSeed { .. }));
}
