//! What must be true after a fault was healed.

use super::fault::{Fault, Thing};
use super::inject::Wound;
use super::kept;
use super::scene::{Pushed, Scene};
use crate::container::Container;
use crate::vm::{Act, Look, at_rest, never_two, right_one_first};
use crate::wait_between;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long the app may stay away, and an update may take to end, once board and engine are ready.
pub const BACK_MAX: Duration = Duration::from_secs(120);
/// Time for what is no longer needed to be tidied away.
const TIDY_TIME: Duration = Duration::from_secs(30);
/// Between two looks at an app that is to come back.
const LOOK_PAUSE: Duration = Duration::from_millis(30);
/// Between two looks at everything.
const BOARD_PAUSE: Duration = Duration::from_millis(100);
/// Between two requests for the update: it may wait for a back-off by then.
const ASK_PAUSE: Duration = Duration::from_secs(2);
/// Tries of one release, at most.
const TRIES_MAX: usize = 4;

/// Waits until the app answers its probe well, by itself, as the old release or the new one.
#[track_caller]
pub fn wait_back(scene: &Scene, pushed: &Pushed) {
    wait_between(BACK_MAX, LOOK_PAUSE, "P1: the app to answer its probe", || {
        let health = scene.health().map(|answer| answer.status);
        let version = scene.app.version();
        let is_known = version.as_deref().is_some_and(|said| {
            said == scene.version() || (said == pushed.version && !pushed.kind.is_bad())
        });
        match (health, is_known) {
            (Some(200), true) => Ok(()),
            other => Err(format!("{other:?}, version {version:?}; {:#}", scene.app.status())),
        }
    });
}

/// Waits until the update has ended as it must: a good release committed, a bad one remembered as that.
#[track_caller]
pub fn wait_end(scene: &mut Scene, fault: Fault, pushed: &Pushed) {
    let mut asked = Instant::now();
    wait_between(BACK_MAX, LOOK_PAUSE, "the update to end as it must", || {
        let app = scene.app.status();
        let is_over = app["update"].is_null() && app["state"] == "ok" && app["health"] == "healthy";
        let is_right = match pushed.kind.is_bad() {
            false => {
                (app["last"]["outcome"] == "committed"
                    || (fault.may_lose_outcome() && app["last"].is_null()))
                    && app["current"]["config"] == pushed.release.as_str()
                    && app["proven"] == true
            }
            true => quarantined(&app).any(|config| config == pushed.release),
        };
        if is_over && is_right {
            return Ok(());
        }
        if asked.elapsed() > ASK_PAUSE {
            asked = Instant::now();
            scene.ask();
        }
        Err(format!("{app:#}"))
    });
    let old = scene.version().to_owned();
    if !pushed.kind.is_bad() {
        scene.known.committed.push(pushed.version.clone());
        scene.has_lost_images = false;
    }
    let wanted = if pushed.kind.is_bad() { old } else { pushed.version.clone() };
    // A person may have started the other one a moment ago: the agent stops it.
    let limit = if fault.may_run_two() { BACK_MAX } else { Duration::ZERO };
    wait_between(limit, LOOK_PAUSE, "the right release to run, alone", || {
        let version = scene.app.version();
        let running = scene.app.running().len();
        match version.as_deref() == Some(wanted.as_str()) && running == 1 {
            true => Ok(()),
            false => Err(format!("{running} run; {version:?} is there, {wanted} is right")),
        }
    });
}

fn quarantined(app: &Value) -> impl Iterator<Item = &str> {
    let list = app["quarantine"].as_array().into_iter().flatten();
    list.filter_map(|one| one["config"].as_str())
}

/// Everything that can be seen of a board at rest, and of the way there.
///
/// # Panics
/// With all complaints.
#[track_caller]
pub fn all(scene: &mut Scene, wound: &Wound, fault: Fault, pushed: &Pushed) {
    scene.has_lost_images |= fault.may_lose_images();
    let version = scene.version().to_owned();
    let look = wait_between(TIDY_TIME, BOARD_PAUSE, "a board at rest", || {
        let look = scene.look();
        let mut complaints = at_rest(&look, &scene.known, &version);
        complaints.extend(kept::complaints(scene, &look));
        complaints.extend(unknown_to_the_engine(scene));
        match complaints.is_empty() {
            true => Ok(look),
            false => Err(complaints.join("\n")),
        }
    });
    let mut complaints = on_the_way(scene, wound, fault);
    complaints.extend(of_history(scene, fault, pushed));
    let text = complaints.join("\n");
    assert!(complaints.is_empty(), "{text}\nthe engine's acts: {:?}", scene.acts.lives());
    look.text("data stamps").clone_into(&mut scene.known.data_stamps);
    scene.generation = look.record()["current"]["generation"].as_u64().unwrap_or(0);
    scene.acts.settle(scene.generation);
}

/// What runs, and the engine does not know of.
fn unknown_to_the_engine(scene: &Scene) -> Option<String> {
    let engine = scene.board.engine();
    let tasks = engine.tasks();
    let running: Vec<String> =
        engine.containers().iter().filter(|one| one.is_running()).map(Container::id).collect();
    let unknown: Vec<&String> = tasks.iter().filter(|id| !running.contains(id)).collect();
    (!unknown.is_empty()).then(|| format!("P3: without the engine's knowledge run {unknown:?}"))
}

/// Never two, and the right one first.
fn on_the_way(scene: &Scene, wound: &Wound, fault: Fault) -> Vec<String> {
    let lives = scene.acts.lives();
    let mut complaints = Vec::new();
    if !fault.may_run_two() {
        complaints.extend(lives.iter().flat_map(|life| never_two(life)));
    }
    if let Some(found) = &wound.found {
        let is_parent_lost = fault == Fault::Lost(Thing::EngineData);
        let mut parts = found.clone();
        let acts: Vec<Act> = lives.into_iter().flatten().skip(wound.acts_before).collect();
        let lines = acts.iter().map(|act| format!("{} {}\n", act.action, act.generation));
        parts.insert("events".to_owned(), lines.collect());
        complaints.extend(right_one_first(&Look::of(parts), is_parent_lost));
    }
    complaints
}

/// How the tries of this release ended: none twice committed, no good one condemned.
fn of_history(scene: &Scene, fault: Fault, pushed: &Pushed) -> Vec<String> {
    let history = scene.app.history();
    let of_release = history.iter().filter(|line| line["to"]["config"] == pushed.release.as_str());
    let mut ends: Vec<&str> = of_release.filter_map(|line| line["outcome"].as_str()).collect();
    ends.reverse();
    let mut complaints = Vec::new();
    let (last, before) = ends.split_last().unwrap_or((&"nothing", &[]));
    let is_lost = ends.is_empty() && fault.may_lose_outcome();
    let is_right = is_lost
        || match pushed.kind.is_bad() {
            false => *last == "committed",
            true => *last == "rolled_back" || fault.ends_before(pushed.kind).contains(last),
        };
    let is_known = before.iter().all(|end| fault.ends_before(pushed.kind).contains(end));
    if !is_right || !is_known || ends.len() > TRIES_MAX {
        let right = if pushed.kind.is_bad() { "rolled_back" } else { "committed" };
        let before = fault.ends_before(pushed.kind);
        complaints
            .push(format!("P4: it ended as {ends:?}; right is {right}, before it {before:?}"));
    }
    let status = scene.app.status();
    if !pushed.kind.is_bad() && quarantined(&status).any(|config| config == pushed.release) {
        complaints.push(format!("P4: a good release is condemned: {:#}", status["quarantine"]));
    }
    complaints
}
