//! Events between their number and the broker's word that it has them.
//!
//! Promise: an event is on disk before it is sent, and stays there until the broker acknowledged it or it was given
//! up; a new connection to a broker gets first what the last one, or the last run, left. Without a broker in the
//! settings nothing is written. An event that the disk refuses is sent all the same, and written down, in its place, as
//! soon as the disk takes it: only an agent that ends before that loses it. What was left and can't be read is tried
//! again for [`READ_MAX`], while events wait for it; then they go without, and it stays for the next connection.
//! Of events that were given up the connection tells only when they are on disk as such: its word for that comes from here.

use std::collections::VecDeque;
use std::time::Duration;

use titania_core::event::{Delivery, Event};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::report::Mqtt;
use crate::store::{Outbox, Store, StoreError};

/// How long it is tried to read what was left: a disk that is busy or short of handles has got over it.
const READ_MAX: Duration = Duration::from_secs(60);
/// Between two tries, where no event comes; to write, too, what the connection waits for.
const READ_LOOK: Duration = Duration::from_secs(5);
/// Most events that wait for it: in a minute there are not as many, but in a fault of the agent's own.
const WAITING_MAX: usize = 1_000;

/// See the head of this file.
pub struct Kept {
    store: Store,
    outbox: Option<Outbox>,
    /// The connection that is followed, and its news. None held: an ended connection must end.
    delivery: Option<watch::Receiver<Delivery>>,
    /// Since when what was left can't be read.
    unread_since: Option<Instant>,
    /// Those that the disk has not taken yet, in order: no more than the connection itself keeps.
    refused: VecDeque<Event>,
    /// The disk refused, and it was said.
    is_refused: bool,
    /// The disk refused what the connection waits for.
    is_waited_for: bool,
}

impl Kept {
    /// Nothing is read yet.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            outbox: None,
            delivery: None,
            unread_since: None,
            refused: VecDeque::new(),
            is_refused: false,
            is_waited_for: false,
        }
    }

    /// Makes `mqtt` the connection that is followed, and gives it what was left. What is delivered is forgotten.
    pub async fn follow(&mut self, mqtt: &Mqtt) {
        if mqtt.is_disabled() {
            (self.outbox, self.delivery, self.unread_since) = (None, None, None);
            self.refused.clear();
            return;
        }
        if self.delivery.as_ref().is_some_and(|delivery| mqtt.is_told_by(delivery)) {
            return self.keep(mqtt).await;
        }
        self.forget().await; // what the one before had acknowledged
        (self.outbox, self.delivery) = (None, None);
        match Outbox::open(&self.store).await {
            Ok((outbox, mut left)) => {
                left.events.extend(self.refused.iter().cloned()); // newer than all on the disk
                self.outbox = Some(outbox);
                self.write().await;
                mqtt.restore(&left.events, left.dropped);
            }
            Err(error) => {
                self.tell(&error);
                let since = *self.unread_since.get_or_insert_with(Instant::now);
                if since.elapsed() < READ_MAX && self.refused.len() < WAITING_MAX {
                    return;
                }
                self.refused.iter().for_each(|event| mqtt.event(event));
            }
        }
        self.unread_since = None;
        self.delivery = Some(mqtt.delivery());
        self.keep(mqtt).await; // what found no room is counted from here on
    }

    /// Waits until the connection that is followed has got on, or what was left is to be read again.
    pub async fn moved(&mut self) {
        if self.unread_since.is_some() {
            return tokio::time::sleep(READ_LOOK).await;
        }
        let look = if self.is_waited_for { READ_LOOK } else { Duration::MAX };
        if let Some(delivery) = &mut self.delivery
            && !matches!(tokio::time::timeout(look, delivery.changed()).await, Ok(Err(_)))
        {
            return;
        }
        // It has ended: whoever ended it puts another in its place, and tells.
        std::future::pending().await
    }

    /// Writes one event down, before it is sent. False: it waits for what was left, and is given to the connection
    /// with that.
    #[must_use]
    pub async fn append(&mut self, mqtt: &Mqtt, event: &Event) -> bool {
        if !mqtt.is_disabled() {
            self.refused.push_back(event.clone());
            self.write().await;
        }
        self.unread_since.is_none()
    }

    /// Writes down what waits, in order, as far as the disk takes it.
    async fn write(&mut self) {
        while let (Some(outbox), Some(event)) = (&mut self.outbox, self.refused.front()) {
            if let Err(error) = outbox.append(event).await {
                return self.tell(&error);
            }
            self.refused.pop_front();
            self.is_refused = false;
        }
    }

    /// Forgets what is delivered, and tells the connection how far what it gave up is on disk.
    async fn keep(&mut self, mqtt: &Mqtt) {
        if let Some(number) = self.forget().await {
            mqtt.kept(number);
        }
    }

    /// Returns up to which number none is read again of those that were given up, where that is waited for.
    async fn forget(&mut self) -> Option<u64> {
        let delivery = self.delivery.as_mut()?;
        let delivery = *delivery.borrow_and_update();
        let is_needed = |seq: u64| seq >= delivery.kept_from || delivery.in_flight == Some(seq);
        self.refused.retain(|event| is_needed(event.seq));
        let given_up = delivery.dropped.filter(|_| delivery.is_to_be_kept);
        // Where what was left could not be read, none of this run is on disk, nor read again.
        let written = match &mut self.outbox {
            Some(outbox) => outbox.forget(delivery).await,
            None => Ok(()),
        };
        self.is_waited_for = written.is_err() && given_up.is_some();
        match written {
            Ok(()) => given_up.map(|dropped| dropped.last),
            Err(error) => {
                self.tell(&error);
                None
            }
        }
    }

    fn tell(&mut self, error: &StoreError) {
        if !std::mem::replace(&mut self.is_refused, true) {
            log::warn!("events that wait for the broker are not kept: {error}");
        }
    }
}

/// At the end of the agent, when `mqtt` has been closed: what the broker acknowledged last is forgotten, too. Not where
/// the connection never got what an earlier one left: of that it tells nothing.
///
/// # Errors
/// The disk's: some events are told once more.
pub async fn forget(store: &Store, mqtt: &Mqtt) -> Result<(), StoreError> {
    if !mqtt.is_restored() {
        return Ok(());
    }
    let (mut outbox, _) = Outbox::open(store).await?;
    let delivery = *mqtt.delivery().borrow();
    outbox.forget(delivery).await
}

#[cfg(test)]
mod tests;
