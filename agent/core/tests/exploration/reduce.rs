//! What tells two worlds apart, and what does not: worlds that go on alike are searched once.

use crate::model::{Nature, State, definition, release, spec};

impl State {
    /// Forgets what no longer tells two worlds apart.
    pub fn reduce(&mut self) {
        let forgets = self.faults > 0 || self.bounds.natures.contains(&Nature::KillsBoard);
        if !forgets {
            self.disk = None;
        }
        if self.faults == 0 {
            self.former = None;
        }
        (self.restarted, self.is_back) = (false, false);
        self.reduce_record();
        self.reduce_times();
        self.reduce_evidence();
        self.reduce_damage();
        self.see_gate();
        self.stopped.sort_unstable();
        self.w.forks.sort_by_key(|f| f.generation);
        self.w.containers.sort_by_key(|c| c.generation);
        self.w.images.sort_unstable();
        let forks = &self.w.forks;
        self.contents.retain(|c| forks.iter().any(|f| f.generation == c.of));
        self.stranger &= self.up().len() > 1 || self.late.is_some(); // one that lands beside it
        if self.up().len() > 1 && !self.stranger {
            self.promise(false, "P3: two run");
        }
    }

    fn reduce_record(&mut self) {
        let current = self.w.record.current.as_ref();
        if let Some(wanted) = &mut self.w.wanted {
            let other = wanted.hash == definition(true);
            let rollback = self.bounds.rollback;
            wanted.with_current = current.map(|c| spec(release(&c.spec), other, false, rollback));
        }
        // Boots are told apart from that of the probation alone.
        let boot = &mut self.w.boot.0;
        let mut is_another = false;
        if let Some(intent) = &mut self.w.record.intent {
            intent.attempt = 1;
            if let Some(p) = &mut intent.probation {
                is_another = p.boot_id.0 != *boot;
                p.boot_id.0.clear();
            }
        }
        boot.clear();
        if is_another {
            boot.push('+');
        }
        if let Some(tries) = &mut self.w.record.tries {
            tries.named = tries.named.min(1);
        }
    }

    /// As the executor's own upkeep does, and what `decide` looks at in other situations alone.
    fn reduce_evidence(&mut self) {
        let intent = self.w.record.intent.as_ref().map(|i| i.generation);
        if intent.is_none() {
            self.starts = 0;
            self.w.evidence.begun = None;
            self.w.evidence.inspected = None;
            self.w.evidence.compared = None;
        }
        for c in self.w.containers.iter_mut().filter(|c| Some(c.generation) != intent) {
            c.exit = None;
        }
        let containers = &self.w.containers;
        self.w.evidence.stopped.take_if(|(g, at)| {
            !containers.iter().any(|c| c.generation == *g && c.started_at == *at)
        });
        let tries = self.w.record.tries.as_ref();
        self.w.evidence.settled &= tries.is_some_and(|t| t.ambiguous + t.victims > 0);
    }
}
