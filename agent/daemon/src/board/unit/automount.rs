//! Automounts: folders whose disk is mounted when somebody looks into them (systemd.automount(5)).
//!
//! Why they matter: systemd looks into each `ReadWritePaths=` when it makes the unit's namespace. One below an automount
//! whose disk is away fails there, and the unit with it (status 226, seen with systemd 252); the automount itself does not.
//! So the whole disk is opened: as a disk that is mounted late is in any case.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest file read, in bytes: an fstab has some lines.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Most units looked at: a folder of a person's own has some dozens.
const UNITS_MAX: usize = 1000;
/// Where persons and packages put automount units.
const FOLDERS: [&str; 3] = ["etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];

/// Automount points that fstab and units name, below another root in tests.
pub fn points(root: &Path) -> BTreeSet<PathBuf> {
    let mut points: BTreeSet<PathBuf> = of_fstab(&text(&root.join("etc/fstab"))).collect();
    for folder in FOLDERS {
        let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten().take(UNITS_MAX);
        for entry in entries.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|ending| ending == "automount") {
                points.extend(of_unit(&text(&path)));
            }
        }
    }
    points
}

/// What is to be opened so that `path` is: the automount that it lies below, else itself.
pub fn opened<'a>(path: &'a Path, points: &BTreeSet<PathBuf>) -> &'a Path {
    path.ancestors().find(|above| points.contains(*above)).unwrap_or(path)
}

/// `what where type options …` (fstab(5)), those with the option `x-systemd.automount`.
fn of_fstab(table: &str) -> impl Iterator<Item = PathBuf> {
    table.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [what, point, _, options, ..] = words.as_slice() else {
            return None;
        };
        let is_automount = options
            .split(',')
            .any(|option| matches!(option, "x-systemd.automount" | "comment=systemd.automount"));
        let plain = point.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\");
        (is_automount && !what.starts_with('#')).then(|| Path::new(&plain).components().collect())
    })
}

fn of_unit(text: &str) -> Option<PathBuf> {
    let mut points = text.lines().filter_map(|line| line.trim().strip_prefix("Where="));
    points.next_back().map(|point| Path::new(point.trim()).components().collect())
}

/// Empty where it can't be read: a generator never fails.
fn text(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes));
    if read.is_err() {
        return String::new();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
