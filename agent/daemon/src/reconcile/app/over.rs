//! What stands in the way of an app's steps, and when it is over.

use titania_core::names::Generation;
use titania_core::reason::{Code, Reason};
use titania_core::status::StepName;
use titania_core::time::{Millis, Moment};
use titania_core::world::Doubt;

use super::Memory;

/// An image that was looked into is not suspected again for so long: a release that ends by itself does so often.
const LOOK_SPAN: Millis = Millis::seconds(600);

impl Memory {
    /// The current release ended by itself, or would not start: its image is looked into, once in a while.
    pub fn suspect(&mut self, generation: Generation, now: Moment) {
        let is_recent =
            |(of, at): (Generation, Moment)| of == generation && now.since(at) <= LOOK_SPAN;
        let is_recent = self.looked.is_some_and(is_recent);
        let doubt = self.evidence.doubt.filter(|(of, _)| *of == generation);
        let now = match doubt.map(|(_, doubt)| doubt) {
            Some(Doubt::Damaged | Doubt::Needed) => return,
            Some(Doubt::Gone) if is_recent => Doubt::Needed,
            _ if is_recent => return,
            _ => Doubt::Suspected,
        };
        self.evidence.doubt = Some((generation, now));
    }

    /// The failure of a step is over.
    pub fn forgive(&mut self, generation: Generation, step: StepName) {
        self.failures.remove(&(generation, step));
        self.evidence
            .failed
            .retain(|failure| (failure.generation, failure.step) != (generation, step));
    }

    /// The registry answers: what it could not give before is asked for again at once. Tells whether there is such.
    pub fn registry_is_back(&mut self) -> bool {
        let is_its = |reason: &Reason| {
            matches!(
                reason.code,
                Code::RegistryUnreachable | Code::RegistryDenied | Code::RateLimited
            )
        };
        let was_sought = self.evidence.sought.is_some_and(|(_, found)| !found);
        if !self.forgive_those(is_its) && !was_sought {
            return false;
        }
        self.evidence.sought = self.evidence.sought.filter(|(_, found)| *found);
        self.sought_until = self.sought_until.filter(|_| self.evidence.sought.is_some());
        true
    }

    /// The engine is another one, or was started again: its list of ports is a new one.
    pub fn ports_are_listed_anew(&mut self) {
        self.forgive_those(|reason| matches!(reason.code, Code::PortInUse | Code::PortLeaked));
    }

    /// Whether a disk is waited for.
    pub fn waits_for_disk(&self) -> bool {
        let failed = self.evidence.failed.iter().map(|failed| &failed.reason);
        failed.chain(self.pause.iter().map(|pause| &pause.reason)).any(is_of_disk)
    }

    /// A disk has more room than before: what found too little is tried again at once.
    pub fn disk_has_more_room(&mut self) -> bool {
        let was_paused = self.pause.as_ref().is_some_and(|pause| is_of_disk(&pause.reason));
        if was_paused {
            self.pause = None;
        }
        self.forgive_those(is_of_disk) || was_paused
    }

    /// Failures of that kind are over. Tells whether there were any.
    fn forgive_those(&mut self, is_its: impl Fn(&Reason) -> bool) -> bool {
        let failed = self.evidence.failed.iter().filter(|failed| is_its(&failed.reason));
        let over: Vec<_> = failed.map(|failed| (failed.generation, failed.step)).collect();
        for (generation, step) in &over {
            self.forgive(*generation, *step);
        }
        !over.is_empty()
    }

    /// Forgets all failures: an operator's `retry`, or another target.
    pub fn forgive_all(&mut self) {
        self.failures.clear();
        self.evidence.failed.clear();
        self.pause = None;
        self.evidence.sought = None;
        self.sought_until = None;
        self.sought_count = 0;
        self.evidence.doubt = None;
        self.evidence.repaired = None;
        self.looked = None;
    }
}

fn is_of_disk(reason: &Reason) -> bool {
    reason.code == Code::DiskLow
}
