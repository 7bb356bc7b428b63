//! What the agent's unit must leave open on this board, found in settings and definitions.
//!
//! The packaged unit is as tight as a board without special wishes allows: strict, no homes, no devices, no signals
//! to others. What a board needs beyond that, a generator (systemd.generator(7)) adds as a drop-in before each
//! start of the manager and at each `systemctl daemon-reload`, with what [`drop_in`] says.
//!
//! Promise: whatever lies in the files, the answer is a drop-in that systemd can read; a path that can't be written
//! into one is left out, and what is missing is told by the running agent (`board::confinement`).

mod automount;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use titania_config::Settings;
use titania_core::definition::{Definition, ProbeRule};

use super::files::InForce;

/// Folders that `ProtectHome=yes` hides (systemd.exec(5)).
pub const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];
/// Folders that `PrivateTmp=yes` replaces (systemd.exec(5)).
pub const TMPS: [&str; 2] = ["/tmp", "/var/tmp"];
/// Folder of the runtime directory that the unit has in any case.
const RUNTIME: &str = "/run/titania-agent";

/// What this board needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Folders that are written to: volume root, state folder, folder of the socket, sources with `own = true`.
    pub write: BTreeSet<PathBuf>,
    /// Further folders of which the mounts are waited for: sources.
    pub read: BTreeSet<PathBuf>,
    /// A path below one of [`HOMES`] is named.
    pub homes: bool,
    /// A path below one of [`TMPS`] is named.
    pub tmps: bool,
    /// A definition has devices: whether they are there is looked up in /dev.
    pub devices: bool,
    /// A definition has an exec probe: one that is over its time is killed.
    pub kill: bool,
}

impl Needs {
    /// What settings and definitions ask for.
    pub fn of(in_force: &InForce) -> Self {
        let mut needs = Self::default();
        needs.settings(&in_force.settings);
        for app in in_force.apps.values() {
            if let Some(definition) = app.definition.as_deref() {
                needs.definition(definition);
            }
        }
        needs.look_below();
        needs
    }

    fn look_below(&mut self) {
        let named: Vec<&PathBuf> = self.write.iter().chain(&self.read).collect();
        let is_below = |folders: &[&str]| {
            named.iter().any(|path| folders.iter().any(|folder| path.starts_with(folder)))
        };
        (self.homes, self.tmps) = (is_below(&HOMES), is_below(&TMPS));
    }

    fn settings(&mut self, settings: &Settings) {
        let paths = &settings.paths;
        self.write.extend([&paths.volumes, &paths.state].map(PathBuf::from));
        let socket = Path::new(&paths.socket).parent();
        self.write
            .extend(socket.filter(|folder| *folder != Path::new(RUNTIME)).map(Path::to_owned));
        self.read.extend([&paths.apps, &paths.keys].map(PathBuf::from));
        let registries = settings.registries.iter();
        let mut files: Vec<&Option<String>> =
            registries.flat_map(|one| [&one.auth, &one.password_file, &one.ca]).collect();
        if let Some(mqtt) = &settings.mqtt {
            files.extend([&mqtt.ca, &mqtt.client_cert, &mqtt.client_key, &mqtt.password_file]);
        }
        files.push(&settings.engine.socket);
        self.read.extend(files.into_iter().flatten().map(PathBuf::from));
    }

    fn definition(&mut self, definition: &Definition) {
        let shape = &definition.shape;
        for volume in &shape.volumes.data {
            let folder = volume.source.as_ref().map(PathBuf::from);
            if volume.own { &mut self.write } else { &mut self.read }.extend(folder);
        }
        self.read.extend(shape.mounts.iter().map(|mount| PathBuf::from(&mount.host)));
        self.read.extend(shape.env_file.as_ref().map(PathBuf::from));
        self.devices |= !shape.devices.is_empty();
        self.kill |= matches!(definition.health.probe, ProbeRule::Exec(_));
    }
}

/// The drop-in for this board.
pub fn drop_in(needs: &Needs) -> String {
    drop_in_with(needs, &automount::points(Path::new("/")))
}

/// The same with these automount points.
fn drop_in_with(needs: &Needs, automounts: &BTreeSet<PathBuf>) -> String {
    let mut text = String::from(
        "# Made from /etc/titania-agent by titania-agent-generator. After a change there:\n\
         # systemctl daemon-reload && systemctl restart titania-agent\n",
    );
    let units: BTreeSet<String> = needs
        .write
        .iter()
        .chain(&needs.read)
        .filter(|path| can_be_written(path))
        .flat_map(|path| mount_units(path))
        .collect();
    // Ordered after what mounts them, requiring none of it: without its disk the agent runs, and says so.
    text.push_str("[Unit]\n");
    for unit in units {
        let _infallible = writeln!(text, "After={unit}");
    }
    text.push_str("[Service]\n");
    let opened: BTreeSet<&Path> =
        needs.write.iter().map(|path| automount::opened(path, automounts)).collect();
    for path in opened.into_iter().filter(|path| can_be_written(path)) {
        // One that is missing now is no error; what is mounted there later is writable by itself.
        let _infallible = writeln!(text, "ReadWritePaths=\"-{}\"", quoted(path));
    }
    for (is_needed, lines) in [
        (needs.homes, "ProtectHome=read-only\n"),
        (needs.tmps, "PrivateTmp=no\n"),
        (needs.devices, "PrivateDevices=no\n"),
        (needs.kill, "CapabilityBoundingSet=CAP_KILL\nAmbientCapabilities=CAP_KILL\n"),
    ] {
        if is_needed {
            text.push_str(lines);
        }
    }
    text
}

/// An absolute path without `..` and control characters: what a unit file can hold.
fn can_be_written(path: &Path) -> bool {
    let text = path.to_str().unwrap_or("\n");
    path.is_absolute()
        && !text.chars().any(char::is_control)
        && !path.components().any(|part| part == Component::ParentDir)
}

/// For double quotes in a unit file (systemd.syntax(7)), specifiers made harmless.
fn quoted(path: &Path) -> String {
    let mut text = String::new();
    for c in path.to_string_lossy().chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '%' => text.push_str("%%"),
            _ => text.push(c),
        }
    }
    text
}

/// Names of the units that would mount `path` or a folder above it, the root's own left out.
fn mount_units(path: &Path) -> Vec<String> {
    let above = path.ancestors().filter(|folder| folder.parent().is_some());
    above.map(|folder| escaped(folder) + ".mount").collect()
}

/// A path as part of a unit's name (systemd.unit(5), "String escaping for inclusion in unit names").
fn escaped(path: &Path) -> String {
    let mut name = String::new();
    for part in path.components() {
        let Component::Normal(part) = part else {
            continue;
        };
        if !name.is_empty() {
            name.push('-');
        }
        for byte in part.as_encoded_bytes() {
            let is_first = name.is_empty();
            match byte {
                b'.' if is_first => name.push_str("\\x2e"),
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'.' => {
                    name.push(char::from(*byte));
                }
                _ => {
                    let _infallible = write!(name, "\\x{byte:02x}");
                }
            }
        }
    }
    // In a unit file a percent sign would begin a specifier; here it is a hex code already.
    name
}

#[cfg(test)]
mod tests;
