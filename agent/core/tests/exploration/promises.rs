//! What must hold whenever the agent acts.

use titania_core::fork::{Fork, Mark};
use titania_core::names::Generation;
use titania_core::outcome::Trigger;
use titania_core::reason::{Class, Reason};
use titania_core::record::Intent;
use titania_core::status::StepName;
use titania_core::step::{Change, Step};
use titania_core::world::Health;

use crate::model::{Nature, State, definition, release};

/// Starts in one probation (§3.5).
const STARTS_MAX: u8 = 3;

impl State {
    /// Whether a generation has proven itself, or needs no proof.
    pub fn may_commit(&self, g: Generation) -> bool {
        let direct = self.current().is_none() || !self.bounds.rollback;
        let started = self.w.container(g).is_some_and(|c| c.started_at.is_some());
        let proven = self.runs(g) && self.w.health == Health::Settled;
        if direct { started } else { proven }
    }

    pub fn has_way_back(&self, reason: &Reason) -> bool {
        let Some(old) = &self.w.record.current else {
            return true;
        };
        let is_its =
            |g: &Generation| self.w.spec(*g).is_some_and(|s| s.release.is(&old.spec.release));
        let is_here =
            self.w.container(old.generation).is_some() || self.w.images.iter().any(is_its);
        // Another candidate is a way on; what the registry said may be outdated by now.
        let newer = titania_core::target::next(&self.w).is_ok();
        let asked = self.w.evidence.sought == Some((old.generation, true));
        is_here || asked || newer || reason.class == Class::Operator
    }

    /// A process that the agent asked for begins.
    pub fn begins(&mut self, g: Generation) {
        let is_tried = self.current().is_some()
            && self.w.record.intent.as_ref().is_some_and(|i| i.generation == g);
        if is_tried {
            self.starts += 1;
            self.promise(self.starts <= STARTS_MAX, "P4: a fourth start in one probation");
        }
    }

    /// What must be so before any step.
    pub fn check_step(&mut self, step: &Step) {
        self.promise(self.w.barrier.is_none(), "P2: acted without the volume root");
        let is_wanted = self.w.wanted.is_some() && self.w.record.stopped.is_none();
        if let (Step::Stop(g), None) = (step, &self.w.record.intent) {
            let is_kept = is_wanted && self.current() == Some(*g) && self.runs(*g);
            self.promise(!is_kept, "P3: stopped though no update of its own is under way");
        }
        let (Step::Stop(g) | Step::Remove(g), Some(i)) = (step, &self.w.record.intent) else {
            return;
        };
        let has_verdict = i.verdict.is_some() || self.w.evidence.unwritable.is_some();
        let (is_new, boots) = (i.generation == *g, i.boots());
        let is_old = self.current() == Some(*g);
        if is_old && boots == 0 && !has_verdict && self.runs(*g) {
            self.promise(self.w.gate.is_none(), "P3: stopped while it was not to be");
        }
        let is_needed = self.w.evidence.was_down != Some(*g);
        if matches!(step, Step::Remove(_)) {
            let is_of_use = is_needed && !self.is_given_up(*g);
            self.promise(!is_old || !is_of_use, "P1: the old one removed before the commit");
        }
        let ends = self.runs(*g) || matches!(step, Step::Remove(_));
        if is_new && ends && is_wanted && boots > 0 && self.current().is_some() {
            self.promise(has_verdict, "P4: acted before the verdict");
        }
    }

    /// What must be so when the old one's state is copied, or the new one's start is written down.
    pub fn check_cut(&mut self) {
        let record = &self.w.record;
        let old = record.current.as_ref().filter(|c| self.w.container(c.generation).is_some());
        let is_ours = old.is_none_or(|old| self.by_us == Some(old.generation));
        self.promise(is_ours, "P1: cut over though this run did not stop the old one");
        let intent = self.w.record.intent.as_ref().map(|i| i.generation);
        let container = intent.and_then(|g| self.w.container(g)).map(|c| &c.id);
        let compared = container.is_some() && self.w.evidence.compared.as_ref() == container;
        self.promise(compared, "P7: cut over before its container was compared");
        let inspected = self.w.evidence.inspected.as_ref().map(|(g, _)| *g);
        self.promise(inspected == intent, "P5: cut over before its image was looked into");
    }

    /// The fork that the intent's copy must hold: the old one's, unless an operator named another.
    fn source(&self) -> Option<Generation> {
        let asked = self.w.record.intent.as_ref().filter(|i| i.trigger == Trigger::Operator);
        asked.and_then(|i| i.parent).or(self.current())
    }

    /// The copy holds what the old one wrote last.
    fn check_copy(&mut self) {
        let intent = self.w.record.intent.as_ref().filter(|i| !i.old_state);
        let (Some(g), Some(old)) = (intent.map(|i| i.generation), self.source()) else { return };
        let is_latest = self.content(g).base == Some((old, self.content(old).writes));
        self.promise(is_latest, "P2: a start written down for a copy that is not the latest state");
    }

    pub fn check_write(&mut self, change: &Change, mark: Option<&Mark>) {
        match change {
            Change::Begin(i) => self.check_begin(i),
            Change::Boots { boots: 1, .. } => {
                self.check_cut();
                self.check_copy();
            }
            Change::Verdict(_) => {
                self.promise(
                    matches!(mark, Some(Mark::Failed { .. })),
                    "P4: a verdict before its mark",
                );
            }
            Change::Conclude => self.promise(
                matches!(mark, Some(Mark::Committed { .. } | Mark::Failed { word: Some(_), .. })),
                "P1: concluded before its mark",
            ),
            _ => {}
        }
    }

    pub fn check_begin(&mut self, i: &Intent) {
        let other = usize::from(i.spec.hash == definition(true));
        let is_condemned = self.condemned[usize::from(release(&i.spec))][other];
        self.promise(!is_condemned, "P4: a condemned release was tried again");
        self.promise(i.generation > self.reserved, "P2: a number went back");
        let doubtful = self.w.record.tries.as_ref().is_some_and(|t| t.ambiguous + t.victims > 0);
        let is_same = self.w.record.tries.as_ref().is_some_and(|t| {
            Some(t.config) == i.spec.release.config && t.definition == i.spec.hash
        });
        let runs = self.current().is_some_and(|g| self.runs(g)) && self.w.record.proven;
        let waits = doubtful && is_same && runs && i.trigger != Trigger::Operator;
        self.promise(
            !waits || self.w.evidence.settled,
            "P4: tried again before the old one settled",
        );
    }

    /// Whether a copy lies there that would be taken for the latest state, and could be marked as none.
    fn has_copy_that_counts(&self) -> bool {
        let is_open = |i: &&Intent| i.boots() == 0 && i.verdict.is_none() && !i.old_state;
        let intent = self.w.record.intent.as_ref().filter(is_open);
        let intent = intent.filter(|_| self.w.evidence.unwritable.is_none());
        intent.map(|i| i.generation).is_some_and(|g| {
            let can_be_marked = self.w.failure(g, StepName::Fork).is_none();
            can_be_marked && self.w.fork(g).is_some_and(Fork::is_complete)
        })
    }

    /// What must hold whenever the agent itself starts a container.
    pub fn check_start(&mut self, g: Generation) {
        let alone = self.up().into_iter().all(|u| u == g);
        self.promise(alone, "P3: started while another runs");
        let settled = self.late.is_none_or(|l| l == g);
        self.promise(settled, "P3: started while a lost start may land");
        let complete = self.w.fork(g).is_some_and(Fork::is_complete);
        self.promise(complete, "P2: started on an unfinished fork");
        let owned = self.content(g).owned;
        self.promise(owned, "P6: started before its volumes were owned");
        let runs_here = self.nature(g) != Nature::NotRunnable;
        self.promise(runs_here, "P5: started what can't run here");
        let content = self.content(g);
        self.promise(!content.torn, "P2: started on a torn copy");
        let ran = |f: &Fork| {
            f.generation != g && f.is_complete() && self.content(f.generation).writes > 0
        };
        let is_empty = content.base.is_none() && content.writes == 0 && !content.fizzled;
        let is_loss = is_empty && self.w.forks.iter().any(ran);
        self.promise(!is_loss, "P2: started on an empty fork beside one that ran");
        let current = self.current();
        let is_tried = self.w.record.intent.as_ref().filter(|i| i.generation == g);
        match (is_tried.map(|i| (i.boots(), i.old_state)), current) {
            (Some((boots, false)), Some(_)) => {
                self.promise(boots > 0, "P1: started before boots was written");
                self.promise(!content.early, "P2: started on a copy that was written to before");
                let latest = self.source().map(|of| (of, self.content(of).writes));
                let latest = content.base == latest;
                self.promise(latest, "P2: the copy is not the latest state");
                let other = self.w.spec(g).is_some_and(|s| s.hash == definition(true));
                let bad = self.condemned[usize::from(self.release(g))][usize::from(other)];
                self.promise(!bad, "P4: a condemned release was started");
            }
            (None, current) => {
                self.promise(current == Some(g), "P1: started what nobody wants");
                let is_beside = self.has_copy_that_counts();
                self.promise(!is_beside, "P2: the old one started beside a copy that counts");
                let is_due = self.w.dependency.is_none();
                self.promise(is_due, "P3: started before what it is after");
            }
            _ => {}
        }
    }
}
