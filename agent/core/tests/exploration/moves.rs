//! The world without faults: the agent's own step, time that passes, a tag that moves.

use titania_core::decide::decide;
use titania_core::reason::{Class, Code};
use titania_core::step::{Change, Decision, Step, Why};
use titania_core::time::Moment;
use titania_core::world::{Candidate, Container, Exit, Health};

use crate::faults::faults;
use crate::model::{Nature, State, definition, reason, release, spec};
use crate::search::{Label, World};

/// The world goes on without a fault: the agent's own step, or time.
pub fn plain(s: &mut State, decision: &Decision) -> Label {
    if let Decision::Do(step) = decision {
        let label = name(step);
        s.perform(step);
        if s.is_full && matches!(step, Step::Write(_) | Step::Mark(..)) {
            time(s, decision); // it is tried again after a while
        }
        return label;
    }
    time(s, decision);
    match decision {
        Decision::Wait(..) => Label("waits", 0),
        Decision::Idle(_) => Label("rests", 0),
        _ => Label("is blocked", 0),
    }
}

/// A step in few words, for traces.
pub fn name(step: &Step) -> Label {
    let word = match step {
        Step::Write(change) => match &**change {
            Change::Begin(_) => "write begin",
            Change::Resolve(_) => "write resolve",
            Change::Boots { .. } => "write boots",
            Change::Verdict(_) => "write verdict",
            Change::Conclude => "write conclude",
            Change::Abandon(_) => "write abandon",
            Change::Refuse(_) => "write refuse",
            Change::Proven => "write proven",
            Change::Repaired(_) => "write repaired",
            Change::Rebuild(_) => "write rebuild",
            Change::Hold(_) => "write hold",
            Change::Moved => "write moved",
            Change::Purged => "write purged",
            Change::Stop(_)
            | Change::Start
            | Change::Retry
            | Change::GoBack(..)
            | Change::Purge(_) => "write",
        },
        Step::Mark(g, mark) => {
            let word = match &**mark {
                titania_core::fork::Mark::Committed { .. } => "mark committed",
                titania_core::fork::Mark::Failed { word: None, .. } => "mark failed",
                titania_core::fork::Mark::Failed { .. } => "mark failed for good",
            };
            return Label::of(word, *g);
        }
        Step::Reserve(_) => "reserve",
        Step::Fetch(..) => "fetch",
        Step::Inspect(..) => "inspect",
        Step::Create(..) => "create",
        Step::Compare(..) => "compare",
        Step::Stop(_) => "stop",
        Step::Remove(_) => "remove",
        Step::Fork(..) => "fork",
        Step::Unfinish(_) => "unfinish",
        Step::Own(..) => "own",
        Step::Start(_) => "start",
        Step::Arm(_) => "arm",
        Step::Seek(..) => "seek",
        Step::Look(..) => "look",
        Step::Repair(..) => "repair",
        Step::Prune(_) => "prune",
        Step::Purge => "purge",
    };
    step.name().map_or(Label(word, 0), |(_, g)| Label::of(word, g))
}

/// Time passes: probes answer, back-offs end, lost starts land, the registry comes back.
fn time(s: &mut State, decision: &Decision) {
    if let Some(g) = s.late.take()
        && s.w.container(g).is_some_and(|c| !c.is_up())
    {
        s.begins(g);
        s.run(g);
    }
    for f in &mut s.w.evidence.failed {
        f.retry_at = Moment(0);
    }
    let rests = matches!(decision, Decision::Idle(_));
    if !rests {
        s.w.evidence.retry_at = None;
        s.w.evidence.sought = None; // what the registry said is asked again after a while
    }
    s.away = false;
    s.w.barrier = None;
    s.w.gate = None;
    s.w.dependency = None;
    s.pass(decision);
    s.sick &= !rests && !matches!(decision, Decision::Wait(Why::Settling, _));
    s.tries_again();
    let Some(g) = s.w.wanted_generation().filter(|g| s.runs(*g)) else { return };
    let is_current = Some(g) == s.current();
    match s.nature(g) {
        Nature::Good => s.w.health = Health::Settled,
        Nature::Unhealthy => s.w.health = Health::Unhealthy,
        // Its policy, on Podman the agent, starts it again and again.
        Nature::Crashes | Nature::KillsBoard if is_current => s.w.health = Health::Unhealthy,
        Nature::Crashes | Nature::NotRunnable => {
            s.end(g, Exit::Own(reason(Code::Exited, Class::Release)))
        }
        Nature::KillsBoard => s.reboot(),
    }
    s.w.evidence.settled |=
        is_current && s.w.health == Health::Settled && s.w.record.intent.is_none();
}

/// The tag points to the other release, or the definition is another: no fault, but not for ever.
pub fn news(s: &State) -> Vec<(Box<State>, Label)> {
    let mut all = Vec::new();
    let Some(left) = s.moves.checked_sub(1) else { return all };
    let rollback = s.bounds.rollback;
    let Candidate::Known(now) = &s.w.candidate else { return all };
    let (release, other) = (release(now), now.hash == definition(true));
    for to in (0..s.bounds.releases).filter(|to| *to != release) {
        let mut next = Box::new(s.clone());
        next.moves = left;
        next.w.candidate = Candidate::Known(spec(to, other, false, rollback));
        all.push((next, Label("the tag moves to release", to + 1)));
    }
    if s.bounds.definitions && s.w.wanted.is_some() {
        let mut next = Box::new(s.clone());
        next.moves = left;
        next.w.candidate = Candidate::Known(spec(release, !other, false, rollback));
        if let Some(wanted) = &mut next.w.wanted {
            wanted.hash = definition(!other);
        }
        all.push((next, Label("the definition changes", 0)));
    }
    all
}

/// Whether all is as it shall be for good: at rest, one container up, or none where none is wanted.
pub fn is_settled(s: &State, decision: &Decision) -> bool {
    let wanted = s.w.wanted_generation();
    let up = s.up();
    if s.is_full && is_up_all_the_same(s, decision) {
        return true;
    }
    if is_excused(s, decision) || s.is_held(decision) {
        return true;
    }
    match decision {
        Decision::Idle(Why::Stopped | Why::Orphaned) => up.is_empty(),
        // A first install that can't run, and says so.
        Decision::Idle(Why::Quarantined | Why::Refused(_)) if s.w.record.current.is_none() => {
            s.w.containers.is_empty()
        }
        Decision::Idle(_) => {
            let is_kept = |c: &Container| c.armed == s.w.keeps_policy;
            up.len() == 1
                && s.w.containers.len() == 1
                && up.first().copied() == wanted
                && wanted.and_then(|g| s.w.container(g)).is_some_and(is_kept)
                && s.late.is_none()
        }
        _ => false,
    }
}

/// Whether nothing is to be done but what finds no room, and an app that was ever committed runs.
fn is_up_all_the_same(s: &State, decision: &Decision) -> bool {
    let waits = match decision {
        Decision::Do(Step::Write(change)) => match &**change {
            Change::Conclude | Change::Rebuild(_) => false, // go on in memory
            Change::Boots { .. } => s.current().is_none(),
            _ => true,
        },
        Decision::Do(Step::Mark(..) | Step::Reserve(_) | Step::Fetch(..) | Step::Seek(..)) => true,
        decision => !matches!(decision, Decision::Do(_)),
    };
    let up = s.up();
    let is_wanted = s.w.wanted.is_some() && s.w.record.stopped.is_none();
    // To fetch it again wants room.
    let is_gone = s.current().is_none_or(|g| {
        s.w.container(g).is_none() && !s.has_image(g) || s.is_beyond_repair(decision)
    });
    // Without a way back it has to be committed first.
    let is_new = s.w.record.intent.as_ref().is_some_and(|i| i.boots() > 0);
    let is_direct = !s.bounds.rollback && is_new;
    waits && (up.len() == 1 || is_gone || is_direct || !is_wanted && up.is_empty())
}

/// Whether all that is left to run is a release that nobody has any more.
fn is_excused(s: &State, decision: &Decision) -> bool {
    let (Decision::Blocked(why, _) | Decision::Wait(why, _)) = decision else {
        return false;
    };
    let is_first = |g| s.release(g) == 0;
    let has_other = titania_core::target::next(&s.w).is_ok_and(|(spec, _)| {
        release(&spec) > 0
            && s.w.record.intent.as_ref().is_none_or(|i| i.boots() == 0 || !i.spec.is(&spec))
    });
    let is_stuck = match why {
        Why::ImageMissing => s.unpublished,
        Why::NoWayBack(_) => s.unpublished || s.is_shared && s.damaged[0],
        Why::Failed(reason) if reason.code == Code::EngineError => s.unpublished,
        _ => s.is_beyond_repair(decision),
    };
    let needs_first = match (s.current(), &s.w.record.intent) {
        (Some(g), Some(i)) if i.boots() == 0 && s.runs(g) => is_first(i.generation),
        (Some(g), _) => is_first(g),
        (None, Some(i)) => is_first(i.generation),
        (None, None) => false,
    };
    !s.away && s.late.is_none() && is_stuck && needs_first && !has_other
}

impl World for State {
    type Decision = Decision;

    fn decide(&self) -> Decision {
        decide(&self.w)
    }

    fn rests(&self, decision: &Decision) -> bool {
        is_settled(self, decision)
    }

    fn others(&self, decision: &Decision) -> Vec<(Box<Self>, Label)> {
        let mut all = news(self);
        if self.is_full {
            let mut next = Box::new(self.clone());
            next.is_full = false;
            all.push((next, Label("there is room again", 0)));
        }
        if self.faults > 0 {
            all.extend(faults(self, decision));
        }
        all
    }

    fn go_on(&mut self, decision: &Decision) -> Label {
        plain(self, decision)
    }

    fn reduce(&mut self) -> Option<&'static str> {
        State::reduce(self);
        self.broken
    }
}
