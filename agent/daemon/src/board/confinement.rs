//! Confinement: what the service manager lets the agent see, write and do, against what this board needs.
//!
//! Promise: what is told is what is so, read from the mount table and the process's own rights, whoever narrowed
//! them; a board without systemd has nothing to tell. Nothing is tried out.
//! Trusts: the kernel (proc(5), mountinfo).

use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::thread::CapabilitySet;
use titania_core::reason::{Class, Code, Reason};
use titania_core::time::Timestamp;

use super::unit::{HOMES, Needs, TMPS};

/// Largest mount table read, in bytes: thousands of mounts, as many as a board of containers never has.
const TABLE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What puts a unit right that does not know today's files.
const RENEW: &str = "systemctl daemon-reload && systemctl restart titania-agent";

/// Rights without which volumes can't be given to their apps; each is told by name.
const RIGHTS: [(CapabilitySet, &str); 3] = [
    (CapabilitySet::CHOWN, "CAP_CHOWN"),
    (CapabilitySet::DAC_OVERRIDE, "CAP_DAC_OVERRIDE"),
    (CapabilitySet::FOWNER, "CAP_FOWNER"),
];

/// One mount, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    id: u64,
    parent: u64,
    /// What of its file system is mounted.
    part: Vec<u8>,
    point: PathBuf,
    /// Is this mount read-only, whatever its file system is?
    is_closed: bool,
    /// Is its file system read-only?
    is_read_only: bool,
    kind: Vec<u8>,
}

/// The process's surroundings.
#[derive(Clone, Debug)]
pub struct Confinement {
    mounts: Vec<Mount>,
    rights: CapabilitySet,
}

impl Confinement {
    /// As it is now.
    pub fn look() -> Self {
        let mut table = Vec::new();
        let read = std::fs::File::open("/proc/self/mountinfo")
            .and_then(|file| file.take(TABLE_BYTES_MAX).read_to_end(&mut table));
        if let Err(error) = read {
            log::warn!("the mount table can't be read: {error}");
        }
        let rights = rustix::thread::capabilities(None);
        // A kernel that does not tell is no proof that a right is missing.
        let rights = rights.map_or(CapabilitySet::all(), |sets| sets.effective);
        Self { mounts: mounts(&table), rights }
    }

    /// Whether the board's devices can be looked up in /dev.
    pub fn shows_devices(&self) -> bool {
        self.at(Path::new("/dev")).is_none_or(|mount| mount.kind != b"tmpfs")
    }

    /// What of `needs` is not granted. `exists`: tells where a path really lies, links followed, if there is one;
    /// may wait for a disk.
    pub fn troubles(
        &self,
        needs: &Needs,
        exists: impl Fn(&Path) -> Option<PathBuf>,
        at: Timestamp,
    ) -> Vec<Reason> {
        let mut told = Vec::new();
        let mut tell = |code, message: String, hint: &str| {
            told.push(Reason::new(code, Class::Environment, message, hint, at));
        };
        for (right, name) in RIGHTS {
            if !self.rights.contains(right) {
                let message =
                    format!("the agent lacks {name}: it can't give volumes to their apps");
                tell(Code::NotOwned, message, "run it as root, or by the unit of its package");
            }
        }
        for path in &needs.write {
            let shown = path.display();
            match exists(path).and_then(|real| self.over(&real)) {
                Some(mount) if mount.is_read_only => tell(
                    Code::NotWritable,
                    format!("the disk of {shown} is mounted read-only"),
                    "look why (dmesg, fsck), then mount it for writing; it is looked at again",
                ),
                Some(mount) if mount.is_closed => tell(
                    Code::UnitStale,
                    format!("{shown} is closed to the agent: its unit was made for other settings"),
                    RENEW,
                ),
                _ => {}
            }
        }
        let hidden = |folders: &[&str]| folders.iter().any(|folder| self.hides(Path::new(folder)));
        let stale = [
            (needs.homes && hidden(&HOMES), "what lies in homes (/home, /root, /run/user)"),
            (needs.tmps && hidden(&TMPS), "what lies in /tmp and /var/tmp"),
            (needs.devices && !self.shows_devices(), "/dev"),
        ];
        for (_, what) in stale.iter().filter(|(is_stale, _)| *is_stale) {
            let message = format!(
                "{what} can't be seen by the agent: its unit was made for other definitions"
            );
            tell(Code::UnitStale, message, RENEW);
        }
        if needs.kill && !self.rights.contains(CapabilitySet::KILL) {
            let message = "an exec probe that is over its time can't be ended: the unit was made for \
                           other definitions";
            tell(Code::UnitStale, message.to_owned(), RENEW);
        }
        told
    }

    /// The topmost mount at exactly `point`.
    fn at(&self, point: &Path) -> Option<&Mount> {
        let here = || self.mounts.iter().filter(|mount| mount.point == point);
        // The order of the table says nothing: one that comes in from outside is put below what lies there.
        here().find(|mount| !here().any(|other| other.parent == mount.id))
    }

    /// The mount that `path` lies on.
    fn over(&self, path: &Path) -> Option<&Mount> {
        path.ancestors().find_map(|folder| self.at(folder))
    }

    /// Whether systemd put something of its own in the place of `folder` (`ProtectHome=`, `PrivateTmp=`).
    fn hides(&self, folder: &Path) -> bool {
        self.at(folder).is_some_and(|mount| {
            let part = String::from_utf8_lossy(&mount.part);
            part.contains("/systemd/inaccessible/") || part.contains("/systemd-private-")
        })
    }
}

/// `36 35 98:0 /part /point options [optional…] - type source options` (proc(5)); other lines are left out.
fn mounts(table: &[u8]) -> Vec<Mount> {
    let mount = |line: &[u8]| {
        let mut words = line.split(|byte| *byte == b' ');
        let mut number = || std::str::from_utf8(words.next()?).ok()?.parse().ok();
        let (id, parent) = (number()?, number()?);
        let part = words.nth(1)?.to_vec();
        let point = PathBuf::from(std::ffi::OsString::from_vec(unescaped(words.next()?)));
        let is_closed = is_read_only(words.next()?);
        let mut rest = words.skip_while(|word| *word != b"-").skip(1);
        let kind = rest.next()?.to_vec();
        let is_read_only = rest.nth(1).is_some_and(is_read_only);
        Some(Mount { id, parent, part, point, is_closed, is_read_only, kind })
    };
    table.split(|byte| *byte == b'\n').filter_map(mount).collect()
}

fn is_read_only(options: &[u8]) -> bool {
    options.split(|byte| *byte == b',').any(|option| option == b"ro")
}

/// `\040` and the like: blanks and backslashes alone are written so.
fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(word.len());
    let mut rest = word;
    while let [first, after @ ..] = rest {
        let code = after.get(..3).filter(|_| *first == b'\\');
        let code = code.and_then(|three| std::str::from_utf8(three).ok());
        match code.and_then(|three| u8::from_str_radix(three, 8).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests;
