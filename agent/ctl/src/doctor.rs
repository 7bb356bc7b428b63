//! `agentctl doctor`: what keeps the agent from its work, whether it runs or not, and what to do about it.
//!
//! Promise: nothing is changed, nothing is waited for longer than the clients wait; what can't be looked at without
//! root is told as such, never as well. 0: all well or warnings alone; 1: something fails.
//! Distrusts: every file and every answer, all bounded.

mod agent;
mod disks;
mod engine;
mod kernel;
mod system;
mod users;

use std::path::Path;

use serde::Serialize;

use crate::check::{self, Files};
use crate::client::Client;
use crate::show::Look;
use crate::words::{clean, clean_json};
use crate::{Exit, say};
use system::System;

/// Format of the document.
const SCHEMA: u32 = 1;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Fail,
    Warn,
    Ok,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// Stable word.
    pub(crate) check: String,
    pub(crate) state: Verdict,
    pub(crate) message: String,
    /// What to do; empty where there is nothing to do.
    pub(crate) hint: String,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    state: Verdict,
    checks: &'a [Check],
}

pub(crate) fn ok(check: &str, message: impl Into<String>) -> Check {
    Check { check: check.into(), state: Verdict::Ok, message: message.into(), hint: String::new() }
}

pub(crate) fn warn(check: &str, message: impl Into<String>, hint: impl Into<String>) -> Check {
    Check { check: check.into(), state: Verdict::Warn, message: message.into(), hint: hint.into() }
}

pub(crate) fn fail(check: &str, message: impl Into<String>, hint: impl Into<String>) -> Check {
    Check { check: check.into(), state: Verdict::Fail, message: message.into(), hint: hint.into() }
}

/// Runs the command.
pub(crate) fn run(client: &Client, config: Option<&Path>, json: bool) -> Exit {
    let checks = all(client, &check::files(config), &System::here());
    if json {
        let state = worst(&checks);
        let document = Document { schema: SCHEMA, state, checks: &checks };
        let bytes = serde_json::to_vec_pretty(&document).unwrap_or_default();
        say(&clean_json(&bytes));
    } else {
        say(&render(&checks, Look::of_stdout()));
    }
    exit(&checks)
}

fn worst(checks: &[Check]) -> Verdict {
    checks.iter().map(|check| check.state).min().unwrap_or(Verdict::Ok)
}

fn exit(checks: &[Check]) -> Exit {
    if worst(checks) == Verdict::Fail { Exit::Failed } else { Exit::Well }
}

fn all(client: &Client, files: &Files, system: &System) -> Vec<Check> {
    let settings = files.settings.clone().unwrap_or_default();
    let mut checks = vec![config(files)];
    checks.extend(agent::checks(client));
    checks.extend(engine::checks(&settings, system));
    checks.extend(kernel::checks(system));
    checks.extend(disks::checks(&settings, system));
    checks.extend(users::checks(system));
    checks
}

fn config(files: &Files) -> Check {
    let Some(first) = files.faults.first() else {
        return ok("config", check::right(files.good));
    };
    let place = format!("{}:{}:{}", first.file, first.line, first.column);
    let more = match files.faults.len() {
        1 => String::new(),
        count => format!(" ({} more: agentctl check)", count - 1),
    };
    let message = format!("{place}: {}{more}", first.message);
    if first.hint == "use sudo" {
        return warn("config", message, "use sudo");
    }
    fail("config", message, first.hint.clone())
}

/// The gravest first.
fn render(checks: &[Check], look: Look) -> String {
    let mut sorted: Vec<&Check> = checks.iter().collect();
    sorted.sort_by_key(|check| check.state);
    let width = checks.iter().map(|check| check.check.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for check in sorted {
        let word = match check.state {
            Verdict::Fail => "fail",
            Verdict::Warn => "warn",
            Verdict::Ok => "ok",
        };
        let before = format!("{word:4}  {:width$}  ", clean(&check.check));
        let line = look.paragraph(&before, &clean(&check.message));
        // Colour takes no room: it is put in when the lines are broken.
        out += &line.replacen(word, &look.state(word, word), 1);
        if !check.hint.is_empty() {
            out += &look.paragraph("  fix: ", &clean(&check.hint));
        }
    }
    out
}

#[cfg(test)]
mod tests;
