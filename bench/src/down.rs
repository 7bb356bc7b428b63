//! For how long an app is away in an update, against a bare stop and start through the engine's API.

use crate::client::{Client, median, part, pause};
use crate::options::Options;
use crate::stage::Stage;
use crate::table::{Table, Unit};
use harness::{App, wait_until};
use serde_json::Value;
use std::time::{Duration, Instant};

/// The app's published port.
pub const PORT: u16 = 18_080;
/// The other container's.
const BARE_PORT: u16 = 18_081;
/// The app.
pub const APP: &str = "wallet";
/// The other container.
const BARE: &str = "bare";
/// Answers before and after an act, so that its silence has two ends.
const AROUND: Duration = Duration::from_millis(1500);
/// Updates as the machine is, at least: what a client meets there is one of two numbers, by chance.
const ROUNDS_MIN: usize = 30;
/// Longest that an app may be away as the machine is, once: a second is what a trapped one takes at least.
const LONGEST: Duration = Duration::from_millis(950);
/// Milliseconds between two ARP questions, where the trap is taken away.
const RETRY_MS: &str = "50";

/// Rounds with and without the ARP trap of the bridges (see bench/README.md).
pub fn measure(options: &Options, table: &mut Table) {
    let stage = Stage::set();
    stage.push(APP, "1.0.0");
    let ports = format!("127.0.0.1:{PORT}:8080");
    let definition = stage.definition(APP).ports(&[&ports]);
    let app = definition.define();
    stage.board.agent().start();
    stage.wait_rest(&app, "1.0.0");
    make_bare(&stage, &app);
    let mut version = 1;
    let count = options.rounds.max(ROUNDS_MIN);
    println!("\nDown time as the machine is, {count} rounds");
    let (own, bare) = rounds(&stage, &app, &mut version, count);
    tell("as the machine is", &own, &bare, (0.40, None), table);
    tell_longest(&own, &bare, table);
    println!("\nDown time with ARP retried every {RETRY_MS} ms, {} rounds", options.rounds);
    quicken_arp();
    let (own, bare) = rounds(&stage, &app, &mut version, options.rounds);
    tell("ARP at 50 ms", &own, &bare, (1.05, Some(1.15)), table);
}

fn tell(
    how: &str,
    own: &[Duration],
    bare: &[Duration],
    budget: (f64, Option<f64>),
    table: &mut Table,
) {
    let figure = |spans, percent| part(spans, percent).as_secs_f64();
    table.note(format!("down time {how}: update, median"), Unit::Millis, median(own).as_secs_f64());
    table.note(format!("down time {how}: bare, median"), Unit::Millis, median(bare).as_secs_f64());
    let ratio = figure(own, 50) / figure(bare, 50);
    table.at_most(format!("down time {how}: median to bare"), Unit::Times, ratio, budget.0);
    if let Some(tail) = budget.1 {
        let ratio = figure(own, 90) / figure(bare, 90);
        table.at_most(format!("down time {how}: p90 to bare"), Unit::Times, ratio, tail);
    }
}

fn tell_longest(own: &[Duration], bare: &[Duration], table: &mut Table) {
    let longest =
        |spans: &[Duration]| spans.iter().max().copied().unwrap_or_default().as_secs_f64();
    let above = |spans: &[Duration]| spans.iter().filter(|span| **span > LONGEST).count();
    let what = "down time as the machine is:";
    let least = LONGEST.as_secs_f64();
    table.at_most(format!("{what} longest"), Unit::Seconds, longest(own), least);
    table.note(format!("{what} longest bare"), Unit::Seconds, longest(bare));
    println!("Over {least} s: {} of {} updates", above(own), own.len());
    println!("            {} of {} bare stops and starts", above(bare), bare.len());
}

/// A container like the app's own, which nobody but this program touches.
fn make_bare(stage: &Stage, app: &App) {
    let inspect = app.container().inspect;
    let mut config = inspect["Config"].clone();
    // An image of its own: the agent prunes the app's.
    stage.push(BARE, "1.0.0");
    let image = stage.reference(BARE);
    stage.board.engine().pull(&image);
    config["Image"] = image.into();
    config["Labels"] = Value::Null;
    config["Hostname"] = BARE.into();
    config["HostConfig"] = inspect["HostConfig"].clone();
    // A bridge of its own, as the app has: with the last container of a bridge its neighbours are forgotten, and the
    // kernel asks anew; beside another one they stay, and no stop and start is ever held up.
    let network = serde_json::json!({"Name": BARE, "Driver": "bridge"});
    stage.board.engine().api("POST", "/networks/create", &network).well("create a network");
    config["HostConfig"]["NetworkMode"] = BARE.into();
    config["HostConfig"]["RestartPolicy"] = Value::Null;
    // Its volumes are its own layer: two containers write no common file.
    config["HostConfig"]["Mounts"] = Value::Null;
    config["User"] = "0:0".into();
    config["HostConfig"]["PortBindings"] = serde_json::json!({"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": BARE_PORT.to_string()}]});
    let engine = stage.board.engine();
    engine.create(BARE, &config);
    engine.start_container(BARE);
}

/// Update and bare stop and start in turn.
fn rounds(
    stage: &Stage,
    app: &App,
    version: &mut u32,
    count: usize,
) -> (Vec<Duration>, Vec<Duration>) {
    let engine = stage.board.engine();
    let (mut own, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..count {
        *version += 1;
        let fresh = format!("{version}.0.0");
        stage.push(APP, &fresh);
        own.push(silence(PORT, || {
            app.update();
            stage.wait_rest(app, &fresh);
        }));
        bare.push(silence(BARE_PORT, || {
            engine.stop_container(BARE);
            engine.start_container(BARE);
        }));
        let last = |spans: &[Duration]| spans.last().copied().unwrap_or_default();
        println!("  update {:?}, bare {:?}", last(&own), last(&bare));
    }
    (own, bare)
}

/// The longest time for which nobody answered at `port` while `act` went on.
pub fn silence(port: u16, act: impl FnOnce()) -> Duration {
    let client = Client::start(port);
    wait_until(Duration::from_secs(10), "an answer", || client.has_answer());
    let since = Instant::now();
    pause(AROUND);
    act();
    pause(AROUND);
    let now = Instant::now();
    wait_until(Duration::from_secs(10), "an answer after it", || client.has_answer_since(now));
    client.longest_silence(since)
}

/// In this board's network alone.
fn quicken_arp() {
    let place = "/proc/sys/net/ipv4/neigh";
    let entries = std::fs::read_dir(place).expect("the kernel has neighbours").flatten();
    for entry in entries {
        let _ = std::fs::write(entry.path().join("retrans_time_ms"), RETRY_MS);
    }
}
