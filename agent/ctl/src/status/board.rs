//! What is wrong with the board: the agent's files, the engine, the disks, the broker.

use crate::view::{Reason, Status};
use crate::words::{bytes, clean};

/// Lines, the gravest first: what stands before the text, and the text.
pub(super) fn troubles(status: &Status) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let board = &status.board;
    let engine = &board.engine;
    if engine.state != "ready" {
        let what = match &engine.error {
            Some(reason) => format!("{}: {}", engine.state, reason.message),
            None => engine.state.clone(),
        };
        lines.push(("engine: ".into(), clean(&what)));
        fix(&mut lines, engine.error.as_ref());
    }
    let is_engines = |reason: &&Reason| {
        engine.error.as_ref().is_some_and(|error| error.message == reason.message)
    };
    for reason in board.problems.iter().filter(|reason| !is_engines(reason)) {
        lines.push(("board: ".into(), clean(&reason.message)));
        fix(&mut lines, Some(reason));
    }
    let is_told = |code: &str| board.problems.iter().any(|reason| reason.code == code);
    for disk in board.disks.iter().filter(|disk| disk.low && !is_told("disk_low")) {
        let (free, reserve) = (bytes(disk.free_bytes), bytes(disk.reserve_bytes));
        let text = format!("{} has {free} free, {reserve} are to stay free", disk.path);
        lines.push(("disk: ".into(), clean(&text)));
    }
    for error in &status.agent.config_errors {
        let place = format!("{}:{}:{}: ", error.file, error.line, error.column);
        lines.push((clean(&place), clean(&error.message)));
        if !error.hint.is_empty() {
            lines.push(("  fix: ".into(), clean(&error.hint)));
        }
    }
    if let Some(reason) = &board.mqtt.error {
        let waiting = match (board.mqtt.queued, board.mqtt.dropped) {
            (0, 0) => String::new(),
            (queued, 0) => format!(" ({queued} events wait)"),
            (queued, dropped) => format!(" ({queued} events wait, {dropped} were given up)"),
        };
        lines.push(("mqtt: ".into(), clean(&(reason.message.clone() + &waiting))));
        fix(&mut lines, Some(reason));
    }
    if !status.clock_synced && !is_told("clock_unsynced") {
        lines.push(("clock: ".into(), "not set by the network yet: times may be wrong".into()));
    }
    lines
}

fn fix(lines: &mut Vec<(String, String)>, reason: Option<&Reason>) {
    if let Some(reason) = reason.filter(|reason| !reason.hint.is_empty()) {
        lines.push(("  fix: ".into(), clean(&reason.hint)));
    }
}
