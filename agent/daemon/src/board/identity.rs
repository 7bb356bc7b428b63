//! Who the board is: its id towards broker and operator.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

/// Largest of the kernel's and systemd's small files read here, in bytes: they have some dozens;
/// /proc/cpuinfo of a board with many cores has some thousands.
pub const SHORT_BYTES_MAX: u64 = 64 * 1024;

/// Longest board id (`^[A-Za-z0-9_-]{1,64}$`).
const ID_CHARS_MAX: usize = 64;

/// Where a board id can come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `[board] id`.
    Setting,
    /// The Raspberry Pi's serial number.
    Serial,
    /// A hash of /etc/machine-id.
    MachineId,
    /// Nothing was there: the host name.
    HostName,
}

/// The board's id: the setting, else the Raspberry Pi's serial, else a hash of the machine id (which
/// itself must not leave the machine, machine-id(5)); where there is none either, the host name.
pub fn board_id(setting: Option<&str>) -> (String, Source) {
    find(setting, Path::new("/"))
}

fn find(setting: Option<&str>, root: &Path) -> (String, Source) {
    if let Some(id) = setting {
        return (id.to_owned(), Source::Setting);
    }
    if let Some(serial) = serial(root) {
        return (serial, Source::Serial);
    }
    let machine = read_short(&root.join("etc/machine-id")).unwrap_or_default();
    if let Some(id) = hashed(machine.trim()) {
        return (id, Source::MachineId);
    }
    let name = read_short(&root.join("proc/sys/kernel/hostname")).unwrap_or_default();
    let name = fit(&name);
    let name = if name.is_empty() { "board".to_owned() } else { name };
    (name, Source::HostName)
}

/// The device tree's serial number, else that of /proc/cpuinfo. All zeros is none.
fn serial(root: &Path) -> Option<String> {
    let tree = read_short(&root.join("proc/device-tree/serial-number"));
    let cpu = read_short(&root.join("proc/cpuinfo")).and_then(|text| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == "Serial").then(|| value.to_owned())
        })
    });
    [tree, cpu]
        .into_iter()
        .flatten()
        .map(|text| fit(&text))
        .find(|text| text.chars().any(|c| c != '0'))
}

/// 16 hex digits, of this agent's own: another program's hash of the same id is another.
fn hashed(machine: &str) -> Option<String> {
    let is_id = machine.len() == 32 && machine.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| {
        let sum = Sha256::digest(format!("titania-agent board id\n{machine}\n"));
        sum.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    })
}

fn fit(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        .take(ID_CHARS_MAX)
        .collect()
}

/// The text of a small file of the system, cut at [`SHORT_BYTES_MAX`]; `None` when it can't be read.
pub fn read_short(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(SHORT_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
