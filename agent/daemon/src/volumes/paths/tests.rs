//! Where a volume lies, and which sources are refused.

use std::fs;
use std::os::unix::fs::symlink;

use titania_core::definition::HostMount;

use super::*;
use crate::volumes::testing::{Board, data, source, spec};

#[test]
fn keys_are_paths_with_dashes_and_nothing_else_gets_one() {
    assert_eq!(key("/wallet").unwrap(), "wallet");
    assert_eq!(key("/data/.skycoin").unwrap(), "data-.skycoin");
    assert_eq!(key("/a b/ü").unwrap(), "a b-ü");
    assert!(key(&format!("/{}", "k".repeat(KEY_BYTES_MAX))).is_ok());
    let long = format!("/{}", "k".repeat(KEY_BYTES_MAX + 1));
    for bad in ["", "wallet", "/", "//", "/a//b", "/a/", "/..", "/a/../b", "/./a", "/a\0", &long] {
        let error = key(bad).unwrap_err();
        assert_eq!(
            error.reason(titania_core::time::Timestamp(0)).code,
            titania_core::reason::Code::ConfigInvalid
        );
    }
}

fn whole(board: &Board) -> Spec {
    let usb = source("/media", &board.outside().join("usb"));
    let mut spec = spec(&["/wallet", "/etc/app"], &[data("/data/.skycoin"), usb]);
    spec.definition.shape.mounts = vec![HostMount {
        host: board.outside().join("localtime").to_str().unwrap().to_owned(),
        container: "/etc/localtime".to_owned(),
    }];
    spec
}

#[test]
fn mounts_are_the_forks_keys_data_sources_and_host_mounts() {
    let board = Board::new();
    let mounts = mounts(&board.place, &whole(&board), Generation(12)).unwrap();
    let root = board.place.root().display().to_string();
    let out = board.outside().display().to_string();
    let lines: Vec<String> = mounts
        .iter()
        .map(|m| format!("{} {} {}", m.source.display(), m.target, m.read_only))
        .collect();
    assert_eq!(
        lines,
        [
            format!("{root}/wallet/state/12/wallet /wallet false"),
            format!("{root}/wallet/state/12/etc-app /etc/app false"),
            format!("{root}/wallet/data/data-.skycoin /data/.skycoin false"),
            format!("{out}/usb /media false"),
            format!("{out}/localtime /etc/localtime true"),
        ]
    );
}

fn wrong(board: &Board, spec: &Spec) -> Vec<(String, Absence)> {
    match check(&board.place, &board.system(), spec, Generation(12)) {
        Ok(()) => Vec::new(),
        Err(VolumesError::SourcesMissing(all)) => all
            .into_iter()
            .map(|m| (m.path.file_name().unwrap().to_str().unwrap().to_owned(), m.why))
            .collect(),
        Err(other) => panic!("{other}"),
    }
}

fn name(text: &str, why: Absence) -> (String, Absence) {
    (text.to_owned(), why)
}

#[test]
fn p2_each_source_is_looked_at_and_all_that_are_wrong_are_told() {
    let board = Board::new();
    let spec = whole(&board);
    let app = board.place.folder();
    assert_eq!(
        wrong(&board, &spec),
        [
            name("wallet", Absence::Nothing),
            name("etc-app", Absence::Nothing),
            name("data-.skycoin", Absence::Nothing),
            name("usb", Absence::Nothing),
            name("localtime", Absence::Nothing),
        ],
        "the app's whole folder is missing"
    );
    fs::create_dir_all(app.join("state/12/wallet")).unwrap();
    fs::create_dir_all(app.join("state/12/etc-app")).unwrap();
    fs::create_dir_all(app.join("data/data-.skycoin")).unwrap();
    fs::create_dir(board.outside().join("usb")).unwrap();
    fs::write(board.outside().join("localtime"), "").unwrap();
    assert_eq!(wrong(&board, &spec), []);
    fs::remove_dir(app.join("state/12/etc-app")).unwrap();
    fs::write(app.join("state/12/etc-app"), "a file").unwrap();
    assert_eq!(wrong(&board, &spec), [name("etc-app", Absence::NoFolder)]);
}

#[test]
fn p2_no_link_is_ever_a_source() {
    let board = Board::new();
    let spec = whole(&board);
    let app = board.place.folder();
    fs::create_dir_all(app.join("state/12/etc-app")).unwrap();
    fs::create_dir_all(app.join("elsewhere/data-.skycoin")).unwrap();
    symlink("/etc", app.join("state/12/wallet")).unwrap();
    symlink(app.join("elsewhere"), app.join("data")).unwrap();
    symlink("/mnt", board.outside().join("usb")).unwrap();
    symlink("/etc/hosts", board.outside().join("localtime")).unwrap();
    assert_eq!(
        wrong(&board, &spec),
        [
            name("wallet", Absence::Link),
            name("data", Absence::Link),
            name("usb", Absence::Link),
            name("localtime", Absence::Link),
        ]
    );
}

#[test]
fn p2_a_source_that_must_be_mounted_is_one() {
    let board = Board::new();
    let usb = board.outside().join("usb");
    fs::create_dir(&usb).unwrap();
    let mut volume = source("/media", &usb);
    volume.mounted = true;
    let spec = spec(&[], &[volume]);
    let table = board.system().mountinfo;
    fs::write(&table, "1 1 0:1 / / rw - ext4 a rw\n").unwrap();
    assert_eq!(wrong(&board, &spec), [name("usb", Absence::NotMounted)]);
    fs::write(&table, format!("1 1 0:1 / {} rw - ext4 a rw\n", usb.display())).unwrap();
    assert_eq!(wrong(&board, &spec), []);
    fs::remove_file(&table).unwrap();
    assert_eq!(wrong(&board, &spec), [name("usb", Absence::NotMounted)]);
    fs::create_dir(&table).unwrap();
    assert_eq!(wrong(&board, &spec), [name("usb", Absence::Unreadable)]);
}

#[test]
fn the_reason_names_each_source_and_what_to_do() {
    let board = Board::new();
    let error = check(&board.place, &board.system(), &whole(&board), Generation(12)).unwrap_err();
    let reason = error.reason(titania_core::time::Timestamp(0));
    assert_eq!(reason.code, titania_core::reason::Code::VolumesMissing);
    let usb = board.outside().join("usb").display().to_string();
    assert!(reason.message.contains(&format!("{usb} does not exist")), "{}", reason.message);
    assert!(reason.hint.contains(&format!("make {usb}")), "{}", reason.hint);
}
