//! What entry points do that start as root: give the folders to a user and become that user; and who one is outside.

use crate::stamp;
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};
use std::io;
use std::os::unix::fs::lchown;
use std::path::Path;

/// Gives both folders, with all that is in them, to `id` and goes on as `id`.
pub fn user(id: u32) -> Result<(), String> {
    for folder in [stamp::state(), stamp::data()] {
        if folder.is_dir() {
            give(&folder, id).map_err(|error| format!("chown {}: {error}", folder.display()))?;
        }
    }
    let group = Gid::from_raw(id);
    setgroups(&[group]).map_err(|error| format!("setgroups: {error}"))?;
    setgid(group).map_err(|error| format!("setgid: {error}"))?;
    setuid(Uid::from_raw(id)).map_err(|error| format!("setuid: {error}"))
}

fn give(path: &Path, id: u32) -> io::Result<()> {
    lchown(path, Some(id), Some(id))?;
    if path.symlink_metadata()?.is_dir() {
        for entry in path.read_dir()? {
            give(&entry?.path(), id)?;
        }
    }
    Ok(())
}

/// The uid that the board knows this process by (user_namespaces(7), `uid_map`).
pub fn uid_on_board() -> Option<u32> {
    let map = std::fs::read_to_string("/proc/self/uid_map").ok()?;
    let own = Uid::current().as_raw();
    map.lines().find_map(|line| {
        let mut numbers = line.split_whitespace().map(|text| text.parse::<u32>().ok());
        let (inside, outside) = (numbers.next()??, numbers.next()??);
        let count = numbers.next()??;
        let place = own.checked_sub(inside).filter(|place| *place < count)?;
        outside.checked_add(place)
    })
}
