//! Ownership, against apps that plant links, devices and hard links.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use rustix::fs::{CWD, IFlags, Mode};

use super::*;
use crate::volumes::testing::{Board, OWNER, data, file, names, source, spec};
use crate::volumes::{forks, tree};

const OTHER: Owner = Owner { uid: 4321, gid: 8765 };

fn run_with(board: &Board, spec: &Spec, stubborn: &Stubborn) -> Owned {
    own(&board.place, spec, Generation(1), OWNER, stubborn, &Cancel::default()).unwrap()
}

fn run(board: &Board, spec: &Spec) -> Owned {
    run_with(board, spec, &Stubborn::default())
}

fn owner(path: &Path) -> Owner {
    let seen = fs::symlink_metadata(path).unwrap();
    Owner { uid: seen.uid(), gid: seen.gid() }
}

fn wallet() -> Spec {
    spec(&["/wallet"], &[])
}

fn top(board: &Board) -> PathBuf {
    board.place.fork(Generation(1)).join("wallet")
}

#[test]
fn p6_all_of_state_and_data_belongs_to_the_app_and_modes_stay() {
    let board = Board::new();
    let spec = spec(&["/wallet"], &[data("/data")]);
    board.reserve_with(1, None, spec.clone());
    fs::create_dir(top(&board).join("deep")).unwrap();
    fs::write(top(&board).join("deep/run"), "x").unwrap();
    fs::set_permissions(top(&board).join("deep/run"), fs::Permissions::from_mode(0o4751)).unwrap();
    fs::write(board.place.data_volume("data").join("block"), "x").unwrap();
    symlink("deep", top(&board).join("link")).unwrap();
    let owned = run(&board, &spec);
    assert_eq!((owned.changed, owned.notes.is_empty()), (7, true), "{owned:?}");
    let app = board.place.folder();
    for name in names(&app) {
        let is_ours = matches!(name.as_str(), "state" | "data") || name.contains('.');
        let want = if is_ours { Owner { uid: 0, gid: 0 } } else { OWNER };
        assert_eq!(owner(&app.join(&name)), want, "{name}");
    }
    let mode = fs::metadata(top(&board).join("deep/run")).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o751, "a new owner takes the set-uid bit away");
    assert_eq!(run(&board, &spec), Owned::default(), "a second one does nothing");
}

#[test]
fn p6_a_walk_is_made_only_where_an_owner_differs_or_one_was_cut_off() {
    let board = Board::new();
    board.reserve(1, None);
    run(&board, &wallet());
    let hidden = top(&board).join("hidden");
    fs::write(&hidden, "x").unwrap();
    run(&board, &wallet());
    assert_eq!(owner(&hidden).uid, 0, "the top tells that nothing is due");
    // A walk cut off after the top had changed hands:
    let marker = board.place.beside_fork(Generation(1), OWNING);
    fs::write(&marker, "").unwrap();
    run(&board, &wallet());
    assert_eq!(owner(&hidden), OWNER);
    assert!(!marker.exists());
    chown(top(&board), Some(OTHER.uid), None).unwrap();
    run(&board, &wallet());
    assert_eq!(owner(&top(&board)), OWNER);
}

#[test]
fn p1_a_cancelled_walk_leaves_its_marker_and_is_made_again() {
    let board = Board::new();
    board.reserve(1, None);
    let cancel = Cancel::default();
    cancel.cancel();
    let owned = own(&board.place, &wallet(), Generation(1), OWNER, &Stubborn::default(), &cancel);
    assert!(matches!(owned, Err(VolumesError::Cancelled)));
    assert!(board.place.beside_fork(Generation(1), OWNING).exists());
    run(&board, &wallet());
    assert_eq!(owner(&top(&board)), OWNER);
}

#[test]
fn p10_links_in_a_volume_give_nothing_outside_away() {
    let board = Board::new();
    board.reserve(1, None);
    let outside = board.outside().join("etc");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("shadow"), "secret").unwrap();
    symlink(outside.join("shadow"), top(&board).join("file")).unwrap();
    symlink(&outside, top(&board).join("folder")).unwrap();
    symlink("../../../../../etc/shadow", top(&board).join("relative")).unwrap();
    run(&board, &wallet());
    assert_eq!(owner(&outside), Owner { uid: 0, gid: 0 });
    assert_eq!(owner(&outside.join("shadow")), Owner { uid: 0, gid: 0 });
    assert_eq!(owner(&top(&board).join("file")), OWNER, "the link itself is the app's");
    // The volume itself as a link: not walked, and told before the start.
    fs::remove_dir_all(top(&board)).unwrap();
    symlink(&outside, top(&board)).unwrap();
    run(&board, &wallet());
    assert_eq!(owner(&outside), Owner { uid: 0, gid: 0 });
}

#[test]
fn p10_a_file_with_a_name_outside_the_volume_is_not_given_away() {
    let board = Board::new();
    board.reserve(1, None);
    let shadow = board.outside().join("shadow");
    fs::write(&shadow, "secret").unwrap();
    fs::hard_link(&shadow, top(&board).join("trap")).unwrap();
    fs::hard_link(&shadow, top(&board).join("trap2")).unwrap();
    fs::write(top(&board).join("twin"), "x").unwrap();
    fs::hard_link(top(&board).join("twin"), top(&board).join("twin2")).unwrap();
    let owned = run(&board, &wallet());
    assert_eq!(owner(&shadow), Owner { uid: 0, gid: 0 });
    assert_eq!(owner(&top(&board).join("twin2")), OWNER);
    assert_eq!(owned.notes.first.len(), 1);
    assert!(
        owned.notes.first[0].contains("/trap")
            && owned.notes.first[0].ends_with("has names outside the volume")
    );
    let reason = owned.reason(OWNER, Timestamp(0)).unwrap();
    assert_eq!(reason.code, Code::NotOwned);
    assert!(reason.message.starts_with("not all could be given to 1234:5678: "));
}

#[test]
fn devices_and_mounts_inside_are_passed_pipes_and_sockets_are_given() {
    let board = Board::new();
    board.reserve(1, None);
    let null = top(&board).join("null");
    let device = rustix::fs::makedev(1, 3);
    rustix::fs::mknodat(CWD, &null, FileType::CharacterDevice, Mode::RWXU, device).unwrap();
    let pipe = top(&board).join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(top(&board).join("socket")).unwrap();
    let disk = crate::scratch::Scratch::disk(64 * 1024);
    fs::write(disk.path().join("theirs"), "x").unwrap();
    let inside = top(&board).join("mounted");
    fs::create_dir(&inside).unwrap();
    let flags = nix::mount::MsFlags::MS_BIND;
    nix::mount::mount(Some(disk.path()), &inside, None::<&str>, flags, None::<&str>).unwrap();
    let owned = own(
        &board.place,
        &wallet(),
        Generation(1),
        OWNER,
        &Stubborn::default(),
        &Cancel::default(),
    );
    nix::mount::umount2(&inside, nix::mount::MntFlags::MNT_DETACH).unwrap();
    assert_eq!(owned.unwrap().notes.first.len(), 2);
    assert_eq!(owner(&null).uid, 0);
    assert_eq!(owner(&disk.path().join("theirs")).uid, 0);
    assert_eq!((owner(&pipe), owner(&top(&board).join("socket"))), (OWNER, OWNER));
}

#[test]
fn what_is_below_the_limit_of_depth_is_a_note_and_the_rest_is_owned() {
    let board = Board::new();
    board.reserve(1, None);
    tree::tests::deep(&top(&board), tree::DEPTH_MAX + 20);
    fs::write(top(&board).join("file"), "x").unwrap();
    let owned = run(&board, &wallet());
    assert_eq!(owner(&top(&board).join("file")), OWNER);
    assert!(owned.notes.first[0].ends_with("is too deep to be walked"), "{owned:?}");
    assert!(owned.notes.first[0].chars().count() <= 350);
}

/// Sets or clears the immutable flag; false where the file system has none.
fn immutable(path: &Path, is_on: bool) -> bool {
    let file = fs::File::open(path).unwrap();
    let flags = if is_on { IFlags::IMMUTABLE } else { IFlags::empty() };
    rustix::fs::ioctl_setflags(&file, flags).is_ok()
}

#[test]
fn p6_what_can_not_be_owned_is_a_warning_and_not_walked_for_ever() {
    let board = Board::new();
    let made = board.reserve(1, None);
    let stuck = top(&board).join("stuck");
    fs::write(&stuck, "x").unwrap();
    fs::write(top(&board).join("zebra"), "x").unwrap();
    assert!(immutable(&stuck, true), "these tests run on a disk with the immutable flag, as ext4");
    assert!(immutable(&top(&board), true));
    let stubborn = Stubborn::default();
    let owned = run_with(&board, &wallet(), &stubborn);
    let mut file = file(1, None, wallet());
    (file.uid, file.gid) = (Some(OWNER.uid), Some(OWNER.gid));
    let is_settled = is_owned(&board.place, &file, &stubborn);
    let is_known_after_restart = is_owned(&board.place, &file, &Stubborn::default());
    immutable(&top(&board), false);
    immutable(&stuck, false);
    assert_eq!(owned.notes.first.len(), 2, "{owned:?}");
    assert!(owned.notes.first[0].contains("Operation not permitted"));
    assert_eq!(owner(&top(&board).join("zebra")), OWNER);
    assert!(is_settled.unwrap());
    assert!(!is_known_after_restart.unwrap());
    drop(made);
}

#[test]
fn p2_a_source_is_left_as_it_is_unless_it_shall_be_owned() {
    let board = Board::new();
    let usb = board.outside().join("usb");
    for (case, own, read_only, want) in [
        ("another's", false, false, 0),
        ("own", true, false, OWNER.uid),
        ("own but read-only", true, true, 0),
    ] {
        fs::create_dir(&usb).unwrap();
        fs::write(usb.join("film"), "x").unwrap();
        let mut volume = source("/media", &usb);
        (volume.own, volume.read_only) = (own, read_only);
        let spec = spec(&[], &[volume]);
        board.reserve_with(1, None, spec.clone());
        run(&board, &spec);
        assert_eq!(owner(&usb).uid, want, "{case}");
        assert_eq!(owner(&usb.join("film")).uid, want, "{case}");
        fs::remove_dir_all(&usb).unwrap();
    }
    let mut volume = source("/media", &usb);
    volume.own = true;
    let spec = spec(&[], &[volume]);
    run(&board, &spec);
    assert!(!usb.exists(), "what is missing is not made");
}

#[test]
fn p2_data_goes_to_and_fro_with_the_uid_of_the_generation_that_is_started() {
    let board = Board::new();
    let spec = spec(&[], &[data("/data")]);
    board.reserve_with(1, None, spec.clone());
    board.reserve_with(2, None, spec.clone());
    let block = board.place.data_volume("data").join("block");
    fs::write(&block, "x").unwrap();
    let stubborn = Stubborn::default();
    for (generation, owner_wanted) in [(1, OWNER), (2, OTHER), (1, OWNER)] {
        own(
            &board.place,
            &spec,
            Generation(generation),
            owner_wanted,
            &stubborn,
            &Cancel::default(),
        )
        .unwrap();
        assert_eq!(owner(&block), owner_wanted);
    }
    forks::unfinish(&board.place, Generation(1)).unwrap();
}

#[test]
fn an_owner_that_is_none_is_refused() {
    let board = Board::new();
    board.reserve(1, None);
    let nobody = Owner { uid: u32::MAX, gid: 1 };
    let owned = own(
        &board.place,
        &wallet(),
        Generation(1),
        nobody,
        &Stubborn::default(),
        &Cancel::default(),
    );
    assert!(owned.is_err());
    assert_eq!(owner(&top(&board)).uid, 0);
}

#[test]
fn p6_the_map_of_an_app_whose_number_is_lower_inside_begins_where_the_engines_does() {
    let mut spec = spec(&["/wallet"], &[]);
    spec.definition.shape.user = UserRule::Mapped;
    let base = Owner { uid: 300_000, gid: 400_000 };
    for user in [Owner { uid: 70_001, gid: 79_999 }, Owner { uid: 70_001, gid: 44 }] {
        spec.user = Some(user);
        let whose = Belongs::to(&spec, user.on_board(Some(base)).unwrap());
        assert_eq!(whose.base, Some(base), "{user}");
        assert!(whose.has(Owner { uid: 365_535, gid: 465_535 }), "the last numbers of the map");
        assert!(!whose.has(Owner { uid: 299_999, gid: 400_000 }), "below it");
        let whose = Belongs::to(&spec, user.on_board(None).unwrap());
        assert_eq!(whose.base, None, "{user}: the engine maps none");
    }
}

#[test]
fn p6_of_a_mapped_app_only_what_is_nobodys_of_the_map_is_given_to_the_maps_root() {
    let board = Board::new();
    let mut spec = spec(&["/wallet"], &[]);
    spec.definition.shape.user = UserRule::Mapped;
    spec.user = Some(Owner { uid: 0, gid: 0 });
    board.reserve_with(1, None, spec.clone());
    let root = Owner { uid: 300_000, gid: 400_000 };
    let give = |name: &str, owner: Owner| {
        let path = top(&board).join(name);
        fs::write(&path, "x").unwrap();
        chown(&path, Some(owner.uid), Some(owner.gid)).unwrap();
        (path, owner)
    };
    let owner = |uid, gid| Owner { uid, gid };
    let kept = [
        give("its user's", owner(301_000, 401_000)),
        give("the last number's", owner(365_535, 465_535)),
        give("the map's root's", root),
    ];
    let given = [
        give("the board's root's", owner(0, 0)),
        give("a user's of the board", owner(1000, 1000)),
        give("above the map", owner(365_536, 400_000)),
        give("of a group of the board", owner(301_000, 44)),
        give("the pool's", owner(350_001, 450_001)),
    ];
    let walk = |owner| {
        let (generation, stubborn) = (Generation(1), Stubborn::default());
        own(&board.place, &spec, generation, owner, &stubborn, &Cancel::default()).unwrap()
    };
    assert_eq!(walk(root).changed, given.len() as u64 + 2, "and the folders of fork and volume");
    for (path, before) in &kept {
        assert_eq!(self::owner(path), *before, "{path:?}");
    }
    for (path, _) in &given {
        assert_eq!(self::owner(path), root, "{path:?}");
    }
    // As the entry point leaves it: nothing is to be done before the next start.
    chown(top(&board), Some(301_000), Some(401_000)).unwrap();
    let mut file = file(1, None, spec.clone());
    (file.uid, file.gid) = (Some(root.uid), Some(root.gid));
    assert!(is_owned(&board.place, &file, &Stubborn::default()).unwrap());
    assert_eq!(walk(root), Owned::default());
    // On an engine that maps none nobody's number is taken for the app's.
    assert_eq!(Belongs::to(&spec, owner(0, 0)).base, None);
}

#[path = "hostile_tests.rs"]
mod hostile;
