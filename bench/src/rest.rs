//! What the agent takes while nothing happens, and over one update.

use crate::account::Account;
use crate::client::{median, pause};
use crate::options::Options;
use crate::stage::Stage;
use crate::table::{Table, Unit};
use harness::App;
use std::time::{Duration, Instant};

/// Apps that the budgets speak of.
pub const APPS: usize = 5;
/// After the last act, before memory is looked at.
const AFTER_ACT: Duration = Duration::from_secs(60);
/// `agentctl status` is asked for so often.
const GLANCES: usize = 50;
/// Bytes in a MiB.
const MIB: f64 = 1_048_576.0;
/// Mappings of anonymous memory that are named.
const PLACES_SHOWN: usize = 6;

/// All that is measured on one board.
pub fn measure(options: &Options, table: &mut Table) {
    let stage = Stage::set();
    for number in 1..=options.apps {
        stage.push(&name(number), "1.0.0");
    }
    let mut apps = vec![define(&stage, 1)];
    stage.board.agent().start();
    let account = Account::of(stage.board.agent().pid().expect("the agent runs"));
    stage.wait_rest(&apps[0], "1.0.0");
    if options.long {
        println!("\nOne app at rest, {} s", options.rest().as_secs());
        traffic(&stage, options.rest(), 1, 400.0, table);
    }
    grow(&stage, &mut apps, APPS);
    update(&stage, &apps[0], account, table);
    println!("\n{APPS} apps, {} s after the last act", AFTER_ACT.as_secs());
    pause(AFTER_ACT);
    let resident = account.resident();
    table.at_most("memory: resident", Unit::MiB, resident, 5.0 * MIB);
    table.at_most("memory: anonymous", Unit::MiB, account.anonymous(), MIB);
    for (place, bytes) in account.places().into_iter().take(PLACES_SHOWN) {
        table.note(format!("  of it {place}"), Unit::KiB, bytes);
    }
    println!("\n{APPS} apps at rest, {} s", options.rest().as_secs());
    idle(&stage, account, options.rest(), table);
    glance(&stage, &apps, table);
    println!("\nFrom {APPS} to {} apps", options.apps);
    let few = account.resident();
    grow(&stage, &mut apps, options.apps);
    pause(AFTER_ACT / if options.long { 1 } else { 2 });
    let added = (options.apps - APPS) as f64;
    table.at_most(
        format!("growth: resident memory by app ({APPS} to {})", options.apps),
        Unit::KiB,
        (account.resident() - few) / added,
        20.0 * 1024.0,
    );
}

fn name(number: usize) -> String {
    format!("app-{number}")
}

/// An app as boards have them: probed every 5 s, as is usual.
fn define(stage: &Stage, number: usize) -> App<'_> {
    let definition = stage.definition(&name(number));
    definition.health("interval", "5s").health("settle", "6s").health("deadline", "60s").define()
}

fn grow<'s>(stage: &'s Stage, apps: &mut Vec<App<'s>>, count: usize) {
    let new: Vec<App> = (apps.len() + 1..=count).map(|number| define(stage, number)).collect();
    stage.board.agent().reload();
    for app in &new {
        stage.wait_rest(app, "1.0.0");
    }
    apps.extend(new);
}

fn update(stage: &Stage, app: &App, account: Account, table: &mut Table) {
    println!("\nOne update");
    table.note("memory: peak since the start", Unit::MiB, account.peak());
    stage.push(app.name(), "2.0.0");
    account.forget_peak();
    app.update();
    stage.wait_rest(app, "2.0.0");
    table.at_most("memory: peak over an update", Unit::MiB, account.peak(), 6.0 * MIB);
}

/// CPU, disk and network over a span in which nothing moves.
fn idle(stage: &Stage, account: Account, span: Duration, table: &mut Table) {
    let listener = stage.listen();
    let heard = listener.messages().len();
    let (cpu, written, waits) = (account.cpu(), account.written(), account.waits());
    let begun = Instant::now();
    traffic(stage, span, APPS, 200.0, table);
    let passed = begun.elapsed().as_secs_f64();
    let spent = (account.cpu() - cpu).as_secs_f64();
    table.at_most("rest: CPU in an hour", Unit::Seconds, spent / passed * 3600.0, 0.15);
    table.note(
        "rest: wake-ups in a minute",
        Unit::Count,
        (account.waits() - waits) / passed * 60.0,
    );
    table.at_most("rest: bytes written to disk", Unit::Bytes, account.written() - written, 0.0);
    // Metrics are no news: they come every 5 min.
    let messages = listener.messages();
    let news = messages[heard..].iter().filter(|message| !message.topic.ends_with("/metrics"));
    table.at_most("rest: MQTT messages", Unit::Count, news.count() as f64, 0.0);
}

/// What went through the registry's door for each HEAD.
fn traffic(stage: &Stage, span: Duration, apps: usize, budget: f64, table: &mut Table) {
    let (heads, bytes, connections) = (stage.heads(), stage.door.bytes(), stage.door.connections());
    pause(span);
    let asked = (stage.heads() - heads) as f64;
    let bytes = (stage.door.bytes() - bytes) as f64;
    let of = format!("with {apps} app{}", if apps == 1 { "" } else { "s" });
    table.note(format!("registry: polls, {of}"), Unit::Count, asked);
    table.at_most(
        format!("registry: bytes a poll and app, {of}"),
        Unit::Bytes,
        bytes / asked.max(1.0),
        budget,
    );
    let opened = (stage.door.connections() - connections) as f64;
    table.note(format!("registry: new connections, {of}"), Unit::Count, opened);
}

/// `agentctl status` with the engine stopped.
fn glance(stage: &Stage, apps: &[App], table: &mut Table) {
    println!("\n`agentctl status`, the engine stopped");
    let (agent, engine) = (stage.board.agent(), stage.board.engine());
    engine.freeze();
    let spans: Vec<Duration> = (0..GLANCES)
        .map(|_| {
            let begun = Instant::now();
            let said = agent.ctl(&["status"]);
            let passed = begun.elapsed();
            assert!(said.out.contains(apps[0].name()), "{said:?}");
            passed
        })
        .collect();
    engine.thaw();
    let median = median(&spans).as_secs_f64();
    table.at_most("agentctl status, whole process", Unit::Millis, median, 0.020);
    for app in apps {
        app.wait_ok();
    }
}
