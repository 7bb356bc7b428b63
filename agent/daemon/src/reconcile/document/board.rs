//! The board's part of the status document.

use titania_core::names::BootId;
use titania_core::reason::{Class, Code, Reason};
use titania_core::status::{BoardStatus, Disk, EngineState, EngineStatus, MqttStatus};
use titania_core::time::{SET_CLOCK, Timestamp};

use super::as_before;

/// What is known of the board.
#[derive(Clone, Debug)]
pub struct BoardView<'a> {
    /// Board id.
    pub id: &'a str,
    /// This boot.
    pub boot_id: &'a BootId,
    /// Platform, and how it was found.
    pub platform: (&'a str, &'a str),
    /// The engine as last seen.
    pub engine: EngineStatus,
    /// The broker as last seen.
    pub mqtt: MqttStatus,
    /// Disks as last looked at.
    pub disks: Vec<Disk>,
    /// What else is wrong: volumes, state folder, another agent.
    pub problems: &'a [Reason],
    /// Can the wall clock be trusted?
    pub is_clock_synced: bool,
    /// Wall clock.
    pub at: Timestamp,
    /// The document before this one.
    pub before: Option<&'a BoardStatus>,
}

/// The board's part of the document. What is wrong with the engine, a disk or the clock is a problem, too.
pub fn board(view: BoardView<'_>) -> BoardStatus {
    let mut problems = view.problems.to_vec();
    if view.engine.state != EngineState::Ready {
        problems.extend(view.engine.error.clone());
    }
    problems.extend(view.disks.iter().filter(|disk| disk.low).map(|disk| low(disk, view.at)));
    if !view.is_clock_synced {
        problems.push(Reason::new(
            Code::ClockUnsynced,
            Class::Environment,
            "the clock was not set since the board started: times may be wrong, and windows stay shut",
            SET_CLOCK,
            view.at,
        ));
    }
    let before = view.before.map_or(&[][..], |before| &before.problems);
    let mut shown: Vec<Reason> = Vec::with_capacity(problems.len());
    for problem in problems {
        if !shown.iter().any(|other| other.same(&problem)) {
            shown.push(as_before(problem, before));
        }
    }
    BoardStatus {
        id: view.id.to_owned(),
        boot_id: view.boot_id.clone(),
        platform: view.platform.0.to_owned(),
        platform_reason: view.platform.1.to_owned(),
        engine: view.engine,
        mqtt: view.mqtt,
        disks: view.disks,
        problems: shown,
    }
}

/// A disk below its reserve. In tenths: what is free to the byte moves by itself.
fn low(disk: &Disk, at: Timestamp) -> Reason {
    let tenths = disk.free_bytes.saturating_mul(10) / disk.reserve_bytes.max(1);
    let mebibytes = disk.reserve_bytes / (1024 * 1024);
    Reason::new(
        Code::DiskLow,
        Class::Environment,
        format!(
            "the disk of {} ({}) has less than {}0 % of the {mebibytes} MiB that shall stay free",
            disk.path,
            disk.role,
            tenths + 1
        ),
        "remove what is not needed there; updates wait until then, apps run on",
        at,
    )
}
