//! Stamps: one line with the version in `stamp.log` of each volume, at each start.
//!
//! Promise: a line is on the disk before the program serves, and nothing else is written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

/// The version of the image, else of the environment.
pub fn version() -> String {
    std::fs::read_to_string("/version.txt")
        .ok()
        .or_else(|| std::env::var("VERSION").ok())
        .map(|text| text.trim().to_owned())
        .unwrap_or_else(|| "0".to_owned())
}

/// The state folder: `STATE_DIR`, else `/state`.
pub fn state() -> PathBuf {
    folder("STATE_DIR", "/state")
}

/// The data folder: `DATA_DIR`, else `/data`.
pub fn data() -> PathBuf {
    folder("DATA_DIR", "/data")
}

fn folder(variable: &str, usual: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| PathBuf::from(usual), PathBuf::from)
}

/// Stamps those of the two folders that are there.
pub fn stamp_all(version: &str) -> Result<(), String> {
    for folder in [state(), data()] {
        if folder.is_dir() {
            let path = folder.join("stamp.log");
            stamp(&path, version).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(())
}

fn stamp(path: &PathBuf, version: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    writeln!(file, "{version}")?;
    file.sync_all()
}

/// The stamps of one folder, empty when it has none.
pub fn read(folder: PathBuf) -> String {
    std::fs::read_to_string(folder.join("stamp.log")).unwrap_or_default()
}

/// Takes the lock that asks the agent to wait.
pub fn lock() -> io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(state().join("update.lock"))?;
    file.try_lock().map_err(io::Error::from)?;
    Ok(file)
}
