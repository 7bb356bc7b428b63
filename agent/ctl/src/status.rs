//! `agentctl status`: what is wrong first, then an app a line, the fix below the fault.

mod app;
mod board;
mod detail;

use crate::client::{Client, ClientError};
use crate::show::{Look, columns, padded};
use crate::view::{SCHEMA, Status};
use crate::words::{clean_json, short};
use crate::{Exit, complain, say};

/// Widest name, state, version and age: a longer name has a line of its own, the others are cut.
const CELLS_MOST: [usize; 4] = [24, 12, 16, 9];
/// A note that has less room goes below its line.
const NOTE_LEAST: usize = 24;

/// Runs the command.
pub(crate) fn run(client: &Client, app: Option<&str>, json: bool) -> Result<Exit, ClientError> {
    // The app first: an unknown one is an error, whatever else is the case.
    let part = app.map(|app| client.get(&format!("/v1/apps/{}", segment(app)))).transpose()?;
    let whole = client.get("/v1/status")?;
    let status: Status = client.parse(&whole)?;
    if json {
        say(&clean_json(part.as_deref().unwrap_or(&whole)));
    } else {
        if status.schema != SCHEMA {
            let told = status.schema;
            complain(&format!(
                "the document has schema {told}, this agentctl knows {SCHEMA}: some of it may be missing here"
            ));
        }
        say(&render(&status, app, Look::of_stdout()));
    }
    Ok(exit(&status, app))
}

/// A name as part of a path: what is no name stays none.
pub(crate) fn segment(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let text: String = name.chars().take(200).map(|c| if is_plain(c) { c } else { '!' }).collect();
    if text.is_empty() { "!".into() } else { text }
}

/// DESIGN §7: 3 when an app is degraded, blocked or unknown, or the engine is not ready.
pub(crate) fn exit(status: &Status, app: Option<&str>) -> Exit {
    let looked_at = status.apps.iter().filter(|part| app.is_none_or(|app| part.app == app));
    let is_bad = |state: &str| matches!(state, "degraded" | "blocked" | "unknown");
    let mut states = looked_at.map(|part| part.state.as_str());
    match states.any(is_bad) || status.board.engine.state != "ready" {
        true => Exit::Attention,
        false => Exit::Well,
    }
}

/// The whole output.
pub(crate) fn render(status: &Status, only: Option<&str>, look: Look) -> String {
    let mut out = String::new();
    for (before, text) in board::troubles(status) {
        out += &look.paragraph(&before, &text);
    }
    let mut apps: Vec<_> =
        status.apps.iter().filter(|part| only.is_none_or(|only| part.app == only)).collect();
    apps.sort_by_key(|part| (app::rank(part), part.app.clone()));
    let rows: Vec<_> = apps.iter().map(|part| app::cells(status, part)).collect();
    let widths = columns(&rows, CELLS_MOST);
    for (part, cells) in apps.iter().zip(&rows) {
        out += &line(cells, widths, &app::note(status, part), look);
        for (before, text) in app::below(status, part) {
            out += &look.paragraph(&before, &text);
        }
        if only.is_some() {
            for (before, text) in detail::lines(status, part) {
                out += &look.paragraph(&before, &text);
            }
        }
    }
    if status.apps.is_empty() {
        out += &look.paragraph(
            "",
            "no apps: put a definition into apps.d, then systemctl reload titania-agent",
        );
    }
    out
}

fn line(cells: &[String; 4], widths: [usize; 4], note: &str, look: Look) -> String {
    let [name, state, version, age] = cells;
    let [name_width, state_width, version_width, age_width] = widths;
    let (before, own_line) = match name.chars().count() > name_width {
        true => (padded("", name_width), format!("{name}\n")),
        false => (padded(name, name_width), String::new()),
    };
    let before = before + "  ";
    let head = [
        padded(&short(state, state_width), state_width),
        padded(&short(version, version_width), version_width),
        padded(age, age_width),
    ];
    let head = before.clone() + &head.join("  ") + "  ";
    let room = look.width.map(|width| width.saturating_sub(head.chars().count()));
    let text = match room {
        Some(room) if room < NOTE_LEAST && room < note.chars().count() => {
            head.trim_end().to_string() + "\n" + &look.paragraph("  ", note)
        }
        _ => look.paragraph(&head, note),
    };
    // Colour takes no room: it is put in when the widths are settled.
    let text = match text.strip_prefix(&before).and_then(|rest| rest.strip_prefix(state.as_str())) {
        Some(rest) => before + &look.state(state, state) + rest,
        None => text,
    };
    own_line + &text
}

#[cfg(test)]
pub(crate) mod tests;
