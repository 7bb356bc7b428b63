//! Probation: what the probes of one start of a container have said so far, as health.
//!
//! Promise: state of constant size (counters, never a log), and no clock: every call says what
//! moment it is. Times are those of the boot clock, so a wall clock that jumps changes nothing.
//! Trusts: that the caller begins a new trial for each start that it sees. Distrusts: nothing;
//! any order of answers gives some health.
//!
//! Rules (DESIGN §3.5, §5 `[health]`, and Docker's HEALTHCHECK for what those leave open):
//! - `retries` noes in a row are unhealthy. They count once `start_period` is over or the first yes
//!   was heard, and at most one in each `interval`: the quick probes after a start can only help.
//! - No connection is no answer: it ends a row of passes, it never counts as a no.
//! - Passes without a break for `settle`, the last of them at its end, settle.
//! - Once settled, probes over the network keep step: those of one interval are sent together, so that the board is
//!   woken once for all apps. Probes that the engine makes do not: each starts a process.
//! - `deadline` bounds the time until it settles, all starts and boots of one probation together.

use crate::definition::{self, ProbeRule};
use crate::status::HealthState;
use crate::time::{Millis, Moment};
use crate::world::Health;

/// Wait before the first probe after a start, doubled until the first yes: health is seen quickly.
pub const FIRST_PROBE: Millis = Millis(100);

/// What merely stays up is called healthy after this: one that can't even start has died by then.
pub const STAYS_UP: Millis = Millis::seconds(1);

/// A no counts so much before its interval is over: timers round.
const SLACK: u64 = 50;

/// What one probe heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Healthy.
    Yes,
    /// It answered, and not well.
    No,
    /// As many noes as were allowed: the engine counted them by itself.
    Unhealthy,
    /// No connection, or no answer in time.
    Silence,
}

/// The trial of one start of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Trial {
    /// It only has to stay up.
    stays_up: bool,
    /// Its probes cost so little that they may be sent together with those of other apps.
    keeps_step: bool,
    interval: Millis,
    retries: u32,
    start_period: Millis,
    settle: Millis,
    deadline: Millis,
    /// When it was first seen running.
    started: Moment,
    /// Where the deadline's clock goes on from, and what it had used before.
    since: Moment,
    spent: Millis,
    /// Probes answered so far, for the quick start.
    asked: u32,
    last: Option<Moment>,
    passing_since: Option<Moment>,
    settled: bool,
    /// Noes in a row that count, and when the last one did.
    noes: u32,
    counted: Option<Moment>,
    /// Probes in a row that did not pass, whatever they heard.
    missed: u32,
    ever_yes: bool,
    said_no: bool,
}

impl Trial {
    /// A start that was first seen running at `started`. `spent`: what its probation had used by then,
    /// all boots together; zero outside of one. `stays_up`: there is nothing to ask.
    pub fn begin(
        rule: &definition::Health,
        stays_up: bool,
        started: Moment,
        spent: Millis,
    ) -> Self {
        let mut trial = Self {
            stays_up: false,
            keeps_step: false,
            interval: Millis(0),
            retries: 0,
            start_period: Millis(0),
            settle: Millis(0),
            deadline: Millis(0),
            started,
            since: started,
            spent,
            asked: 0,
            last: None,
            passing_since: None,
            settled: false,
            noes: 0,
            counted: None,
            missed: 0,
            ever_yes: false,
            said_no: false,
        };
        trial.judge_by(rule, stays_up);
        trial
    }

    /// Judges by another rule from now on; what was heard stays heard.
    pub fn judge_by(&mut self, rule: &definition::Health, stays_up: bool) {
        self.stays_up = stays_up;
        self.keeps_step = matches!(rule.probe, ProbeRule::Http { .. } | ProbeRule::Tcp { .. });
        self.interval = Millis(rule.interval.0.max(1));
        self.retries = rule.retries.max(1);
        self.start_period = rule.start_period;
        self.settle = rule.settle;
        self.deadline = rule.deadline;
    }

    /// Takes in what a probe heard; `at` is when it heard it.
    pub fn hear(&mut self, at: Moment, answer: Answer) {
        self.asked = self.asked.saturating_add(1);
        self.last = Some(at);
        match answer {
            Answer::Yes => self.pass(at),
            Answer::No | Answer::Unhealthy => {
                self.miss(at, true);
                self.count(at, answer == Answer::Unhealthy);
            }
            Answer::Silence => self.miss(at, false),
        }
    }

    fn pass(&mut self, at: Moment) {
        let since = *self.passing_since.get_or_insert(at);
        self.settled = self.settled || at.since(since) >= self.settle;
        self.ever_yes = true;
        self.noes = 0;
        self.counted = None;
        self.missed = 0;
    }

    fn miss(&mut self, at: Moment, said_no: bool) {
        if self.settled {
            // It had proved itself: from here on it has all of `deadline` to come back.
            self.since = at;
            self.spent = Millis(0);
            self.said_no = false;
        }
        self.said_no |= said_no;
        self.settled = false;
        self.passing_since = None;
        self.missed = self.missed.saturating_add(1);
    }

    fn count(&mut self, at: Moment, all: bool) {
        let up = at.since(self.started);
        if !self.ever_yes && up < self.start_period {
            return;
        }
        // The first no after a yes counts at once, the first after a start once the interval is over.
        let due = match self.counted {
            Some(before) => before.after(self.interval),
            None if self.ever_yes => at,
            None => self.started.after(self.interval),
        };
        if all {
            self.noes = self.retries;
            self.counted = Some(at);
        } else if at.0.saturating_add(SLACK) >= due.0 {
            self.noes = self.noes.saturating_add(1);
            self.counted = Some(at);
        }
    }

    /// Health for `decide`.
    pub fn health(&self, now: Moment) -> Health {
        let healthy = if self.stays_up {
            now >= self.started.after(STAYS_UP)
        } else {
            self.passing_since.is_some()
        };
        if self.noes >= self.retries {
            Health::Unhealthy
        } else if self.has_settled(now) {
            Health::Settled
        } else if now >= self.late_at() {
            Health::Late { said_no: self.said_no }
        } else if healthy {
            Health::Healthy
        } else {
            Health::Starting
        }
    }

    /// Health as it is shown. What once was healthy stays so until `retries` probes in a row did not
    /// pass, silent ones too: an app that hangs is not shown as healthy for ever.
    pub fn shown(&self, now: Moment) -> HealthState {
        match self.health(now) {
            Health::Unhealthy => HealthState::Unhealthy,
            Health::Healthy | Health::Settled => HealthState::Healthy,
            Health::Late { .. } if self.passing_since.is_none() => HealthState::Unhealthy,
            Health::Late { .. } => HealthState::Healthy,
            Health::Starting if !self.ever_yes => HealthState::Starting,
            Health::Starting if self.missed >= self.retries => HealthState::Unhealthy,
            Health::Starting => HealthState::Healthy,
        }
    }

    /// When to ask next; `None` when there is nothing to ask.
    pub fn next_probe(&self) -> Option<Moment> {
        if self.stays_up {
            return None;
        }
        let Some(last) = self.last else {
            return Some(self.started.after(FIRST_PROBE));
        };
        let mut next = last.after(self.interval);
        if !self.ever_yes {
            let quick = FIRST_PROBE.0.saturating_mul(1 << self.asked.min(16));
            next = next.min(last.after(Millis(quick)));
            // On the interval itself, where a no counts.
            let counts = self.counted.unwrap_or(self.started).after(self.interval);
            if counts > last {
                next = next.min(counts);
            }
        }
        match self.passing_since {
            Some(since) if !self.settled => Some(next.min(since.after(self.settle).max(last))),
            // The nearest moment of all moments so far apart: half an interval sooner or later, once.
            Some(_) if self.keeps_step => {
                let interval = self.interval.0;
                Some(Moment(next.0.saturating_add(interval / 2) / interval * interval))
            }
            _ => Some(next),
        }
    }

    /// When health can change though no probe answers; `None` when it can't.
    pub fn next_change(&self, now: Moment) -> Option<Moment> {
        let stages = [
            self.stays_up.then(|| self.started.after(STAYS_UP)),
            self.stays_up.then(|| self.started.after(self.settle)),
            (!self.has_settled(now)).then(|| self.late_at()),
        ];
        stages.into_iter().flatten().filter(|at| *at > now).min()
    }

    fn has_settled(&self, now: Moment) -> bool {
        if self.stays_up { now >= self.started.after(self.settle) } else { self.settled }
    }

    fn late_at(&self) -> Moment {
        self.since.after(Millis(self.deadline.0.saturating_sub(self.spent.0)))
    }
}

/// Whether there is nothing to ask: no rule, and no HEALTHCHECK in the image.
pub fn stays_up(rule: &ProbeRule, image_has_healthcheck: bool) -> bool {
    matches!(rule, ProbeRule::Default) && !image_has_healthcheck
}

#[cfg(test)]
mod tests;
