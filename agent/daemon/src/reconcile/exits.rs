//! How a container ended, as far as the engine's event stream showed it (DESIGN §3.5, "Blame").
//!
//! Promise: an exit is called the release's own only when its `die` came on a stream that never broke since the
//! container's start, with no `kill` or `destroy` but the agent's. All else is ambiguous.
//! Trusts nothing that inspect says of an end: after a crash of the engine an exit code means nothing.
//! Pure: events in, answers out.

use std::collections::BTreeMap;

use titania_core::names::BootId;
use titania_core::reason::Code;

/// What was seen of one container since its last start, or since the stream is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Watch {
    /// Seen from its start on.
    whole: bool,
    /// Someone else's signal or removal came.
    foreign: bool,
    /// This run asked for its start, and the stream has not told of it yet.
    start_due: bool,
    /// This run asked the engine to stop or remove it: signals from then on are its own.
    own_stop: bool,
    /// Out of memory, as the kernel told the engine.
    out_of_memory: bool,
    /// Exit code of its `die`.
    died: Option<i64>,
}

/// What was known of a container before its start was asked for.
#[derive(Debug)]
pub struct Before(Option<Watch>);

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself.
    Own {
        /// Exit code.
        code: i64,
        /// Was it the memory limit?
        out_of_memory: bool,
    },
    /// What can't be told apart.
    Ambiguous(Code),
}

/// All that the event stream told, by container id.
#[derive(Debug, Default)]
pub struct Exits {
    connected: bool,
    watched: BTreeMap<String, Watch>,
}

impl Exits {
    /// The stream is open: what starts from now on is seen from its start.
    pub fn connected(&mut self) {
        self.connected = true;
    }

    /// The stream broke: nothing that runs now is seen to its end. What this run had asked for stays its own.
    pub fn broke(&mut self) {
        self.connected = false;
        self.watched.retain(|_, watch| watch.own_stop);
        for watch in self.watched.values_mut() {
            *watch = Watch { own_stop: true, ..Watch::default() };
        }
    }

    /// A start is about to be asked for. Returns what was known before, for [`Exits::refused`].
    pub fn asked(&mut self, id: &str) -> Before {
        let before = Before(self.watched.get(id).cloned());
        let watch = Watch { whole: self.connected, start_due: true, ..Watch::default() };
        self.watched.insert(id.to_string(), watch);
        before
    }

    /// A start was seen. Of one that this run had asked for, a stop may have been asked for since.
    pub fn started(&mut self, id: &str) {
        let own_stop = self.watched.get(id).is_some_and(|watch| watch.start_due && watch.own_stop);
        let watch = Watch { whole: self.connected, own_stop, ..Watch::default() };
        self.watched.insert(id.to_string(), watch);
    }

    /// This run is about to stop or remove it.
    pub fn own_stop(&mut self, id: &str) {
        self.of(id).own_stop = true;
    }

    fn of(&mut self, id: &str) -> &mut Watch {
        self.watched.entry(id.to_string()).or_default()
    }

    /// The engine refused its start: all is as it was before.
    pub fn refused(&mut self, id: &str, before: Before) {
        match before.0 {
            Some(watch) => self.watched.insert(id.to_string(), watch),
            None => self.watched.remove(id),
        };
    }

    /// A signal was sent to it. Tells whether it is the first by somebody else: a stop can take two.
    pub fn killed(&mut self, id: &str) -> bool {
        let watch = self.of(id);
        !watch.own_stop && !std::mem::replace(&mut watch.foreign, true)
    }

    /// The kernel killed a process of it for lack of memory.
    pub fn out_of_memory(&mut self, id: &str) {
        self.of(id).out_of_memory = true;
    }

    /// It ended.
    pub fn died(&mut self, id: &str, code: i64) {
        let watch = self.of(id);
        watch.died = Some(code);
        watch.start_due = false; // its start, if it was one, was told of before
    }

    /// It was removed. Tells whether by somebody else whose hand was not told of yet.
    pub fn destroyed(&mut self, id: &str) -> bool {
        let watch = self.watched.remove(id).unwrap_or_default();
        !watch.own_stop && !watch.foreign
    }

    /// Whether its `die` must still come: the stream is unbroken since its start, and told of no end yet.
    ///
    /// On some engines it comes after the container is seen stopped, on 26.1 after the answer to stop.
    pub fn awaits_die(&self, id: &str) -> bool {
        self.watched.get(id).is_some_and(|watch| {
            watch.whole && watch.died.is_none() && !watch.own_stop && !watch.foreign
        })
    }

    /// How it ended. `signals_seen` is false on an engine without `kill` events (Podman): there no exit is the release's own.
    /// `began_in` is the boot in which its start was written down, where one was.
    pub fn how(
        &self,
        id: &str,
        signals_seen: bool,
        boot: &BootId,
        began_in: Option<&BootId>,
    ) -> Ended {
        if began_in.is_some_and(|began| began != boot) {
            return Ended::Ambiguous(Code::BoardRestarted);
        }
        match self.watched.get(id) {
            _ if !signals_seen => Ended::Ambiguous(Code::ExitUnseen),
            Some(watch) if watch.foreign => Ended::Ambiguous(Code::StoppedOutside),
            Some(Watch { whole: true, died: Some(code), out_of_memory, .. }) => {
                Ended::Own { code: *code, out_of_memory: *out_of_memory }
            }
            _ => Ended::Ambiguous(Code::ExitUnseen),
        }
    }

    /// Whether somebody, the agent or a person, asked for its end.
    pub fn was_asked_for(&self, id: &str) -> bool {
        self.watched.get(id).is_some_and(|watch| watch.own_stop || watch.foreign)
    }

    /// Forgets all containers but these.
    pub fn keep(&mut self, alive: impl Fn(&str) -> bool) {
        self.watched.retain(|id, _| alive(id));
    }
}

#[cfg(test)]
mod tests;
