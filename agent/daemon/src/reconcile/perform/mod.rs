//! Steps: each one idempotent act on the world.
//!
//! Promise: a step that is told as done can be seen to be done at the next look, or is evidence in memory; one
//! that failed is tried again after a back-off, per app, generation and step; one whose answer was lost is not
//! failed: the next look tells.

mod early;
mod elf;
mod fetch;
mod fork;
mod image;
mod inspect;
mod make;
mod neighbour;
mod program;
mod repair;
mod reserve;
mod run;
mod tidy;
mod write;

use std::rc::Rc;
use std::time::Duration;

use titania_core::fork::Mark;
use titania_core::names::Generation;
use titania_core::record::Verdict;
use titania_core::status::StepName;
use titania_core::step::{Change, Step};
use titania_core::time::Millis;
use titania_core::world::{Failure, World};

use super::agent::Agent;
use super::app::{App, Pause};
use super::backoff;
use super::fault::Fault;
use super::requests;
use crate::board::clock;

pub use early::Early;
pub use fetch::repository;
pub use write::{append_last, write};

/// So many steps in a row without a sure answer, and the next look is made after [`UNSURE_PAUSE`].
const UNSURE_MAX: u32 = 3;
/// See [`UNSURE_MAX`].
const UNSURE_PAUSE: Duration = Duration::from_secs(1);

/// One step of one app.
pub struct Act<'a> {
    /// The agent.
    pub agent: &'a Rc<Agent>,
    /// The app.
    pub app: &'a Rc<App>,
    /// The world it was decided on.
    pub world: &'a World,
}

/// Performs one step, and keeps what came of it.
pub async fn perform(agent: &Rc<Agent>, app: &Rc<App>, world: &World, step: Step) {
    let act = Act { agent, app, world };
    let name = step.name();
    let began = clock::moment();
    log::debug!("{}: {}", app.name, shown(&step));
    if !matches!(step, Step::Fork(..)) {
        app.memory.borrow_mut().early = None;
    }
    let result = act.take(&step).await;
    let now = clock::moment();
    let is_timed = |generation: Generation| match &world.record.intent {
        Some(intent) => intent.generation == generation,
        None => world.evidence.repaired.is_some_and(|(of, _)| of == generation),
    };
    if let Some((name, _)) = name.filter(|(_, generation)| is_timed(*generation)) {
        app.memory.borrow_mut().took(name, now.since(began));
    }
    let unsure = {
        let mut memory = app.memory.borrow_mut();
        let is_unsure = result == Err(Fault::LookAgain);
        memory.unsure = if is_unsure { memory.unsure.saturating_add(1) } else { 0 };
        memory.unsure
    };
    if unsure >= UNSURE_MAX {
        // What moves moves within moments; a look that changes nothing is not made in a storm.
        tokio::time::sleep(UNSURE_PAUSE).await;
    }
    match (result, name) {
        (Ok(()), Some((name, generation))) if forgives(&step, world) => {
            app.memory.borrow_mut().forgive(generation, name);
        }
        (Ok(()), Some(_)) => {}
        (Ok(()), None) => app.memory.borrow_mut().pause = None,
        (Err(Fault::LookAgain), _) => {
            log::info!("{}: {} has no sure answer: looking again", app.name, shown(&step));
            agent.recheck.notify_one(); // it may hang
        }
        (Err(fault), Some((name, generation))) => failed(app, generation, name, fault),
        (Err(fault), None) => pause(agent, app, &step, fault),
    }
}

impl Act<'_> {
    async fn take(&self, step: &Step) -> Result<(), Fault> {
        match step {
            Step::Write(change) => self.change(change).await,
            Step::Mark(generation, mark) => self.mark(*generation, mark).await,
            Step::Reserve(file) => self.reserve(file).await,
            Step::Fetch(generation, spec) => self.fetch(*generation, spec).await,
            Step::Inspect(generation, spec) => self.inspect(*generation, spec).await,
            Step::Create(generation, spec, armed) => self.create(*generation, spec, *armed).await,
            Step::Compare(generation, spec) => self.compare(*generation, spec).await,
            Step::Stop(generation) => self.stop(*generation).await,
            Step::Remove(generation) => self.remove(*generation).await,
            Step::Fork(generation, spec) => self.fork(*generation, spec).await,
            Step::Unfinish(generation) => {
                Ok(self.agent.volumes.unfinish(&self.app.name, *generation).await?)
            }
            Step::Own(generation, spec) => self.own(*generation, spec).await,
            Step::Start(generation) => self.start(*generation).await,
            Step::Arm(generation) => self.arm(*generation).await,
            Step::Seek(generation, spec) => self.seek(*generation, spec).await,
            Step::Look(generation, spec) => self.look(*generation, spec).await,
            Step::Repair(generation, spec) => self.repair(*generation, spec).await,
            Step::Prune(prunable) => self.prune(prunable).await,
            Step::Purge => self.purge().await,
        }
    }
}

/// Whether the success of a step ends what stands under its name: asking whether a release is in reach fetches
/// nothing, and a new container still has to be compared.
fn forgives(step: &Step, world: &World) -> bool {
    let intent = world.record.intent.as_ref().map(|i| i.generation);
    match step {
        Step::Seek(..) => false,
        Step::Create(generation, ..) => Some(*generation) != intent,
        _ => true,
    }
}

/// A step of an update that failed.
fn failed(app: &App, generation: Generation, step: StepName, fault: Fault) {
    let Fault::Failed { reason, limit, at_least } = fault else {
        return;
    };
    let mut memory = app.memory.borrow_mut();
    let count = memory.failures.get(&(generation, step)).map_or(1, |n| n.saturating_add(1));
    memory.forgive(generation, step);
    memory.failures.insert((generation, step), count);
    let wait = backoff::wait(count, limit).0.max(at_least.0.min(backoff::RETRY_AFTER_MAX.0));
    log::warn!("{}: {}; tried again in {} s", app.name, reason.message, wait / 1000);
    let retry_at = clock::moment().after(Millis(wait));
    memory.evidence.failed.push(Failure { generation, step, reason: *reason, retry_at });
}

/// A write that failed. A verdict, or `boots`, is acted upon all the same.
fn pause(agent: &Agent, app: &App, step: &Step, fault: Fault) {
    let Fault::Failed { reason, limit, .. } = fault else {
        return;
    };
    let mut memory = app.memory.borrow_mut();
    let count = memory.pause.as_ref().map_or(1, |pause| pause.count.saturating_add(1));
    let until = clock::moment().after(backoff::wait(count, limit));
    log::error!("{}: {} could not be written: {}", app.name, shown(step), reason.message);
    let verdict = match step {
        Step::Mark(_, mark) => match &**mark {
            Mark::Failed { reason, step, .. } => {
                Some(Verdict { reason: reason.clone(), step: *step })
            }
            Mark::Committed { .. } => None,
        },
        Step::Write(change) => match &**change {
            Change::Verdict(verdict) => Some(verdict.clone()),
            // Without `boots` on disk a new one is not started: the old one is.
            Change::Boots { .. } => {
                Some(Verdict { reason: (*reason).clone(), step: StepName::Start })
            }
            _ => None,
        },
        _ => None,
    };
    requests::failed(agent, &mut memory.purging, &reason);
    if verdict.is_some() {
        memory.evidence.unwritable = verdict;
    }
    memory.pause = Some(Pause { reason: *reason, until, count });
}

/// A step for the log: its name and number, no specification.
pub fn shown(step: &Step) -> String {
    match step {
        Step::Write(change) => format!("write {}", change_word(change)),
        Step::Mark(g, mark) => match &**mark {
            Mark::Committed { count } => format!("mark g{g} committed {count}"),
            Mark::Failed { reason, word, .. } => {
                let last = if word.is_some() { " for good" } else { "" };
                format!("mark g{g} failed{last}: {}", reason.code.word())
            }
        },
        Step::Reserve(file) => format!("reserve g{}", file.generation),
        Step::Fetch(g, _) => format!("fetch g{g}"),
        Step::Inspect(g, _) => format!("inspect g{g}"),
        Step::Create(g, ..) => format!("create g{g}"),
        Step::Compare(g, _) => format!("compare g{g}"),
        Step::Stop(g) => format!("stop g{g}"),
        Step::Remove(g) => format!("remove g{g}"),
        Step::Fork(g, _) => format!("fork g{g}"),
        Step::Unfinish(g) => format!("unfinish g{g}"),
        Step::Own(g, _) => format!("own g{g}"),
        Step::Start(g) => format!("start g{g}"),
        Step::Arm(g) => format!("arm g{g}"),
        Step::Seek(g, _) => format!("seek g{g}"),
        Step::Look(g, _) => format!("look g{g}"),
        Step::Repair(g, _) => format!("repair g{g}"),
        Step::Prune(what) => {
            format!("prune {} forks, {} images", what.forks.len(), what.images.len())
        }
        Step::Purge => "purge".to_owned(),
    }
}

fn change_word(change: &Change) -> &'static str {
    match change {
        Change::Begin(_) => "begin",
        Change::Resolve(_) => "resolve",
        Change::Boots { .. } => "boots",
        Change::Verdict(_) => "verdict",
        Change::Conclude => "conclude",
        Change::Abandon(_) => "abandon",
        Change::Refuse(_) => "refuse",
        Change::Proven => "proven",
        Change::Repaired(_) => "repaired",
        Change::Rebuild(_) => "rebuild",
        Change::Stop(_) => "stop",
        Change::Start => "start",
        Change::Retry => "retry",
        Change::GoBack(..) => "go back",
        Change::Purge(_) => "purge",
        Change::Purged => "purged",
        Change::Hold(_) => "hold",
        Change::Moved => "moved",
    }
}
