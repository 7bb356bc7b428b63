//! One app's rounds: observe, decide, perform one step, again until there is none.
//!
//! Promise: steps of one app never overlap, for one task makes them all; a step is decided on a fresh look alone.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use titania_core::decide::decide;
use titania_core::names::Generation;
use titania_core::reason::Reason;
use titania_core::step::{Change, Decision, Step, Why};
use titania_core::time::{Millis, Moment};
use titania_core::world::World;

use super::agent::Agent;
use super::app::App;
use super::{observe, perform, publish, requests};
use crate::board::clock;

/// The very same step so often within [`PACE_SPAN`] is a loop that gets nowhere: it goes on slowly. Updates in a row
/// are no such loop, for each has a number of its own: a pause would fall between stop and start.
const PACE_STEPS: u32 = 8;
/// See [`PACE_STEPS`].
const PACE_SPAN: Millis = Millis::seconds(20);
/// How slowly.
const PACE_PAUSE: Duration = Duration::from_secs(5);

/// After a word from the engine, until it is looked whether a download goes on: its own restart policy comes first.
const FETCH_LOOK: Duration = Duration::from_secs(2);

/// Keeps one app for ever.
pub async fn keep(agent: Rc<Agent>, app: Rc<App>) {
    let mut pace = Pace::default();
    loop {
        // Boxed: an app at rest takes no room for the largest step.
        let until = Box::pin(rounds(&agent, &app, &mut pace)).await;
        let asleep = async {
            match until {
                Some(at) => {
                    let span = at.since(clock::moment());
                    tokio::time::sleep(Duration::from_millis(span.0)).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = app.wake.notified() => {}
            // What is waited for may have come without a word: a disk, a port, another's lock.
            () = asleep => app.memory.borrow_mut().seen = None,
        }
    }
}

/// Rounds until there is no step; then when the next one is due though nothing happens.
async fn rounds(agent: &Rc<Agent>, app: &Rc<App>, pace: &mut Pace) -> Option<Moment> {
    loop {
        requests::carry_out(agent, app).await;
        let (world, is_fresh) = observe::world(agent, app).await;
        let decision = hold_back(app, decide(&world));
        let step = match &decision {
            Decision::Do(step) => Some(step.clone()),
            Decision::Wait(..) | Decision::Idle(_) | Decision::Blocked(..) => None,
        };
        if step.is_some() && !is_fresh {
            app.memory.borrow_mut().seen = None;
            continue;
        }
        {
            let mut memory = app.memory.borrow_mut();
            memory.world = Some(world.clone());
            memory.decision = Some(decision.clone());
        }
        publish::app(agent, app);
        requests::decided(agent, app, &world, &decision);
        let Some(step) = step else {
            publish::measure(agent, app).await;
            return next(app, &decision);
        };
        if pace.is_idle(clock::moment(), pace_key(&world, &step)) {
            log::warn!("{}: {} again and again: going on slowly", app.name, perform::shown(&step));
            tokio::time::sleep(PACE_PAUSE).await;
        }
        let fetched = match &step {
            Step::Fetch(generation, _) => Some(*generation),
            _ => None,
        };
        tokio::select! {
            () = perform::perform(agent, app, &world, step) => {}
            // Fetching is taken up where it was left.
            () = asked(agent, app), if fetched.is_some() => app.memory.borrow_mut().progress = None,
            () = something_else(agent, app, fetched), if fetched.is_some() => {
                app.memory.borrow_mut().progress = None;
            }
        }
        app.memory.borrow_mut().seen = None;
    }
}

/// A request waits that the download must give way to. Others are carried out beside it: on a thin line it takes hours,
/// and would never end if each question began it anew.
async fn asked(agent: &Rc<Agent>, app: &Rc<App>) {
    loop {
        requests::carry_out_beside(agent, app).await;
        if !app.memory.borrow().requests.is_empty() {
            return;
        }
        // What was told of one that is carried out by now counts nothing.
        app.asked.notified().await;
    }
}

/// A download takes hours on a thin line: meanwhile the app may have gone down, or may want something else.
async fn something_else(agent: &Rc<Agent>, app: &Rc<App>, fetched: Option<Generation>) {
    loop {
        app.wake.notified().await;
        tokio::time::sleep(FETCH_LOOK).await;
        app.memory.borrow_mut().seen = None;
        let (world, is_fresh) = observe::world(agent, app).await;
        let decision = decide(&world);
        requests::decided(agent, app, &world, &decision);
        let is_other = match decision {
            Decision::Do(Step::Fetch(generation, _)) => Some(generation) != fetched,
            _ => true,
        };
        if is_fresh && is_other {
            return;
        }
    }
}

fn next(app: &App, decision: &Decision) -> Option<Moment> {
    let until = match decision {
        Decision::Wait(_, until) | Decision::Blocked(_, until) => *until,
        Decision::Idle(_) | Decision::Do(_) => None,
    };
    observe::next_look(&app.memory.borrow(), until)
}

/// Writes and prunings have no place in an update where their failure could stand: they are held back here.
/// A mark or `boots` that can't be written is acted upon all the same, see [`titania_core::world::Evidence`].
fn hold_back(app: &App, decision: Decision) -> Decision {
    let memory = app.memory.borrow();
    let Some(pause) = memory.pause.as_ref().filter(|pause| pause.until > clock::moment()) else {
        return decision;
    };
    let wait = |reason: &Reason| Decision::Wait(Why::Failed(reason.clone()), Some(pause.until));
    match &decision {
        Decision::Do(Step::Write(change)) if is_urgent(change) => decision,
        Decision::Do(Step::Write(_) | Step::Mark(..) | Step::Prune(_) | Step::Purge) => {
            wait(&pause.reason)
        }
        _ => decision,
    }
}

/// An operator's wish is written, or refused, at once.
fn is_urgent(change: &Change) -> bool {
    matches!(change, Change::Stop(_) | Change::Start | Change::Retry)
}

/// Keeps a loop that gets nowhere from eating the board.
#[derive(Debug, Default)]
struct Pace {
    began: Moment,
    steps: BTreeMap<String, u32>,
}

impl Pace {
    /// Whether this step has been made too often of late.
    fn is_idle(&mut self, now: Moment, step: String) -> bool {
        if now.since(self.began).0 > PACE_SPAN.0 {
            *self = Self { began: now, steps: BTreeMap::new() };
        }
        let count = self.steps.entry(step).or_default();
        *count += 1;
        *count > PACE_STEPS
    }
}

/// A step, and the generation in whose course it is made.
fn pace_key(world: &World, step: &Step) -> String {
    let record = &world.record;
    let current = record.current.as_ref().map_or(Generation(0), |c| c.generation);
    let number = record.intent.as_ref().map_or(current, |i| i.generation);
    format!("{} g{number}", perform::shown(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p3_only_a_loop_that_gets_nowhere_is_slowed_down() {
        let mut pace = Pace::default();
        for generation in 0..30 {
            for step in ["stop", "fork", "own", "write boots", "start"] {
                let at = Moment(100_000 + generation * 500);
                assert!(!pace.is_idle(at, format!("{step} g{generation}")), "g{generation}");
            }
        }
        let mut tried = (0..9).map(|n| pace.is_idle(Moment(130_000 + n), "remove g7".to_owned()));
        assert!(tried.by_ref().take(8).all(|is_idle| !is_idle));
        assert_eq!(tried.next(), Some(true));
        assert!(!pace.is_idle(Moment(160_000), "remove g7".to_owned()), "it was a while ago");
    }
}
