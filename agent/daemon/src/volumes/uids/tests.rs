//! The pool: given once, never twice, made again from the forks.

use std::fs;

use titania_core::names::Generation;

use super::*;
use crate::volumes::testing::{Board, file, spec};

fn other(board: &Board, app: &str) -> Place {
    Place::new(board.place.root(), &app.parse().unwrap())
}

#[test]
fn p6_an_app_keeps_its_uid_and_no_other_gets_it() {
    let board = Board::new();
    let (tor, system) = (other(&board, "tor"), board.system());
    assert_eq!(assigned(&board.place).unwrap(), None);
    assert_eq!(assign(&board.place, &system).unwrap(), 70_000);
    assert_eq!(assign(&tor, &system).unwrap(), 70_001);
    assert_eq!(assign(&board.place, &system).unwrap(), 70_000);
    assert_eq!(assigned(&tor).unwrap(), Some(70_001));
}

#[test]
fn p6_what_the_system_uses_or_may_give_to_users_is_not_given_out() {
    let board = Board::new();
    let system = board.system();
    fs::write(&system.passwd[0], "root:x:0:0::/:/bin/sh\nx:x:70000:1::/:\nbroken\n::-1\n").unwrap();
    fs::write(&system.passwd[1], "users:x:70001:\n").unwrap();
    fs::write(&system.ranges[0], "pi:70002:10\nfar:100000:65536\nbad:1\n").unwrap();
    assert_eq!(assign(&board.place, &system).unwrap(), 70_012);
    fs::write(&system.passwd[0], "x:x:70012:1::/:\n").unwrap();
    assert_eq!(assign(&board.place, &system).unwrap(), 70_012, "once given it stays");
}

#[test]
fn p6_a_lost_or_damaged_list_gives_the_same_uids_again() {
    let board = Board::new();
    let (tor, new, system) = (other(&board, "tor"), other(&board, "new"), board.system());
    assign(&board.place, &system).unwrap();
    assign(&tor, &system).unwrap();
    for (place, uid) in [(&board.place, 70_000), (&tor, 70_001)] {
        let mut file = file(3, None, spec(&[], &[]));
        (file.uid, file.gid) = (Some(uid), Some(uid));
        forks::reserve(place, &file).unwrap();
        fs::write(place.fork_file(Generation(4)), "cut o").unwrap();
    }
    for damage in [None, Some("{\"schema\":1,\"uids\":{\"tor\":7"), Some("")] {
        let list = board.place.root().join(LIST_FILE);
        match damage {
            None => fs::remove_file(&list).unwrap(),
            Some(text) => fs::write(&list, text).unwrap(),
        }
        assert_eq!(assigned(&tor).unwrap(), Some(70_001));
        assert_eq!(assign(&new, &system).unwrap(), 70_002);
        assert_eq!(assign(&tor, &system).unwrap(), 70_001);
        assert_eq!(assign(&board.place, &system).unwrap(), 70_000);
    }
}

#[test]
fn a_full_pool_says_what_to_write() {
    let board = Board::new();
    let system = board.system();
    fs::write(&system.ranges[0], "all:60000:50000\n").unwrap();
    let error = assign(&board.place, &system).unwrap_err();
    assert!(matches!(error, VolumesError::PoolEmpty));
    assert!(error.hint().contains("user = "));
    fs::write(&system.ranges[0], "nearly:60000:19999\n").unwrap();
    assert_eq!(assign(&board.place, &system).unwrap(), 79_999);
}

#[test]
fn a_list_of_a_newer_agent_is_not_touched_and_no_uid_is_given_without_the_root() {
    let board = Board::new();
    let list = board.place.root().join(LIST_FILE);
    fs::write(&list, "{\"schema\":2,\"uids\":{}}").unwrap();
    let error = assign(&board.place, &board.system()).unwrap_err();
    assert!(matches!(error, VolumesError::Newer { schema: 2, .. }));
    fs::remove_file(&list).unwrap();
    fs::remove_file(board.place.root().join(crate::volumes::root::ID_FILE)).unwrap();
    assert!(assign(&board.place, &board.system()).is_err());
    assert!(!list.exists());
}

#[test]
fn p6_a_lost_list_gives_the_same_uid_again_on_an_engine_that_maps_users() {
    let board = Board::new();
    let mut spec = spec(&[], &[]);
    let uid = assign(&board.place, &board.system()).unwrap();
    let owner = titania_core::names::Owner { uid, gid: uid };
    spec.user = Some(owner);
    let base = titania_core::names::Owner { uid: 300_000, gid: 300_000 };
    let on_board = owner.on_board(Some(base)).unwrap();
    let mut file = file(3, None, spec);
    (file.uid, file.gid) = (Some(on_board.uid), Some(on_board.gid));
    forks::reserve(&board.place, &file).unwrap();
    fs::remove_file(board.place.root().join(LIST_FILE)).unwrap();
    assert_eq!(assign(&other(&board, "tor"), &board.system()).unwrap(), uid + 1);
    assert_eq!(assign(&board.place, &board.system()).unwrap(), uid);
}
