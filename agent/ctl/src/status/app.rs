//! One app: its line, and what stands below it.

use titania_core::time::Timestamp;

use crate::view::{App, Next, Reason, Status, Update, short_digest};
use crate::words::{age, ahead, bytes, clean, moment};

/// Problems first, then what moves, then what rests.
pub(super) fn rank(app: &App) -> u8 {
    match app.state.as_str() {
        "blocked" => 0,
        "degraded" => 1,
        "unknown" => 2,
        "waiting" => 3,
        "updating" => 4,
        "held" => 5,
        "stopped" => 6,
        "orphaned" => 7,
        "ok" if app.reason.is_some() || app.definition.error.is_some() => 8,
        "ok" => 9,
        _ => 2, // a word that is not known here yet: rather too high than overlooked
    }
}

/// Name, state, version and age.
pub(super) fn cells(status: &Status, app: &App) -> [String; 4] {
    let version = app.current.as_ref().map_or_else(|| "-".into(), |release| release.name());
    let since = age(status.at, app.since).unwrap_or_else(|| "-".into());
    [clean(&app.app), clean(&app.state), clean(&version), since]
}

/// The rest of its line: what goes on, what is wrong, else what comes next.
pub(super) fn note(status: &Status, app: &App) -> String {
    let text = if let Some(update) = &app.update {
        moving(update)
    } else if let Some(reason) = &app.reason {
        reason.message.clone()
    } else if let Some(hold) = &app.hold {
        let until =
            hold.until.map_or_else(String::new, |until| format!(" until {}", moment(until)));
        format!("held by {}{until}: {}", hold.by, hold.reason)
    } else {
        coming(status.at, app)
    };
    clean(&text)
}

fn moving(update: &Update) -> String {
    let mut text = format!("to {}: {}", update.to.name(), update.step.replace('_', " "));
    if let Some(progress) = &update.progress {
        let total = progress.total_bytes.max(1);
        let percent = u128::from(progress.done_bytes.min(total)) * 100 / u128::from(total);
        text += &format!(" {percent} % of {}", bytes(progress.total_bytes));
    }
    if update.attempt > 1 {
        text += &format!(", try {}", update.attempt);
    }
    text
}

/// What the agent does next by itself.
fn coming(now: Timestamp, app: &App) -> String {
    let mut parts = Vec::new();
    if let Some(candidate) = &app.candidate {
        parts.push(format!("{} is there", candidate.name()));
    }
    if let Some(next) = next(now, &app.next) {
        parts.push(next);
    }
    parts.join("; ")
}

/// `next: retry in 4 min (waits for the disk)`; nothing when nothing comes.
fn next(now: Timestamp, next: &Next) -> Option<String> {
    let waits = next.waiting_for.as_deref().map(|what| format!("waits for {}", waited_for(what)));
    if next.act.is_empty() || next.act == "none" {
        return waits;
    }
    let at = next.at.map_or_else(String::new, |at| format!(" {}", ahead(now, at)));
    let waits = waits.map_or_else(String::new, |waits| format!(" ({waits})"));
    Some(format!("next: {}{at}{waits}", next.act))
}

fn waited_for(word: &str) -> String {
    match word {
        "window" => "its update window".into(),
        "hold" => "the hold to end".into(),
        "lock" => "the app's own lock".into(),
        "dependency" => "another app".into(),
        "backoff" => "the time to try again".into(),
        "operator" => "you".into(),
        other => format!("the {}", other.replace('_', " ")),
    }
}

/// What stands below its line.
pub(super) fn below(status: &Status, app: &App) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut told: Vec<&str> = Vec::new();
    if let Some(reason) = &app.reason {
        told.push(&reason.message);
        if app.update.is_some() {
            put(&mut lines, "  ", &reason.message);
        }
        fix(&mut lines, reason);
        if app.update.is_none()
            && let Some(next) = next(status.at, &app.next).filter(|_| app.next.act != "poll")
        {
            put(&mut lines, "  ", &next);
        }
    }
    if let Some(reason) = &app.definition.error {
        put(&mut lines, "  definition: ", &reason.message);
        fix(&mut lines, reason);
    }
    for entry in &app.quarantine {
        let name = entry.tag.clone().unwrap_or_else(|| short_digest(&entry.config));
        let since = age(status.at, entry.at).map_or_else(String::new, |age| format!(", {age} ago"));
        let reason = &entry.reason;
        put(&mut lines, "  quarantine: ", &format!("{name}: {}{since}", reason.message));
        if !told.contains(&reason.message.as_str()) {
            told.push(&reason.message);
            fix(&mut lines, reason);
        }
    }
    if let Some(last) = app.last.as_ref().filter(|last| last.outcome != "committed") {
        let to = last.to.as_ref().map_or_else(String::new, |to| format!(" {}", to.name()));
        let since =
            age(status.at, last.ended_at).map_or_else(String::new, |age| format!(" {age} ago"));
        let word = last.outcome.replace('_', " ");
        let why = last.reason.as_ref().filter(|reason| !told.contains(&reason.message.as_str()));
        let text = why.map_or_else(String::new, |reason| format!(": {}", reason.message));
        put(&mut lines, "  last: ", &format!("{word}{to}{since}{text}"));
        if let Some(reason) = why {
            fix(&mut lines, reason);
        }
    }
    for warning in &app.warnings {
        put(&mut lines, "  warning: ", &warning.message);
        fix(&mut lines, warning);
    }
    lines
}

fn put(lines: &mut Vec<(String, String)>, before: &str, text: &str) {
    lines.push((before.into(), clean(text)));
}

fn fix(lines: &mut Vec<(String, String)>, reason: &Reason) {
    if !reason.hint.is_empty() {
        put(lines, "  fix: ", &reason.hint);
    }
}
