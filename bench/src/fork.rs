//! What it gains to begin the copy of the state when the app's last process has ended, instead of when the engine has
//! answered: both in turn, in one run, against the same engine.

use crate::client::median;
use crate::down::{APP, PORT, silence};
use crate::options::Options;
use crate::relay::Relay;
use crate::stage::Stage;
use crate::table::{Table, Unit};
use harness::App;
use std::time::Duration;

/// Files of the app's state, and bytes of each: some MiB, as a wallet or a small database.
const FILES: usize = 128;
const FILE_BYTES: usize = 128 * 1024;

/// What was seen of one kind.
#[derive(Default)]
struct Seen {
    down: Vec<Duration>,
    fork: Vec<Duration>,
}

/// Updates with the early copy and with the late one in turn.
pub fn measure(options: &Options, table: &mut Table) {
    let stage = Stage::set();
    stage.push(APP, "1.0.0");
    let ports = format!("127.0.0.1:{PORT}:8080");
    let definition = stage.definition(APP).ports(&[&ports]);
    let app = definition.define();
    let relays = [false, true].map(|is_hidden| {
        let front = stage.board.folder().join(format!("relay-{is_hidden}.sock"));
        Relay::start(&front, &stage.board.engine().socket(), is_hidden)
    });
    lead(&stage, &relays[0]);
    stage.board.agent().start();
    stage.wait_rest(&app, "1.0.0");
    let mut version = 1;
    for (what, files) in [("a state of one small file", 0), ("a state of 16 MiB", FILES)] {
        println!("\nDown time with {what}, {} rounds", options.rounds);
        fill(&app, version, files);
        let [early, late] = rounds(&stage, &app, &relays, &mut version, options.rounds);
        tell(what, &early, &late, table);
    }
}

/// Points the agent's settings at a relay; it has to be started again.
fn lead(stage: &Stage, relay: &Relay) {
    let front = relay.front().to_string_lossy().into_owned();
    stage.board.agent().settings(|toml| toml.set_in("engine", "socket", front));
}

fn fill(app: &App, version: u64, files: usize) {
    let state = app.fork(version, "state");
    for number in 0..files {
        let bytes = vec![u8::try_from(number % 251).unwrap_or_default(); FILE_BYTES];
        std::fs::write(state.join(format!("{number}")), bytes).expect("the state is there");
    }
}

fn rounds(
    stage: &Stage,
    app: &App,
    relays: &[Relay; 2],
    version: &mut u64,
    count: usize,
) -> [Seen; 2] {
    let mut all = [Seen::default(), Seen::default()];
    for _ in 0..count {
        for (relay, seen) in relays.iter().zip(&mut all) {
            stage.board.agent().stop();
            lead(stage, relay);
            stage.board.agent().start();
            stage.wait_rest(app, &format!("{version}.0.0"));
            *version += 1;
            let fresh = format!("{version}.0.0");
            stage.push(APP, &fresh);
            seen.down.push(silence(PORT, || {
                app.update();
                stage.wait_rest(app, &fresh);
            }));
            seen.fork.push(fork_step(app));
        }
        let last = |seen: &Seen| (seen.down.last().copied(), seen.fork.last().copied());
        println!("  early {:?}, late {:?}", last(&all[0]), last(&all[1]));
    }
    all
}

/// How long the newest update's fork step took: next to nothing where the copy was made before it.
fn fork_step(app: &App) -> Duration {
    let history = app.history();
    let steps = history.first().and_then(|line| line["steps"].as_array().cloned());
    let fork = steps.into_iter().flatten().find(|step| step["step"] == "fork");
    Duration::from_millis(fork.and_then(|step| step["ms"].as_u64()).unwrap_or_default())
}

fn tell(what: &str, early: &Seen, late: &Seen, table: &mut Table) {
    for (how, seen) in [("early", early), ("late", late)] {
        let down = median(&seen.down).as_secs_f64();
        table.note(format!("{what}: down time, {how} copy"), Unit::Millis, down);
        let fork = median(&seen.fork).as_secs_f64();
        table.note(format!("{what}: fork step, {how} copy"), Unit::Millis, fork);
    }
    let ratio = median(&early.down).as_secs_f64() / median(&late.down).as_secs_f64();
    table.at_most(format!("{what}: early to late, median"), Unit::Times, ratio, 1.0);
}
