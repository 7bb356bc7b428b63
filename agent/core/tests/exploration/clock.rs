//! Clock, window and hold: a board without a clock of its own, whose time jumps by a year or to 1970 at any moment.
//!
//! The gate is told as the daemon's `gates` tell it: window and hold hold back the stop of a running app, the window
//! waits for a clock that is set.

use titania_core::fork::{Fork, Mark};
use titania_core::outcome::Trigger;
use titania_core::reason::{Class, Code};
use titania_core::record::Hold;
use titania_core::status::WaitingFor;
use titania_core::step::{Change, Decision, Why};
use titania_core::time::{PLAUSIBLE, Timestamp};
use titania_core::world::Container;

use crate::faults::Faults;
use crate::model::{State, reason};
use crate::search::Label;

const HOUR: i64 = 60 * 60 * 1000;
const YEAR: i64 = 365 * 24 * HOUR;
/// What a clock says that is right.
const NOW: Timestamp = Timestamp(PLAUSIBLE.0 + 3 * YEAR);
/// Who holds.
const PERSON: &str = "uid:0";

impl State {
    /// The board starts, and its clock stands at 1970 until somebody sets it.
    pub fn lose_clock(&mut self) {
        if self.bounds.clock {
            (self.w.at, self.w.clock_synced) = (Timestamp(0), false);
        }
    }

    /// Time passes: the clock is set, the window opens, a hold that has an end ends.
    pub fn pass(&mut self, decision: &Decision) {
        if !self.bounds.clock {
            return;
        }
        if !self.w.clock_synced {
            (self.w.at, self.w.clock_synced) = (NOW, true);
        }
        match decision {
            Decision::Wait(Why::Gate(_, WaitingFor::Window), _) => self.is_day = false,
            Decision::Wait(Why::Gate(_, WaitingFor::Hold), _) => {
                let until = self.w.record.hold.as_ref().and_then(|hold| hold.until);
                self.w.at = until.map_or(self.w.at, |until| until.max(self.w.at));
            }
            _ => {}
        }
    }

    /// The gate of a cutover, as window and hold shut it.
    pub fn see_gate(&mut self) {
        if !self.bounds.clock {
            return;
        }
        let w = &mut self.w;
        let current = w.record.current.as_ref().map(|c| c.generation);
        let runs = current.and_then(|g| w.container(g)).is_some_and(Container::is_up);
        let is_due = w.record.intent.as_ref().is_some_and(|i| {
            i.boots() == 0 && i.verdict.is_none() && i.trigger != Trigger::Operator
        });
        let is_held = |hold: &Hold| hold.until.is_none_or(|until| until > w.at);
        let shut = match () {
            () if !is_due || !runs => None,
            () if !w.clock_synced => Some((Code::ClockUnsynced, WaitingFor::Clock)),
            () if self.is_day => Some((Code::Operator, WaitingFor::Window)),
            () if w.record.hold.as_ref().is_some_and(is_held) => {
                Some((Code::Operator, WaitingFor::Hold))
            }
            () => None,
        };
        let environment = Class::Environment;
        w.gate = shut.map(|(code, waiting_for)| (reason(code, environment), waiting_for));
    }

    /// Whether a hold without an end is all that an update waits for, its app running.
    pub fn is_held(&self, decision: &Decision) -> bool {
        let waits = matches!(decision, Decision::Wait(Why::Gate(_, WaitingFor::Hold), _));
        let for_ever = self.w.record.hold.as_ref().is_some_and(|hold| hold.until.is_none());
        let up = self.up();
        waits && for_ever && up.len() == 1 && up.first().copied() == self.current()
    }

    /// Whether a fork failed so long ago, by clocks that were set, that it has no place of its own.
    pub fn has_had_its_time(&self, fork: &Fork) -> bool {
        let Some(Mark::Failed { reason, .. }) = fork.file.as_ref().and_then(|f| f.mark.as_ref())
        else {
            return false;
        };
        let age = self.w.at.0 - reason.at.0;
        self.w.clock_synced && reason.at >= PLAUSIBLE && age > 30 * 24 * HOUR
    }

    /// Times that nothing asks for tell no two worlds apart.
    pub fn reduce_times(&mut self) {
        let record = &mut self.w.record;
        for committed in [&mut record.current, &mut record.previous].into_iter().flatten() {
            committed.at = Timestamp(0);
        }
        for entry in &mut record.quarantine {
            (entry.at, entry.reason.at) = (Timestamp(0), Timestamp(0));
        }
    }
}

/// Jumps of the clock, the window's end, and persons' holds.
pub fn of_clock(faults: &mut Faults<'_>) {
    let s = faults.from;
    if !s.bounds.clock {
        return;
    }
    if s.w.clock_synced {
        faults.push(Label("the clock jumps a year ahead", 0), |n| n.w.at.0 += YEAR);
        faults.push(Label("the clock jumps a year back", 0), |n| n.w.at.0 -= YEAR);
        faults.push(Label("the clock jumps to 1970", 0), State::lose_clock);
    }
    if !s.is_day {
        faults.push(Label("the window closes", 0), |n| n.is_day = true);
    }
    let hold = |until: Option<i64>| {
        let until = until.map(|wait| Timestamp(s.w.at.0 + wait));
        Change::Hold(Some(Hold { by: PERSON.into(), reason: String::new(), until }))
    };
    match s.w.record.hold {
        None => {
            faults.push(Label("a person holds it", 0), |n| n.write(&hold(None), true));
            faults.push(Label("a person holds it for an hour", 0), |n| {
                n.write(&hold(Some(HOUR)), true);
            });
        }
        Some(_) => {
            faults.push(Label("the hold is cleared", 0), |n| n.write(&Change::Hold(None), true));
        }
    }
}
