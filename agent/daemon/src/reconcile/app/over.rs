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
        let is_known = self.evidence.doubt == Some((generation, Doubt::Damaged));
        if !is_known && !self.looked.is_some_and(is_recent) {
            self.evidence.doubt = Some((generation, Doubt::Suspected));
        }
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
        let failed = self.evidence.failed.iter().filter(|failed| is_its(&failed.reason));
        let over: Vec<_> = failed.map(|failed| (failed.generation, failed.step)).collect();
        let was_sought = self.evidence.sought.is_some_and(|(_, found)| !found);
        if over.is_empty() && !was_sought {
            return false;
        }
        for (generation, step) in over {
            self.forgive(generation, step);
        }
        self.evidence.sought = self.evidence.sought.filter(|(_, found)| *found);
        self.sought_until = self.sought_until.filter(|_| self.evidence.sought.is_some());
        true
    }

    /// The engine is another one, or was started again: its list of ports is a new one.
    pub fn ports_are_listed_anew(&mut self) {
        let is_its = |reason: &Reason| matches!(reason.code, Code::PortInUse | Code::PortLeaked);
        let failed = self.evidence.failed.iter().filter(|failed| is_its(&failed.reason));
        let over: Vec<_> = failed.map(|failed| (failed.generation, failed.step)).collect();
        for (generation, step) in over {
            self.forgive(generation, step);
        }
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
