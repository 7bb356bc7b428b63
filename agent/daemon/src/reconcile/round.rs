//! One app's rounds: observe, decide, perform one step, again until there is none.
//!
//! Promise: steps of one app never overlap, for one task makes them all; a step is decided on a fresh look alone.

use std::rc::Rc;
use std::time::Duration;

use titania_core::decide::decide;
use titania_core::reason::Reason;
use titania_core::step::{Change, Decision, Step, Why};
use titania_core::time::{Millis, Moment};

use super::agent::Agent;
use super::app::App;
use super::{observe, perform, publish, requests};
use crate::board::clock;

/// So many steps within [`PACE_SPAN`] are a loop that gets nowhere: it goes on slowly.
const PACE_STEPS: u32 = 40;
/// See [`PACE_STEPS`].
const PACE_SPAN: Millis = Millis::seconds(20);
/// How slowly.
const PACE_PAUSE: Duration = Duration::from_secs(5);

/// Keeps one app for ever.
pub async fn keep(agent: Rc<Agent>, app: Rc<App>) {
    let mut pace = Pace::default();
    loop {
        let until = rounds(&agent, &app, &mut pace).await;
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
        let needs_look = step.is_some() && !is_fresh;
        if needs_look && app.memory.borrow().seen.is_some() {
            app.memory.borrow_mut().seen = None;
            continue;
        }
        {
            let mut memory = app.memory.borrow_mut();
            memory.world = Some(world.clone());
            memory.decision = Some(decision.clone());
        }
        publish::app(agent, app);
        let Some(step) = step else {
            publish::measure(agent, app).await;
            return next(app, &decision);
        };
        pace.keep().await;
        let may_give_way = matches!(step, Step::Fetch(..));
        // Boxed: an app at rest has no room for the largest step.
        let perform = Box::pin(perform::perform(agent, app, &world, step));
        tokio::select! {
            () = perform => {}
            // Fetching is taken up where it was left.
            () = asked(app), if may_give_way => app.memory.borrow_mut().progress = None,
        }
        app.memory.borrow_mut().seen = None;
    }
}

/// A request waits. What was told of one that is carried out by now counts nothing.
async fn asked(app: &App) {
    while app.memory.borrow().requests.is_empty() {
        app.asked.notified().await;
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
        Decision::Do(Step::Write(_) | Step::Mark(..) | Step::Prune(_)) => wait(&pause.reason),
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
    steps: u32,
}

impl Pace {
    async fn keep(&mut self) {
        let now = clock::moment();
        if now.since(self.began).0 > PACE_SPAN.0 {
            *self = Self { began: now, steps: 0 };
        }
        self.steps += 1;
        if self.steps > PACE_STEPS {
            log::warn!("{} steps within {} s: going on slowly", self.steps, PACE_SPAN.0 / 1000);
            tokio::time::sleep(PACE_PAUSE).await;
        }
    }
}
