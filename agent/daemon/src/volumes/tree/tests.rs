//! Walks that never follow a link.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::scratch::Scratch;

/// A chain of `depth` folders below `top`, made without long paths.
pub(in crate::volumes) fn deep(top: &Path, depth: usize) {
    let mut folder = open_folder(top).unwrap();
    for _ in 0..depth {
        rustix::fs::mkdirat(&folder, "d", Mode::RWXU).unwrap();
        folder = open_folder_in(&folder, c"d").unwrap();
    }
    let flags = OFlags::CREATE | OFlags::WRONLY;
    rustix::fs::openat(&folder, "bottom", flags, Mode::RUSR).unwrap();
}

fn visited(top: &Path) -> Result<Vec<String>, VolumesError> {
    let mut found = Vec::new();
    walk(open_folder(top)?, top, &Cancel::default(), &mut |seen| {
        let path = seen.path();
        found.push(path.strip_prefix(top).unwrap().display().to_string());
        Ok(Turn::In)
    })?;
    found.sort();
    Ok(found)
}

#[test]
fn a_walk_meets_everything_once_and_follows_no_link() {
    let scratch = Scratch::new();
    let (top, outside) = (scratch.path().join("top"), scratch.path().join("outside"));
    fs::create_dir_all(top.join("a/b")).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "x").unwrap();
    fs::write(top.join("a/file"), "x").unwrap();
    symlink(&outside, top.join("a/out")).unwrap();
    symlink("..", top.join("a/b/up")).unwrap();
    assert_eq!(visited(&top).unwrap(), ["a", "a/b", "a/b/up", "a/file", "a/out"]);
    assert!(open_folder(&top.join("a/out")).is_err(), "a link is no top either");
}

#[test]
fn a_tree_at_the_limit_of_depth_is_walked_and_one_past_it_is_named() {
    let scratch = Scratch::new();
    deep(scratch.path(), DEPTH_MAX);
    assert_eq!(visited(scratch.path()).unwrap().len(), DEPTH_MAX + 1);
    let scratch = Scratch::new();
    deep(scratch.path(), DEPTH_MAX + 1);
    let error = visited(scratch.path()).unwrap_err();
    assert!(matches!(error, VolumesError::TooDeep { depth_max: DEPTH_MAX, .. }));
}

#[test]
fn removing_takes_links_but_not_what_they_point_to_and_any_depth() {
    let scratch = Scratch::new();
    let (top, outside) = (scratch.path().join("top"), scratch.path().join("outside"));
    fs::create_dir_all(top.join("a")).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "x").unwrap();
    symlink(&outside, top.join("a/out")).unwrap();
    symlink(&outside, scratch.path().join("link")).unwrap();
    for n in 0..50 {
        fs::create_dir(top.join(format!("folder-{n}"))).unwrap();
        fs::write(top.join(format!("folder-{n}/file")), "x").unwrap();
    }
    deep(&top, 3 * DEPTH_MAX);
    remove(&top, &Cancel::default()).unwrap();
    remove(&scratch.path().join("link"), &Cancel::default()).unwrap();
    remove(&scratch.path().join("nothing"), &Cancel::default()).unwrap();
    assert!(!top.exists());
    assert!(fs::symlink_metadata(scratch.path().join("link")).is_err());
    assert_eq!(fs::read(outside.join("precious")).unwrap(), b"x");
}

#[test]
fn removing_stops_before_a_disk_that_is_mounted_inside() {
    let scratch = Scratch::new();
    let disk = Scratch::disk(64 * 1024);
    fs::write(disk.path().join("precious"), "x").unwrap();
    let inside = scratch.path().join("top/inside");
    fs::create_dir_all(&inside).unwrap();
    let flags = nix::mount::MsFlags::MS_BIND;
    nix::mount::mount(Some(disk.path()), &inside, None::<&str>, flags, None::<&str>).unwrap();
    let removed = remove(&scratch.path().join("top"), &Cancel::default());
    nix::mount::umount2(&inside, nix::mount::MntFlags::MNT_DETACH).unwrap();
    assert!(removed.is_err());
    assert!(disk.path().join("precious").exists());
}

#[test]
fn a_bare_fork_is_told_from_one_that_holds_something() {
    let scratch = Scratch::new();
    let top = scratch.path();
    assert!(is_bare(top).unwrap() && is_empty(top).unwrap());
    fs::create_dir_all(top.join("key")).unwrap();
    assert!(is_bare(top).unwrap() && !is_empty(top).unwrap());
    symlink("/etc", top.join("link")).unwrap();
    assert!(!is_bare(top).unwrap(), "a link is something");
    fs::remove_file(top.join("link")).unwrap();
    fs::create_dir(top.join("key/folder")).unwrap();
    assert!(!is_bare(top).unwrap(), "a folder in a key is something");
}

#[test]
fn a_cancelled_walk_ends() {
    let scratch = Scratch::new();
    fs::write(scratch.path().join("file"), "x").unwrap();
    let cancel = Cancel::default();
    cancel.cancel();
    let top = open_folder(scratch.path()).unwrap();
    let walked = walk(top, scratch.path(), &cancel, &mut |_| Ok(Turn::In));
    assert!(matches!(walked, Err(VolumesError::Cancelled)));
    assert!(remove(scratch.path(), &cancel).is_err());
    assert!(scratch.path().join("file").exists());
}

#[test]
fn removing_takes_any_depth_and_any_number_of_folders() {
    let scratch = Scratch::new();
    let top = scratch.path().join("top");
    fs::create_dir_all(top.join(".deep-1")).unwrap(); // a name that is taken
    deep(&top, 3 * LIFTED_DEPTH + 7);
    for n in 0..NAMES_AT_ONCE_MAX + NAMES_MAX {
        fs::create_dir(top.join(format!("folder-{n}"))).unwrap();
    }
    for n in 0..50 {
        fs::create_dir_all(top.join(format!("folder-7/{n}/deeper/{n}"))).unwrap();
    }
    remove(&top, &Cancel::default()).unwrap();
    assert!(!top.exists());
}
