//! Records that are whole, cut at any byte, older, newer or gone.

use std::os::unix::fs::PermissionsExt;

use titania_core::reason::Code;
use titania_core::record::Hold;
use titania_core::time::Timestamp;

use super::*;
use crate::scratch::{Scratch, fill};

fn app() -> AppName {
    "wallet".parse().unwrap()
}

/// A record that tells itself apart by its hold.
fn record(word: &str) -> Record {
    Record {
        hold: Some(Hold { by: "agent".to_owned(), reason: word.to_owned(), until: None }),
        ..Record::default()
    }
}

fn loaded(state: &Path) -> (Record, RecordFrom) {
    let loaded = load(state, &app()).unwrap();
    (loaded.record, loaded.from)
}

#[test]
fn a_record_comes_back_as_it_was_written_readable_by_root_alone() {
    let state = Scratch::new();
    assert_eq!(loaded(state.path()), (Record::default(), RecordFrom::Nowhere));
    save(state.path(), &app(), &record("one")).unwrap();
    assert_eq!(loaded(state.path()), (record("one"), RecordFrom::File));
    let mode = fs::metadata(path(state.path(), &app())).unwrap().permissions();
    assert_eq!(mode.mode() & 0o7777, 0o600);
}

#[test]
fn p1_a_record_cut_off_at_any_byte_falls_back_to_the_former_one() {
    let state = Scratch::new();
    save(state.path(), &app(), &record("one")).unwrap();
    save(state.path(), &app(), &record("two")).unwrap();
    let main = path(state.path(), &app());
    let whole = fs::read(&main).unwrap();
    for length in 0..whole.len() - 1 {
        fs::write(&main, &whole[..length]).unwrap();
        let found = load(state.path(), &app()).unwrap();
        assert_eq!(found.record, record("one"), "cut at {length}");
        assert_eq!(found.from, RecordFrom::Former);
        assert!(found.damage.is_some());
    }
}

#[test]
fn p1_what_can_not_be_read_does_not_push_out_the_good_former_one() {
    let state = Scratch::new();
    save(state.path(), &app(), &record("one")).unwrap();
    save(state.path(), &app(), &record("two")).unwrap();
    fs::write(path(state.path(), &app()), "{\"schema\":1,\"hold\":").unwrap();
    save(state.path(), &app(), &record("three")).unwrap();
    assert_eq!(loaded(state.path()), (record("three"), RecordFrom::File));
    fs::remove_file(path(state.path(), &app())).unwrap();
    assert_eq!(loaded(state.path()), (record("one"), RecordFrom::Former));
}

#[test]
fn p1_with_both_unreadable_nothing_is_left_and_nothing_panics() {
    let state = Scratch::new();
    fs::create_dir(state.path().join("apps")).unwrap();
    let deep = "[".repeat(100_000);
    let hostile: [&[u8]; 6] =
        [b"", b"null", b"{}", b"{\"schema\":0}", b"\xff\xfe", deep.as_bytes()];
    for bytes in hostile {
        fs::write(path(state.path(), &app()), bytes).unwrap();
        fs::write(former_path(state.path(), &app()), bytes).unwrap();
        let found = load(state.path(), &app()).unwrap();
        assert_eq!(found.from, RecordFrom::Nowhere);
        assert!(found.damage.is_some(), "{bytes:.9?}");
    }
    fs::remove_file(path(state.path(), &app())).unwrap();
    nix::unistd::mkfifo(&path(state.path(), &app()), nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert_eq!(load(state.path(), &app()).unwrap().from, RecordFrom::Nowhere);
}

#[test]
fn a_record_at_the_limit_is_read_and_one_past_it_is_not() {
    let state = Scratch::new();
    save(state.path(), &app(), &record("one")).unwrap();
    let main = path(state.path(), &app());
    let mut bytes = fs::read(&main).unwrap();
    bytes.resize(usize::try_from(RECORD_BYTES_MAX).unwrap(), b' ');
    fs::write(&main, &bytes).unwrap();
    assert_eq!(loaded(state.path()).1, RecordFrom::File);
    bytes.push(b' ');
    fs::write(&main, &bytes).unwrap();
    assert_eq!(loaded(state.path()).1, RecordFrom::Nowhere);
}

#[test]
fn a_record_of_a_newer_agent_is_never_touched() {
    let state = Scratch::new();
    save(state.path(), &app(), &record("one")).unwrap();
    let newer = "{\"schema\":2,\"hold\":{\"kind\":\"new\"},\"more\":[1]}";
    for newer_path in [path(state.path(), &app()), former_path(state.path(), &app())] {
        fs::write(&newer_path, newer).unwrap();
        let error = load(state.path(), &app()).unwrap_err();
        assert!(matches!(&error, StoreError::Newer { schema: 2, path } if *path == newer_path));
        assert_eq!(error.reason(Timestamp(0)).code, Code::AgentTooOld);
        assert!(save(state.path(), &app(), &record("two")).is_err());
        assert_eq!(fs::read_to_string(&newer_path).unwrap(), newer);
        fs::remove_file(&newer_path).unwrap();
    }
}

#[test]
fn p1_a_record_is_written_on_a_full_disk_by_giving_up_its_room() {
    let disk = Scratch::disk(512 * 1024);
    save(disk.path(), &app(), &record("one")).unwrap();
    ensure_room(disk.path(), &app()).unwrap();
    fill(disk.path());
    let long = "x".repeat(20_000);
    save(disk.path(), &app(), &record(&long)).unwrap();
    assert_eq!(loaded(disk.path()), (record(&long), RecordFrom::File));
    assert!(!room_path(disk.path(), &app()).exists());
    fill(disk.path());
    let error = save(disk.path(), &app(), &record(&"y".repeat(60_000))).unwrap_err();
    assert!(error.is_disk_full(), "{error}");
    assert_eq!(error.reason(Timestamp(0)).code, Code::DiskLow);
    assert_eq!(loaded(disk.path()), (record(&long), RecordFrom::File));
}

#[test]
fn apps_with_a_record_or_a_former_one_are_listed_once() {
    let state = Scratch::new();
    assert_eq!(apps(state.path()).unwrap(), []);
    for name in ["wallet", "a.json", "tor"] {
        let name: AppName = name.parse().unwrap();
        save(state.path(), &name, &record("one")).unwrap();
        save(state.path(), &name, &record("two")).unwrap();
        ensure_room(state.path(), &name).unwrap();
    }
    fs::remove_file(state.path().join("apps/tor.json")).unwrap();
    fs::write(state.path().join("apps/Not An App.json"), "").unwrap();
    let names: Vec<String> = apps(state.path()).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["a.json", "tor", "wallet"]);
}

#[tokio::test(flavor = "current_thread")]
async fn the_handle_writes_in_order_and_answers_after_the_disk() {
    let state = Scratch::new();
    let store = crate::store::Store::new(state.path().to_owned()).unwrap();
    for n in 0..20 {
        store.save(&app(), record(&n.to_string())).await.unwrap();
        assert_eq!(store.load(&app()).await.unwrap().record, record(&n.to_string()));
    }
    assert_eq!(store.apps().await.unwrap(), [app()]);
}
