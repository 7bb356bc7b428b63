//! What the kernel counts of a process.

use std::fs::{read_dir, read_to_string};
use std::path::PathBuf;
use std::time::Duration;

/// A process, by its id.
#[derive(Clone, Copy)]
pub struct Account {
    id: u32,
}

impl Account {
    /// Of a process that runs.
    pub fn of(id: u32) -> Self {
        Self { id }
    }

    fn file(self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.id))
    }

    fn figure(self, file: &str, key: &str) -> f64 {
        let text = read_to_string(self.file(file)).unwrap_or_default();
        let row = text.lines().find_map(|line| line.strip_prefix(key));
        let figure = row.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        figure.unwrap_or_else(|| panic!("no {key} in /proc/{}/{file}", self.id))
    }

    /// Resident memory, in bytes.
    pub fn resident(self) -> f64 {
        self.figure("smaps_rollup", "Rss:") * 1024.0
    }

    /// The part of it that no file can give back, in bytes.
    pub fn anonymous(self) -> f64 {
        self.figure("smaps_rollup", "Anonymous:") * 1024.0
    }

    /// The most that was resident since [`Account::forget_peak`], in bytes.
    pub fn peak(self) -> f64 {
        self.figure("status", "VmHWM:") * 1024.0
    }

    /// The peak is counted from now on (proc(5), `clear_refs`).
    pub fn forget_peak(self) {
        std::fs::write(self.file("clear_refs"), "5").expect("the kernel forgets a peak");
    }

    /// Bytes that it caused to be written to disks.
    pub fn written(self) -> f64 {
        self.figure("io", "write_bytes:")
    }

    /// Time on a CPU, of all threads that there are.
    pub fn cpu(self) -> Duration {
        let threads = read_dir(self.file("task")).expect("a process has threads").flatten();
        let spent = threads.filter_map(|thread| {
            let text = read_to_string(thread.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(spent.sum())
    }

    /// How many times its threads gave up a CPU to wait for something: how often it was woken.
    pub fn waits(self) -> f64 {
        let threads = read_dir(self.file("task")).expect("a process has threads").flatten();
        let counts = threads.filter_map(|thread| {
            let text = read_to_string(thread.path().join("status")).ok()?;
            let row =
                text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            row.trim().parse::<f64>().ok()
        });
        counts.sum()
    }

    /// Where its anonymous memory lies, largest first: name of the mapping, bytes.
    pub fn places(self) -> Vec<(String, f64)> {
        let text = read_to_string(self.file("smaps")).unwrap_or_default();
        let mut places: Vec<(String, f64)> = Vec::new();
        let mut name = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("Anonymous:") {
                let kib = rest.split_whitespace().next().and_then(|text| text.parse::<f64>().ok());
                let bytes = kib.unwrap_or(0.0) * 1024.0;
                match places.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, sum)) => *sum += bytes,
                    None => places.push((name.clone(), bytes)),
                }
            } else if line.split_whitespace().next().is_some_and(|first| first.contains('-')) {
                let words: Vec<&str> = line.split_whitespace().collect();
                let path = words.get(5).copied().unwrap_or("threads and large pieces");
                path.rsplit('/').next().unwrap_or(path).clone_into(&mut name);
            }
        }
        places.retain(|(_, bytes)| *bytes > 0.0);
        places.sort_by(|a, b| b.1.total_cmp(&a.1));
        places
    }
}
