//! `agentctl history`: an update a line, the newest first, why it failed below.

use crate::client::{Client, ClientError};
use crate::show::{Look, columns, padded};
use crate::status::segment;
use crate::view::{History, Outcome, Release};
use crate::words::{clean, clean_json, moment, short, span};
use crate::{Exit, say};

/// Widest app, outcome and releases.
const CELLS_MOST: [usize; 3] = [24, 12, 34];
/// Widest name of one release.
const RELEASE_MOST: usize = 15;

/// Runs the command.
pub(crate) fn run(
    client: &Client,
    app: Option<&str>,
    limit: u32,
    json: bool,
) -> Result<Exit, ClientError> {
    let app = app.map_or_else(String::new, |app| format!("&app={}", segment(app)));
    let body = client.get(&format!("/v1/history?limit={limit}{app}"))?;
    if json {
        say(&clean_json(&body));
    } else {
        let history: History = client.parse(&body)?;
        say(&render(&history, Look::of_stdout()));
    }
    Ok(Exit::Well)
}

/// From what to what. Two releases of one name, as a moving tag without versions has, are told by their digests.
fn releases(from: Option<&Release>, to: Option<&Release>) -> String {
    let is_told_apart = match (from, to) {
        (Some(from), Some(to)) => from.config == to.config || from.name() != to.name(),
        _ => true,
    };
    let name = |release: Option<&Release>| match release {
        None => "-".into(),
        Some(release) if is_told_apart => short(&clean(&release.name()), RELEASE_MOST),
        Some(release) => clean(&release.digest().unwrap_or_else(|| release.name())),
    };
    format!("{} -> {}", name(from), name(to))
}

/// The whole output.
fn render(history: &History, look: Look) -> String {
    let cells = |outcome: &Outcome| {
        let releases = releases(outcome.from.as_ref(), outcome.to.as_ref());
        [clean(&outcome.app), clean(&outcome.outcome), releases]
    };
    let rows: Vec<_> = history.outcomes.iter().map(cells).collect();
    let widths = columns(&rows, CELLS_MOST);
    let mut out = String::new();
    for (outcome, row) in history.outcomes.iter().zip(&rows) {
        let mut line = vec![moment(outcome.ended_at)];
        line.extend(row.iter().zip(widths).map(|(cell, width)| padded(cell, width)));
        if let Some(ms) = outcome.down_ms {
            line.push(format!("down {}", span(ms)));
        }
        out += line.join("  ").trim_end();
        out.push('\n');
        let by = outcome.by.as_deref().map_or_else(String::new, |by| format!(" by {by}"));
        let mut why = format!("{}{by}", outcome.trigger);
        if let Some(reason) = &outcome.reason {
            why = format!("{why}, {}: {}", outcome.step, reason.message);
        }
        out += &look.paragraph("  ", &clean(&why));
        if let Some(reason) = outcome.reason.as_ref().filter(|reason| !reason.hint.is_empty()) {
            out += &look.paragraph("  fix: ", &clean(&reason.hint));
        }
    }
    if history.outcomes.is_empty() {
        out += "no updates yet\n";
    }
    out
}

#[cfg(test)]
mod tests;
