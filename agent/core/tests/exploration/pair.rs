//! Two apps on one board, the second `after` the first, each under its own `decide`.
//!
//! What they share: board, engine, agent and registry go and come for both; the second's cutover, and its start
//! after the board's or the engine's return, ask for the first one's health as the daemon's gates do. Their steps
//! interleave in every order.

use std::hash::Hash;

use titania_core::decide::decide;
use titania_core::reason::{Class, Code};
use titania_core::status::WaitingFor;
use titania_core::step::{Change, Decision, Step, Why};
use titania_core::world::{Container, Health};

use crate::model::{Bounds, State, reason};
use crate::search::{Label, World};
use crate::{faults, moves};

/// Two apps. Faults are counted for both together, moves of the tag for each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    first: State,
    second: State,
    /// The first one's `deadline` since the board's or the engine's return is over.
    is_late: bool,
}

/// What both do next.
pub type Both = (Decision, Decision);

impl Pair {
    pub fn new(first: Bounds, second: Bounds) -> Self {
        let (first, second) = (State::new(first), State::new(second));
        Self { first, second, is_late: false }
    }

    /// Whether the first one is healthy, as its status says.
    fn is_ready(&self) -> bool {
        let is_up = self.first.w.wanted_generation().is_some_and(|g| self.first.runs(g));
        is_up && matches!(self.first.w.health, Health::Healthy | Health::Settled)
    }

    /// What the daemon's gates tell the second one.
    fn see(&mut self) {
        let waits = || reason(Code::Dependency, Class::Environment);
        let (is_ready, w) = (self.is_ready(), &mut self.second.w);
        let current = w.record.current.as_ref().map(|c| c.generation);
        let runs = current.and_then(|g| w.container(g)).is_some_and(Container::is_up);
        let is_due = w.record.intent.as_ref().is_some_and(|i| {
            let id = w.container(i.generation).map(|c| &c.id);
            let is_made = id.is_some() && id == w.evidence.compared.as_ref();
            is_made && i.boots() == 0 && i.verdict.is_none() && (current.is_none() || runs)
        });
        w.gate = (is_due && !is_ready).then(|| (waits(), WaitingFor::Dependency));
        let is_down = current.is_some() && w.wanted_generation() == current && !runs;
        w.dependency = (is_down && !is_ready && !self.is_late).then(waits);
    }

    /// What one of them met, the board met: the agent's memory is that of both, and so are the faults left.
    fn share(&mut self, is_second: bool) {
        let (one, other) = match is_second {
            true => (&mut self.second, &mut self.first),
            false => (&mut self.first, &mut self.second),
        };
        if std::mem::take(&mut one.restarted) {
            other.forget();
            other.restarted = false;
        }
        other.faults = one.faults;
        self.is_late &= !(self.first.is_back | self.second.is_back);
        (self.first.is_back, self.second.is_back) = (false, false);
    }

    /// What must hold before the second one does this.
    fn check_second(&mut self, decision: &Decision) {
        let Decision::Do(step) = decision else { return };
        let (is_ready, s) = (self.is_ready(), &mut self.second);
        let (current, record) = (s.current(), &s.w.record);
        let is_wanted = s.w.wanted.is_some() && record.stopped.is_none();
        let intent = record.intent.as_ref().filter(|i| i.boots() == 0 && i.verdict.is_none());
        let is_early = match step {
            Step::Stop(g) if current == Some(*g) => {
                is_wanted && intent.is_some() && s.runs(*g) && s.w.evidence.unwritable.is_none()
            }
            Step::Start(g) => current == Some(*g) && !self.is_late,
            Step::Write(change) => {
                current.is_none() && matches!(**change, Change::Boots { boots: 1, .. })
            }
            _ => false,
        };
        s.promise(!is_early || is_ready, "P3: cut over or started before what it is after");
    }

    /// A successor in which one app moved by itself or met something.
    fn with(&self, state: State, label: Label, is_second: bool) -> (Box<Self>, Label) {
        let mut next = Box::new(self.clone());
        let place = if is_second { &mut next.second } else { &mut next.first };
        *place = state;
        next.share(is_second);
        (next, if is_second { label.of_second() } else { label })
    }

    /// What befalls both at once.
    fn of_board(&self) -> Vec<(Box<Self>, Label)> {
        let (first, second) = (faults::of_board(&self.first), faults::of_board(&self.second));
        let both = first.into_iter().zip(second).map(|((first, label), (second, other))| {
            assert_eq!(label, other, "the board does the same to both");
            let mut next = Box::new(Self { first: *first, second: *second, is_late: self.is_late });
            (next.first.restarted, next.second.restarted) = (false, false);
            next.share(false);
            (next, label)
        });
        both.collect()
    }

    /// Whether the second waits, and may, for a first one that will not be healthy by itself.
    fn may_wait(&self, decision: &Decision) -> bool {
        let Decision::Wait(Why::Gate(_, WaitingFor::Dependency), _) = decision else {
            return false;
        };
        let up = self.second.up();
        !self.is_ready() && self.is_late && up.first().copied() == self.second.current()
    }
}

impl World for Pair {
    type Decision = Both;

    fn decide(&self) -> Both {
        (decide(&self.first.w), decide(&self.second.w))
    }

    fn rests(&self, (first, second): &Both) -> bool {
        let first = moves::is_settled(&self.first, first);
        first && (moves::is_settled(&self.second, second) || self.may_wait(second))
    }

    fn others(&self, (first, second): &Both) -> Vec<(Box<Self>, Label)> {
        let mut all = Vec::new();
        for (app, decision, is_second) in
            [(&self.first, first, false), (&self.second, second, true)]
        {
            let mut checked = self.clone();
            if is_second {
                checked.check_second(decision);
            }
            let mut own = if is_second { checked.second } else { checked.first };
            let label = moves::plain(&mut own, decision);
            all.push(self.with(own, label, is_second));
            let mut met = moves::news(app);
            if app.faults > 0 {
                met.extend(faults::of_app(app, decision));
            }
            all.extend(met.into_iter().map(|(state, label)| self.with(*state, label, is_second)));
        }
        if self.first.is_full {
            let mut next = Box::new(self.clone());
            (next.first.is_full, next.second.is_full) = (false, false);
            all.push((next, Label("there is room again", 0)));
        }
        if self.first.faults > 0 {
            all.extend(self.of_board());
        }
        all
    }

    /// Each does what it can; time passes for both when neither can do anything.
    fn go_on(&mut self, (first, second): &Both) -> Label {
        let goes = |app: &State, decision: &Decision| {
            matches!(decision, Decision::Do(_)) && !moves::is_settled(app, decision)
        };
        if goes(&self.first, first) {
            let label = moves::plain(&mut self.first, first);
            self.share(false);
            return label;
        }
        if goes(&self.second, second) {
            self.check_second(second);
            let label = moves::plain(&mut self.second, second);
            self.share(true);
            return label.of_second();
        }
        let label = moves::plain(&mut self.first, first);
        moves::plain(&mut self.second, second);
        self.is_late = true;
        label
    }

    fn reduce(&mut self) -> Option<&'static str> {
        self.see();
        self.first.reduce();
        self.second.reduce();
        self.first.broken.or(self.second.broken)
    }
}
