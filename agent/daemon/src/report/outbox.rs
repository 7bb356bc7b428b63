//! Events on their way: in order, one in flight, bounded. Pure, no IO.
//!
//! Promise: an event leaves the outbox when the broker has it, or when there is no room; then the oldest goes first,
//! and one `events_dropped` stands where the lost ones were, under the number of the last of them, so that
//! `(board, seq)` stays unique and rises. The one in flight is never dropped: the broker may have it already.

use std::collections::VecDeque;

use titania_core::event::{Event, EventType, Level};
use titania_core::names::BootId;
use titania_core::time::Timestamp;

/// Most events kept: months of a quiet board, an hour of one in trouble.
pub(super) const EVENTS_MAX: usize = 1000;
/// Most bytes of them: what a board with 512 MB can spare for an absent broker.
pub(super) const BYTES_MAX: usize = 512 * 1024;
/// Longest single event: below the packet limit, and no single one can push out all others.
pub(super) const EVENT_BYTES_MAX: usize = 64 * 1024;

/// One event as it goes out.
#[derive(Debug)]
struct Letter {
    seq: u64,
    at: Timestamp,
    clock_synced: bool,
    payload: Box<[u8]>,
}

/// Events lost in a row.
#[derive(Debug)]
struct Gap {
    count: u64,
    first: u64,
    last: u64,
    at: Timestamp,
    clock_synced: bool,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    board: String,
    boot_id: BootId,
    in_flight: Option<Letter>,
    gap: Option<Gap>,
    queue: VecDeque<Letter>,
    bytes: usize,
    dropped: u64,
}

impl Outbox {
    /// Takes one event in.
    pub(super) fn push(&mut self, event: &Event) {
        self.board.clone_from(&event.board);
        self.boot_id.clone_from(&event.boot_id);
        let letter = Letter {
            seq: event.seq,
            at: event.at,
            clock_synced: event.clock_synced,
            payload: serde_json::to_vec(event).unwrap_or_default().into(),
        };
        self.bytes += letter.payload.len();
        let is_too_long = letter.payload.len() > EVENT_BYTES_MAX || letter.payload.is_empty();
        self.queue.push_back(letter);
        if is_too_long {
            self.drop_last();
        }
        while self.queue.len() > EVENTS_MAX || self.bytes > BYTES_MAX {
            self.drop_first();
        }
    }

    /// The payload to send now: the one already in flight (again, after a new connection), else the next.
    pub(super) fn head(&mut self) -> Option<Vec<u8>> {
        if self.in_flight.is_none() {
            self.in_flight = match self.gap.take() {
                Some(gap) => Some(self.confession(&gap)),
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
    }

    /// Events not yet acknowledged.
    pub(super) fn queued(&self) -> u64 {
        let waiting = self.queue.len() + usize::from(self.gap.is_some());
        (waiting + usize::from(self.in_flight.is_some())) as u64
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

    fn drop_first(&mut self) {
        if let Some(letter) = self.queue.pop_front() {
            self.bytes -= letter.payload.len();
            self.dropped += 1;
            self.widen(&letter);
        }
    }

    fn widen(&mut self, lost: &Letter) {
        let gap = self.gap.get_or_insert(Gap {
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

    fn confession(&self, gap: &Gap) -> Letter {
        let event = Event {
            schema: titania_core::published::SCHEMA,
            board: self.board.clone(),
            seq: gap.last,
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
        Letter {
            seq: gap.last,
            at: gap.at,
            clock_synced: gap.clock_synced,
            payload: serde_json::to_vec(&event).unwrap_or_default().into(),
        }
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
