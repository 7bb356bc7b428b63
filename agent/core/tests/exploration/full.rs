//! Disks that are full, and what the executor makes of a write that finds no room.

use titania_core::fork::Mark;
use titania_core::reason::{Class, Code, Reason};
use titania_core::record::Verdict;
use titania_core::status::StepName;
use titania_core::step::{Change, Step};

use crate::model::{State, reason};

impl State {
    /// What comes of a step that writes, on disks that stay full: as the daemon's `perform` has it.
    pub fn finds_no_room(&mut self, step: &Step) -> bool {
        let spoken = |reason: &Reason, step| Verdict { reason: reason.clone(), step };
        match step {
            Step::Write(change) => match &**change {
                Change::Conclude | Change::Rebuild(_) => {
                    self.write(change, false);
                }
                Change::Boots { .. } => self.unwritable(),
                Change::Verdict(verdict) => self.w.evidence.unwritable = Some(verdict.clone()),
                _ => {}
            },
            Step::Mark(_, mark) => {
                if let Mark::Failed { reason, step, .. } = &**mark {
                    self.w.evidence.unwritable = Some(spoken(reason, *step));
                }
            }
            Step::Reserve(file) => self.fail(step, file.generation, Class::Environment),
            Step::Fetch(g, _) | Step::Fork(g, _) | Step::Unfinish(g) => {
                self.fail(step, *g, Class::Environment);
            }
            _ => return false,
        }
        true
    }

    /// A verdict or `boots` that met a full disk though room was kept.
    pub fn unwritable(&mut self) {
        let reason = reason(Code::DiskLow, Class::Environment);
        self.w.evidence.unwritable = Some(Verdict { reason, step: StepName::Start });
    }
}
