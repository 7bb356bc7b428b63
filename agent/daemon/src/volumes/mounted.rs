//! What is mounted (proc(5), mountinfo), and what the system has been told to mount (fstab(5), systemd.mount(5)).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::error::VolumesError;
use super::files;
use super::paths::System;

/// Largest table read, in bytes: thousands of mounts, as many as a board of containers never has.
const TABLE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Largest unit read, in bytes: the usual ones have a few hundred.
const UNIT_BYTES_MAX: u64 = 64 * 1024;

/// Most names read of a folder of units; Debian's has some four hundred.
const UNITS_MAX: usize = 10_000;

/// What is mounted.
pub(super) struct Mounted(BTreeSet<PathBuf>);

/// A line or unit that mounts a folder, which is not mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmounted {
    /// The folder.
    pub folder: PathBuf,
    /// The file that names it.
    pub named_by: PathBuf,
}

impl Mounted {
    /// Reads the table. An automount that waits for its disk does not count.
    ///
    /// # Errors
    /// It can't be read.
    pub fn read(mountinfo: &Path) -> Result<Self, VolumesError> {
        let table = files::read(mountinfo, TABLE_BYTES_MAX)?.unwrap_or_default();
        let points = table.split(|c| *c == b'\n').filter_map(|line| {
            // 36 35 98:0 /root /point options [optional…] - type source options
            let mut words = line.split(|c| *c == b' ');
            let point = words.nth(4)?;
            let kind = words.skip_while(|word| *word != b"-").nth(1)?;
            (kind != b"autofs").then(|| PathBuf::from(OsString::from_vec(unescape(point))))
        });
        Ok(Self(points.collect()))
    }

    /// Whether something is mounted on `folder` itself, whatever links lead to it.
    pub fn has(&self, folder: &Path) -> bool {
        self.0.contains(folder) || fs::canonicalize(folder).is_ok_and(|real| self.0.contains(&real))
    }

    /// What is mounted on `path` or below it.
    pub fn within(&self, path: &Path) -> Option<&Path> {
        let real = real(path);
        self.0.iter().map(PathBuf::as_path).find(|point| point.starts_with(&real))
    }

    /// What is mounted below `folder`, at whatever depth: also a folder of the same disk (mount --bind), which no
    /// number of a device tells.
    pub fn below(&self, folder: &Path) -> Option<&Path> {
        let real = real(folder);
        self.0.iter().map(PathBuf::as_path).find(|point| *point != real && point.starts_with(&real))
    }
}

/// The first mount point at `folder` or above it that fstab or a unit names and that is not mounted. What lies in
/// memory (tmpfs) does not count: no volume root is expected there.
///
/// # Errors
/// A table can't be read.
pub(super) fn unmounted_above(
    system: &System,
    folder: &Path,
) -> Result<Option<Unmounted>, VolumesError> {
    let mounted = Mounted::read(&system.mountinfo)?;
    let above = way_to(folder);
    let is_away = |point: &Path| {
        let real = real(point);
        (above.contains(point) || above.contains(&real)) && !mounted.has(point)
    };
    let fstab = files::read(&system.fstab, TABLE_BYTES_MAX)?.unwrap_or_default();
    let mut found = fstab_points(&fstab)
        .filter(|point| is_away(point))
        .map(|folder| Unmounted { folder, named_by: system.fstab.clone() });
    if let Some(unmounted) = found.next() {
        return Ok(Some(unmounted));
    }
    for unit in units(&system.units)?.into_values() {
        let text = match files::read_followed(&unit, UNIT_BYTES_MAX) {
            Ok(text) => text.unwrap_or_default(),
            Err(_) => continue, // masked (/dev/null), dangling, or no unit at all
        };
        if let Some(folder) = unit_point(&text).filter(|point| is_away(point)) {
            let named_by = unit;
            return Ok(Some(Unmounted { folder, named_by }));
        }
    }
    Ok(None)
}

/// `folder` and all above it, as written and as it really lies.
fn way_to(folder: &Path) -> BTreeSet<PathBuf> {
    let real = real(folder);
    let both = folder.ancestors().chain(real.ancestors());
    both.map(Path::to_owned).collect()
}

/// The path without links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    for above in path.ancestors() {
        if let Ok(found) = fs::canonicalize(above) {
            return match path.strip_prefix(above) {
                Ok(rest) if !rest.as_os_str().is_empty() => found.join(rest),
                _ => found,
            };
        }
    }
    path.to_owned()
}

fn fstab_points(table: &[u8]) -> impl Iterator<Item = PathBuf> {
    table.split(|c| *c == b'\n').filter_map(|line| {
        let mut words = line.split(|c| matches!(c, b' ' | b'\t')).filter(|word| !word.is_empty());
        let what = words.next()?;
        let point = words.next()?;
        let kind = words.next()?;
        if what.starts_with(b"#") || is_memory(kind) || !point.starts_with(b"/") {
            return None;
        }
        Some(tidy(&unescape(point)))
    })
}

/// Units by name: of two with one name, the one in the earlier folder counts.
fn units(folders: &[PathBuf]) -> Result<BTreeMap<OsString, PathBuf>, VolumesError> {
    let mut units = BTreeMap::new();
    for folder in folders {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(VolumesError::std("read", folder)(e)),
        };
        for entry in entries.take(UNITS_MAX) {
            let entry = entry.map_err(VolumesError::std("read", folder))?;
            let name = entry.file_name();
            if name.as_bytes().ends_with(b".mount") {
                units.entry(name).or_insert_with(|| entry.path());
            }
        }
    }
    Ok(units)
}

fn unit_point(text: &[u8]) -> Option<PathBuf> {
    let value = |key: &[u8]| {
        text.split(|c| *c == b'\n')
            .map(<[u8]>::trim_ascii)
            .filter_map(|line| {
                let rest = line.strip_prefix(key)?.trim_ascii_start();
                Some(rest.strip_prefix(b"=")?.trim_ascii())
            })
            .next_back()
    };
    if value(b"Type").is_some_and(is_memory) {
        return None;
    }
    let point = value(b"Where")?;
    point.starts_with(b"/").then(|| tidy(point))
}

fn is_memory(kind: &[u8]) -> bool {
    matches!(kind, b"tmpfs" | b"ramfs")
}

/// Without doubled or trailing slashes.
fn tidy(path: &[u8]) -> PathBuf {
    Path::new(OsStr::from_bytes(path)).components().collect()
}

/// `\040` and the like (getmntent(3)).
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\').and_then(|three| {
            let text = std::str::from_utf8(three).ok()?;
            u8::from_str_radix(text, 8).ok()
        });
        match octal {
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
