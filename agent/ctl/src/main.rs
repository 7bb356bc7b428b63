//! agentctl: how an operator looks in and says what to do.
//!
//! Promise: what was asked for goes to stdout, everything else to stderr; the exit code tells scripts how it went:
//! 0 well, 1 failed, 2 usage, 3 (of `status`) an app or the engine needs attention, 4 the agent is not reachable.
//! Trusts: nothing that comes over the socket further than to show it; control characters never reach a terminal.

mod arguments;
mod check;
mod client;
mod doctor;
mod history;
mod purge;
mod show;
mod snapshots;
mod status;
mod verbs;
mod view;
mod words;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use client::Client;

/// Environment variable that names the control socket.
const SOCKET: &str = "TITANIA_SOCKET";

/// How a run ends; DESIGN §7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Exit {
    Well = 0,
    Failed = 1,
    Usage = 2,
    Attention = 3,
    Unreachable = 4,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse(); // ends with 2 where they are wrong
    let config = arguments.config.as_deref();
    let named = arguments.socket.or_else(|| std::env::var_os(SOCKET).map(PathBuf::from));
    let client = Client::new(named.unwrap_or_else(|| check::socket(config)));
    let ended = match arguments.command {
        Command::Status { app, json } => status::run(&client, app.as_deref(), json),
        Command::History { app, limit, json } => history::run(&client, app.as_deref(), limit, json),
        Command::Doctor { json } => Ok(doctor::run(&client, config, json)),
        Command::Check => Ok(check::run(config)),
        Command::Snapshots { app, json } => snapshots::run(&client, app.as_deref(), json),
        Command::Purge { app, yes, wait } => purge::run(&client, app, yes, wait),
        verb => verbs::run(&client, verb),
    };
    let exit = ended.unwrap_or_else(|error| {
        complain(&error.to_string());
        error.exit()
    });
    ExitCode::from(exit as u8)
}

/// Writes what was asked for. A reader that has gone (`| head`) is no failure.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes what went wrong.
fn complain(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "{text}");
}
