//! State folder and volume root: there, durable, writable, with room, and of one board.

use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statfs, statvfs};
use titania_config::Settings;
use titania_core::names::InstanceId;

use super::system::System;
use super::{Check, fail, ok, warn};
use crate::words::bytes;

/// File systems whose files are gone after a power cut, or go with the upper layer: magic numbers of statfs(2).
const VOLATILE: [(u32, &str); 5] = [
    (0x0102_1994, "tmpfs"),
    (0x8584_58f6, "ramfs"),
    (0x794c_7630, "overlay"),
    (0x6175_6673, "aufs"),
    (0x7371_7368, "squashfs"),
];

pub(super) fn checks(settings: &Settings, system: &System) -> Vec<Check> {
    let (state, volumes) = (&settings.paths.state, &settings.paths.volumes);
    let mut checks = vec![durable(settings, system)];
    for (name, path) in [("state_disk", state), ("volumes_disk", volumes)] {
        checks.extend(room(name, path, settings.disk.reserve, system));
    }
    checks.push(ids(state, volumes, system));
    checks.extend(generated(system));
    checks
}

fn durable(settings: &Settings, system: &System) -> Check {
    let path = &settings.paths.state;
    let name = "state_folder";
    match statfs(nearest(&system.path(path))) {
        Err(error) => fail(name, format!("{path} can't be looked at: {error}"), "look at its disk"),
        Ok(seen) => {
            // The field's type differs between platforms; the numbers have 32 bits.
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::unnecessary_cast
            )]
            let magic = seen.f_type as u32;
            match VOLATILE.iter().find(|(number, _)| *number == magic) {
                Some((_, kind)) if !settings.paths.allow_volatile => fail(
                    name,
                    format!("{path} lies on {kind}: what is written there is lost at a power cut"),
                    "put it on a real disk (on a Raspberry Pi: raspi-config, Overlay File System, off), or \
                     set allow_volatile = true in [paths]",
                ),
                Some((_, kind)) => {
                    ok(name, format!("{path} lies on {kind}, as the settings allow"))
                }
                None => ok(name, format!("{path} outlives a power cut")),
            }
        }
    }
}

fn room(name: &str, path: &str, reserve: u64, system: &System) -> Option<Check> {
    let disk = statvfs(nearest(&system.path(path))).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
        let hint = "look why (dmesg, fsck), then mount it for writing";
        return Some(fail(name, format!("the disk of {path} is mounted read-only"), hint));
    }
    let message = format!("the disk of {path} has {} free", bytes(free));
    if free == 0 {
        return Some(fail(name, message, "make room: nothing can be recorded"));
    }
    if free < reserve {
        let message = format!("{message}, {} are to stay free: updates wait", bytes(reserve));
        return Some(warn(name, message, "remove what is not needed there"));
    }
    Some(ok(name, message))
}

/// The folder itself, else the nearest one above it that is there.
fn nearest(path: &Path) -> &Path {
    path.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/"))
}

/// Whose board it is: the id of the state folder against that of the volume root.
fn ids(state: &str, volumes: &str, system: &System) -> Check {
    let name = "volumes";
    let read = |path: String| match system.text(path) {
        Ok(text) => Ok(Some(InstanceId::read(&text))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    };
    let known = match read(format!("{state}/instance")) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return warn(name, format!("{state} may not be opened by this user"), "use sudo");
        }
        known => known.ok().flatten().flatten(),
    };
    match (known, read(format!("{volumes}/.titania-volumes"))) {
        (_, Err(error)) => {
            fail(name, format!("{volumes} can't be read: {error}"), "look at its disk (dmesg)")
        }
        (_, Ok(Some(None))) => {
            let message = format!("{volumes}/.titania-volumes holds no id");
            fail(name, message, "bring it back from a copy, or: agentctl adopt")
        }
        (Some(state), Ok(Some(Some(found)))) if state == found => {
            ok(name, format!("{volumes} holds the volumes of this board"))
        }
        (Some(_), Ok(Some(Some(_)))) => fail(
            name,
            format!("{volumes} holds the volumes of another board"),
            "mount this board's own disk; if these shall be its own from now on: agentctl adopt",
        ),
        (Some(_), Ok(None)) => fail(
            name,
            format!("{volumes} holds no volumes of this board"),
            format!("mount the disk of {volumes}; if it shall begin anew: agentctl adopt"),
        ),
        (None, Ok(Some(_))) => {
            ok(name, format!("{volumes} holds volumes, which the agent will take over"))
        }
        (None, Ok(None)) if !system.path(volumes).is_dir() => warn(
            name,
            format!("there is no {volumes} yet"),
            format!(
                "mount its disk, or make it: mkdir -p {volumes}; then systemctl restart titania-agent"
            ),
        ),
        (None, Ok(None)) => ok(name, format!("{volumes} is empty: a new board")),
    }
}

/// Whether the unit knows the paths of the settings: what the generator writes at boot and `daemon-reload`.
fn generated(system: &System) -> Option<Check> {
    let has_unit = ["/usr/lib", "/lib", "/etc"].iter().any(|folder| {
        system.path(format!("{folder}/systemd/system/titania-agent.service")).exists()
    });
    if !has_unit || !system.path("/run/systemd/system").is_dir() {
        return None;
    }
    let folder = "/run/systemd/generator/titania-agent.service.d";
    Some(match system.path(format!("{folder}/50-paths.conf")).exists() {
        true => ok("unit", "the unit knows the paths of the settings"),
        false => warn(
            "unit",
            "the unit knows no paths but its own: its generator did not run",
            "systemctl daemon-reload && systemctl restart titania-agent",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::super::tests::Root;
    use super::*;

    const ID: &str = "01234567-89ab-4cde-8f01-23456789abcd\n";
    const OTHER: &str = "fedcba98-7654-4321-8fed-cba987654321\n";

    #[test]
    fn ids_agree_or_say_what_to_do() {
        for (state, root, want, word) in [
            (Some(ID), Some(ID), Verdict::Ok, "of this board"),
            (Some(ID), Some(OTHER), Verdict::Fail, "another board"),
            (Some(ID), None, Verdict::Fail, "no volumes of this board"),
            (Some(ID), Some("damaged"), Verdict::Fail, "holds no id"),
            (None, Some(ID), Verdict::Ok, "take over"),
            (None, None, Verdict::Ok, "a new board"),
        ] {
            let board = Root::with(&[("state/here", ""), ("volumes/here", "")]);
            if let Some(id) = state {
                board.write("state/instance", id);
            }
            if let Some(id) = root {
                board.write("volumes/.titania-volumes", id);
            }
            let check = ids("/state", "/volumes", &board.system("x"));
            assert_eq!(check.state, want, "{check:?}");
            assert!(check.message.contains(word), "{word}: {check:?}");
        }
        let check = ids("/state", "/volumes", &Root::with(&[]).system("x"));
        assert_eq!(check.state, Verdict::Warn);
        assert!(check.hint.contains("mkdir -p /volumes"), "{check:?}");
    }

    #[test]
    fn a_disk_with_less_than_the_reserve_is_a_warning() {
        let board = Root::with(&[("state/here", "")]);
        let system = board.system("x");
        assert_eq!(room("d", "/state", 0, &system).unwrap().state, Verdict::Ok);
        assert_eq!(room("d", "/state", u64::MAX, &system).unwrap().state, Verdict::Warn);
    }

    #[test]
    fn a_unit_whose_generator_did_not_run_is_told() {
        let board = Root::with(&[]);
        assert_eq!(generated(&board.system("x")), None, "no systemd");
        board.write("run/systemd/system/here", "");
        board.write("lib/systemd/system/titania-agent.service", "");
        assert_eq!(generated(&board.system("x")).unwrap().state, Verdict::Warn);
        board.write("run/systemd/generator/titania-agent.service.d/50-paths.conf", "");
        assert_eq!(generated(&board.system("x")).unwrap().state, Verdict::Ok);
    }
}
