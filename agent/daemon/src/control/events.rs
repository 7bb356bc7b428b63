//! The newest events, for who asks over the socket. Memory alone: what must not be lost goes out by other ways.
//!
//! Promise: bounded in number and bytes; a reader that is too slow misses events, it never makes them wait.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use hyper::body::Bytes;
use titania_core::event::Event;
use tokio::sync::watch;

/// Most events kept: what a person scrolls through.
const EVENTS_MAX: usize = 200;
/// Most bytes of them: a sixteenth of the memory that the agent may have (DESIGN §9).
const BYTES_MAX: usize = 64 * 1024;
/// Most bytes handed to a reader at once, so that many slow ones cost little.
const CHUNK_BYTES: usize = 32 * 1024;

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<(u64, Box<[u8]>)>,
    bytes: usize,
}

/// Clones share one ring.
#[derive(Clone, Debug)]
pub struct EventRing {
    ring: Rc<RefCell<Ring>>,
    newest: Rc<watch::Sender<u64>>,
}

impl Default for EventRing {
    fn default() -> Self {
        Self { ring: Rc::default(), newest: Rc::new(watch::Sender::new(0)) }
    }
}

impl EventRing {
    /// An empty ring.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one event; `seq` rises from call to call.
    pub fn push(&self, event: &Event) {
        let Ok(mut line) = serde_json::to_vec(event) else {
            return;
        };
        line.push(b'\n');
        let mut ring = self.ring.borrow_mut();
        ring.bytes += line.len();
        ring.lines.push_back((event.seq, line.into()));
        while ring.lines.len() > EVENTS_MAX || ring.bytes > BYTES_MAX {
            let gone = ring.lines.pop_front();
            ring.bytes -= gone.map_or(0, |(_, line)| line.len());
        }
        drop(ring);
        self.newest.send_replace(event.seq);
    }

    /// Lines of the events after number `after`, as many as fit a chunk, and the number of the last of them; none when
    /// there is nothing newer.
    pub(super) fn after(&self, after: u64) -> Option<(u64, Bytes)> {
        let ring = self.ring.borrow();
        let mut last = None;
        let mut chunk = Vec::new();
        for (seq, line) in ring.lines.iter().filter(|(seq, _)| *seq > after) {
            if last.is_some() && chunk.len() + line.len() > CHUNK_BYTES {
                break;
            }
            chunk.extend_from_slice(line);
            last = Some(*seq);
        }
        last.map(|seq| (seq, chunk.into()))
    }

    /// Waits until there is an event after number `after`.
    pub(super) async fn wait(self, after: u64) {
        let mut newest = self.newest.subscribe();
        // The sender lives as long as `self`.
        let _ = newest.wait_for(|newest| *newest > after).await;
    }
}
