//! The state folder as a whole: made, locked, and looked at whether it outlives a power cut.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock, statfs};
use titania_core::reason::{Class, Code, Reason};
use titania_core::time::Timestamp;

use super::error::StoreError;

/// File systems whose files are gone after a power cut, or go with the upper layer: magic numbers of statfs(2).
const VOLATILE: [(u32, &str); 5] = [
    (0x0102_1994, "tmpfs"),
    (0x8584_58f6, "ramfs"),
    (0x794c_7630, "overlay"),
    (0x6175_6673, "aufs"),
    (0x7371_7368, "squashfs"),
];

/// The state folder, locked for this process until it is dropped.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    durability: Durability,
    _lock: File,
}

/// Does the folder outlive a power cut?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It does.
    Durable,
    /// It does not: every app is blocked, `state_not_durable`.
    Volatile {
        /// The folder.
        path: PathBuf,
        /// Its file system.
        kind: &'static str,
    },
}

impl Durability {
    /// The reason to show; null when durable.
    pub fn reason(&self, at: Timestamp) -> Option<Reason> {
        let Self::Volatile { path, kind } = self else {
            return None;
        };
        let path = path.display();
        Some(Reason::new(
            Code::StateNotDurable,
            Class::Environment,
            format!("{path} lies on {kind}: what is written there is lost at a power cut"),
            format!(
                "put {path} on a real disk (on a Raspberry Pi: raspi-config, Overlay File System, off), \
                 or set allow_volatile = true in [paths]"
            ),
            at,
        ))
    }
}

impl StateFolder {
    /// Makes the folder (0700) where it is missing, locks it, and tells whether it is durable.
    /// With `allow_volatile` any is taken for durable.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another agent has it; else the disk's.
    pub fn open(path: &Path, allow_volatile: bool) -> Result<Self, StoreError> {
        fs::create_dir_all(path).map_err(StoreError::io("make", path))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))
            .map_err(StoreError::io("close to others", path))?;
        let lock = take_lock(path)?;
        let durability = if allow_volatile { Durability::Durable } else { durability(path)? };
        Ok(Self { path: path.to_owned(), durability, _lock: lock })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Does it outlive a power cut?
    pub fn durability(&self) -> &Durability {
        &self.durability
    }
}

fn durability(path: &Path) -> Result<Durability, StoreError> {
    let seen = statfs(path).map_err(|e| StoreError::io("look at", path)(e.into()))?;
    // The field's type differs between platforms; the numbers have 32 bits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::unnecessary_cast)]
    let magic = seen.f_type as u32;
    let found = VOLATILE.iter().find(|(number, _)| *number == magic);
    Ok(match found {
        Some((_, kind)) => Durability::Volatile { path: path.to_owned(), kind },
        None => Durability::Durable,
    })
}

fn take_lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(&path)
        .map_err(StoreError::io("open", &path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut text = String::new();
            let _unknown = (&mut file).take(32).read_to_string(&mut text);
            return Err(StoreError::Locked {
                path: folder.to_owned(),
                pid: text.trim().parse().ok(),
            });
        }
        Err(e) => return Err(StoreError::io("lock", &path)(e.into())),
    }
    let pid = format!("{}\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(pid.as_bytes()))
        .or_else(|e| if super::durable::is_full(&e) { Ok(()) } else { Err(e) }) // the lock counts, not the number in it
        .map_err(StoreError::io("write", &path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn one_agent_a_board_the_second_is_told_who_has_it() {
        let scratch = Scratch::new();
        let path = scratch.path().join("deep/state");
        let first = StateFolder::open(&path, false).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700);
        let error = StateFolder::open(&path, false).unwrap_err();
        let own = std::process::id();
        assert!(matches!(&error, StoreError::Locked { pid: Some(pid), .. } if *pid == own));
        assert_eq!(
            error.to_string(),
            format!("another agent runs on {}: process {own}", path.display())
        );
        drop(first);
        assert!(StateFolder::open(&path, false).is_ok());
    }

    #[test]
    fn a_folder_in_memory_is_not_durable_unless_that_is_allowed() {
        let disk = Scratch::disk(1024 * 1024);
        let seen = StateFolder::open(disk.path(), false).unwrap();
        assert!(matches!(seen.durability(), Durability::Volatile { kind: "tmpfs", .. }));
        let reason = seen.durability().reason(Timestamp(0)).unwrap();
        assert_eq!(reason.code, Code::StateNotDurable);
        drop(seen);
        let seen = StateFolder::open(disk.path(), true).unwrap();
        assert_eq!(seen.durability(), &Durability::Durable);
    }
}
