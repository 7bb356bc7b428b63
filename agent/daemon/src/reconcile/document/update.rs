//! The update under way, as it is shown: which step, and since when.

use titania_core::fork::Mark;
use titania_core::outcome::Trigger;
use titania_core::record::Intent;
use titania_core::status::{StepName, UpdateStatus};
use titania_core::step::{Change, Decision, Step, Why};
use titania_core::world::{Container, Doubt};

use super::View;

/// The update under way, or the repair of a damaged image; `None` without either.
pub(super) fn update(view: &View<'_>) -> Option<UpdateStatus> {
    let Some(intent) = &view.world.record.intent else {
        return repair(view);
    };
    let id = view.app.container(intent.generation);
    let before =
        view.before.and_then(|before| before.update.as_ref()).filter(|before| before.id == id);
    let step = step(view, intent)
        .or_else(|| before.map(|before| before.step))
        .unwrap_or(StepName::Reserve);
    let same = before.filter(|before| before.step == step);
    Some(UpdateStatus {
        id,
        step,
        step_since: same.map_or(view.world.at, |before| before.step_since),
        trigger: intent.trigger,
        attempt: intent.attempt,
        to: intent.spec.release.clone(),
        progress: view.progress.filter(|_| step == StepName::Fetch),
    })
}

/// An image of the current release that is fetched again: no update, and shown as one until the app is up.
fn repair(view: &View<'_>) -> Option<UpdateStatus> {
    let world = view.world;
    let current = world.record.current.as_ref()?;
    let g = current.generation;
    let is_damaged = world.evidence.doubt == Some((g, Doubt::Damaged));
    let is_removed = world.evidence.repaired.is_some_and(|(of, _)| of == g);
    let is_up = world.container(g).is_some_and(Container::is_up);
    if !is_damaged && (!is_removed || is_up) {
        return None;
    }
    let before = view.before.and_then(|before| before.update.as_ref());
    let before = before.filter(|before| before.trigger == Trigger::Repair);
    let doing = match view.decision {
        Decision::Do(step) => step.name().map(|(name, _)| name),
        _ => None,
    };
    let step = doing.or_else(|| before.map(|before| before.step)).unwrap_or(StepName::Fetch);
    let same = before.filter(|before| before.step == step);
    Some(UpdateStatus {
        id: view.app.container(g),
        step,
        step_since: same.map_or(world.at, |before| before.step_since),
        trigger: Trigger::Repair,
        attempt: 1,
        to: current.spec.release.clone(),
        progress: view.progress.filter(|_| step == StepName::Fetch),
    })
}

/// The step that the decision belongs to; `None` where it is about the old one alone: then the update stays where it was.
fn step(view: &View<'_>, intent: &Intent) -> Option<StepName> {
    if intent.verdict.is_some() || view.world.evidence.unwritable.is_some() {
        return Some(StepName::RollBack);
    }
    match view.decision {
        Decision::Do(step) => doing(step, intent),
        Decision::Wait(why, _) | Decision::Blocked(why, _) => match why {
            Why::Probation | Why::NoWayBack(_) => Some(StepName::Probation),
            Why::Gate(..) => Some(StepName::Wait),
            Why::Failed(reason) => {
                let mut failed = view.world.evidence.failed.iter();
                failed.find(|failure| failure.reason == *reason).map(|failure| failure.step)
            }
            _ => None,
        },
        Decision::Idle(_) => None,
    }
}

fn doing(step: &Step, intent: &Intent) -> Option<StepName> {
    match step {
        Step::Mark(_, mark) => Some(match **mark {
            Mark::Committed { .. } => StepName::Commit,
            Mark::Failed { .. } => StepName::RollBack,
        }),
        Step::Write(change) => match **change {
            Change::Resolve(_) => Some(StepName::Inspect),
            Change::Boots { .. } => Some(StepName::Start),
            _ => None,
        },
        Step::Prune(_) => None,
        // Before the cutover the old one is stopped for the new one; all else done to it is its own affair.
        Step::Stop(_) | Step::Remove(_) if intent.boots() == 0 => Some(StepName::Stop),
        Step::Arm(generation) if *generation == intent.generation => Some(StepName::Commit),
        other => {
            let (name, generation) = other.name()?;
            (generation == intent.generation).then_some(name)
        }
    }
}
