//! Events on their way: in order, one in flight, bounded. Pure, no IO.
//!
//! Promise: an event leaves the outbox when the broker has it, or when there is no room; then the oldest goes first,
//! and one `events_dropped` stands where the lost ones were. The one in flight is never dropped: the broker may have it
//! already. What an earlier run left goes out before what this one adds.
//! `(board, seq)` stays unique and rises: that one event has the odd number after the last of the lost ones, which is no
//! other event's, and goes out only when those it tells of are on disk as given up: no later run reads them again, to
//! send one after it, or to tell of others under its number.

use std::collections::VecDeque;

use titania_core::event::{Delivery, Dropped, Event, EventType, Level};
use titania_core::names::BootId;
use titania_core::time::Timestamp;

/// Most events kept: months of a quiet board, an hour of one in trouble.
pub(super) const EVENTS_MAX: usize = 1000;
/// Most bytes of them: what a board with 512 MB can spare for an absent broker.
pub(super) const BYTES_MAX: usize = 512 * 1024;
/// Longest single event: below the packet limit, and no single one can push out all others.
pub(super) const EVENT_BYTES_MAX: usize = 64 * 1024;

/// Longest time that an event is kept, in milliseconds: a month, after which nobody asks. Counted between events, and
/// only where the clock could be trusted at both.
pub(super) const AGE_MAX: i64 = 30 * 24 * 60 * 60 * 1000;

/// One event as it goes out.
#[derive(Debug)]
struct Letter {
    seq: u64,
    at: Timestamp,
    clock_synced: bool,
    payload: Box<[u8]>,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    board: String,
    boot_id: BootId,
    in_flight: Option<Letter>,
    /// What the one in flight tells of, when it is no event of the board's; with none in flight, what the next will.
    confessing: Option<Dropped>,
    /// Up to this number what was given up is on disk as such.
    kept_to: u64,
    gap: Option<Dropped>,
    queue: VecDeque<Letter>,
    bytes: usize,
    dropped: u64,
    newest: u64,
}

impl Outbox {
    /// Takes in what an earlier run left, before anything else.
    pub(super) fn restore(&mut self, events: &[Event], dropped: Option<Dropped>) {
        let mut waiting = events;
        if let Some(gap) = dropped {
            self.gap = Some(gap);
            self.dropped += gap.count;
            self.newest = gap.last;
            self.kept_to = gap.last;
            // Of those before what was given up the last was in flight then; the others, which lie in its file, were
            // acknowledged.
            let (before, after) = events.split_at(events.partition_point(|e| e.seq < gap.first));
            self.in_flight = before.last().map(Letter::of);
            waiting = after;
        }
        if let Some(newest) = events.last() {
            self.sign_as(newest);
        }
        for event in waiting {
            self.push(event);
        }
    }

    /// How far events have got.
    pub(super) fn delivery(&self) -> Delivery {
        let in_flight = self.in_flight.as_ref().filter(|_| self.confessing.is_none());
        let dropped = match (self.confessing, self.gap) {
            (Some(told), Some(gap)) => {
                Some(Dropped { count: told.count + gap.count, first: told.first, ..gap })
            }
            (told, gap) => told.or(gap),
        };
        Delivery {
            in_flight: in_flight.map(|letter| letter.seq),
            kept_from: self
                .queue
                .front()
                .map_or(self.newest.saturating_add(1), |letter| letter.seq),
            dropped,
            is_to_be_kept: self.is_confession_due(),
        }
    }

    /// What was given up is on disk up to that number.
    pub(super) fn kept(&mut self, number: u64) {
        self.kept_to = self.kept_to.max(number);
    }

    fn is_confession_due(&self) -> bool {
        self.in_flight.is_none() && self.confessing.is_some()
    }

    /// Takes one event in.
    pub(super) fn push(&mut self, event: &Event) {
        self.sign_as(event);
        self.newest = self.newest.max(event.seq);
        let letter = Letter::of(event);
        self.bytes += letter.payload.len();
        let is_too_long = letter.payload.len() > EVENT_BYTES_MAX || letter.payload.is_empty();
        self.queue.push_back(letter);
        if is_too_long {
            self.drop_last();
        }
        while self.queue.len() > EVENTS_MAX || self.bytes > BYTES_MAX || self.is_stale(event) {
            self.drop_first();
        }
    }

    /// The payload to send now: the one already in flight (again, after a new connection), else the next. None, too, while
    /// it is the turn of one that waits for the disk.
    pub(super) fn head(&mut self) -> Option<Vec<u8>> {
        if self.in_flight.is_none() {
            self.confessing = self.confessing.or_else(|| self.gap.take());
            self.in_flight = match self.confessing {
                Some(gap) => {
                    // Of nothing but a gap, which an earlier run left, the next event tells whose it is.
                    let may_go = gap.last <= self.kept_to && !self.board.is_empty();
                    may_go.then(|| self.confession(&gap))
                }
                None => {
                    let letter = self.queue.pop_front();
                    self.bytes -= letter.as_ref().map_or(0, |letter| letter.payload.len());
                    letter
                }
            };
        }
        self.in_flight.as_ref().map(|letter| letter.payload.to_vec())
    }

    /// The broker has what was in flight.
    pub(super) fn acknowledged(&mut self) {
        self.in_flight = None;
        self.confessing = None;
    }

    /// Events not yet acknowledged.
    pub(super) fn queued(&self) -> u64 {
        let waiting = self.queue.len() + usize::from(self.gap.is_some());
        (waiting + usize::from(self.in_flight.is_some() || self.is_confession_due())) as u64
    }

    /// Events given up since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// An event too long to be sent: only a bug or a stranger's text makes one. It leaves no gap behind it where it
    /// would stand out of order; the count tells.
    fn drop_last(&mut self) {
        if let Some(letter) = self.queue.pop_back() {
            self.bytes -= letter.payload.len();
            self.dropped += 1;
            if self.queue.is_empty() {
                self.widen(&letter);
            }
        }
    }

    /// The oldest is from so long before `newest` that nobody waits for it.
    fn is_stale(&self, newest: &Event) -> bool {
        self.queue.front().is_some_and(|oldest| {
            let is_known = oldest.clock_synced && newest.clock_synced;
            is_known && newest.at.0.saturating_sub(oldest.at.0) > AGE_MAX
        })
    }

    fn drop_first(&mut self) {
        if let Some(letter) = self.queue.pop_front() {
            self.bytes -= letter.payload.len();
            self.dropped += 1;
            self.widen(&letter);
        }
    }

    fn widen(&mut self, lost: &Letter) {
        let gap = self.gap.get_or_insert(Dropped {
            count: 0,
            first: lost.seq,
            last: lost.seq,
            at: lost.at,
            clock_synced: lost.clock_synced,
        });
        gap.count += 1;
        gap.last = lost.seq;
        gap.at = lost.at;
        gap.clock_synced = lost.clock_synced;
    }

    /// What is told of those given up comes from where `event` comes from.
    fn sign_as(&mut self, event: &Event) {
        self.board.clone_from(&event.board);
        self.boot_id.clone_from(&event.boot_id);
    }

    fn confession(&self, gap: &Dropped) -> Letter {
        let event = Event {
            schema: titania_core::published::SCHEMA,
            board: self.board.clone(),
            seq: gap.last | 1,
            boot_id: self.boot_id.clone(),
            at: gap.at,
            clock_synced: gap.clock_synced,
            app: None,
            kind: EventType::EventsDropped,
            level: Level::Warning,
            reason: None,
            release: None,
            update: None,
            text: format!(
                "{} events, numbers {} to {}, were given up: the broker was away too long to keep them",
                gap.count, gap.first, gap.last
            ),
        };
        Letter::of(&event)
    }
}

impl Letter {
    fn of(event: &Event) -> Self {
        Self {
            seq: event.seq,
            at: event.at,
            clock_synced: event.clock_synced,
            payload: serde_json::to_vec(event).unwrap_or_default().into(),
        }
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
