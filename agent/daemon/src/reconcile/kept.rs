//! Events between their number and the broker's word that it has them.
//!
//! Promise: an event is on disk before it is sent, and stays there until the broker acknowledged it or it was given
//! up; a new connection to a broker gets first what the last one, or the last run, left. Without a broker in the
//! settings nothing is written. An event that the disk refuses is sent all the same, and written down, in its place, as
//! soon as the disk takes it: only an agent that ends before that loses it.

use std::collections::VecDeque;

use titania_core::event::{Delivery, Event};
use tokio::sync::watch;

use crate::report::Mqtt;
use crate::store::{Outbox, Store, StoreError};

/// See the head of this file.
pub struct Kept {
    store: Store,
    outbox: Option<Outbox>,
    /// The connection that is followed, and its news. None held: an ended connection must end.
    delivery: Option<watch::Receiver<Delivery>>,
    /// Those that the disk has not taken yet, in order: no more than the connection itself keeps.
    refused: VecDeque<Event>,
    /// The disk refused, and it was said.
    is_refused: bool,
}

impl Kept {
    /// Nothing is read yet.
    pub fn new(store: Store) -> Self {
        Self { store, outbox: None, delivery: None, refused: VecDeque::new(), is_refused: false }
    }

    /// Makes `mqtt` the connection that is followed, and gives it what was left. What is delivered is forgotten.
    pub async fn follow(&mut self, mqtt: &Mqtt) {
        if mqtt.is_disabled() {
            (self.outbox, self.delivery) = (None, None);
            self.refused.clear();
            return;
        }
        if self.delivery.as_ref().is_some_and(|delivery| mqtt.is_told_by(delivery)) {
            return self.forget().await;
        }
        self.forget().await; // what the one before had acknowledged
        match Outbox::open(&self.store).await {
            Ok((outbox, mut left)) => {
                left.events.extend(self.refused.iter().cloned()); // newer than all on the disk
                mqtt.restore(&left.events, left.dropped);
                self.outbox = Some(outbox);
            }
            Err(error) => self.tell(&error),
        }
        self.delivery = Some(mqtt.delivery());
    }

    /// Waits until the connection that is followed has got on.
    pub async fn moved(&mut self) {
        if let Some(delivery) = &mut self.delivery
            && delivery.changed().await.is_ok()
        {
            return;
        }
        // It has ended: whoever ended it puts another in its place, and tells.
        std::future::pending().await
    }

    /// Writes one event down, before it is sent.
    pub async fn append(&mut self, mqtt: &Mqtt, event: &Event) {
        if mqtt.is_disabled() {
            return;
        }
        if self.outbox.is_some() {
            self.refused.push_back(event.clone());
            self.write().await;
        }
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

    async fn forget(&mut self) {
        let (Some(outbox), Some(delivery)) = (&mut self.outbox, &mut self.delivery) else {
            return;
        };
        let delivery = *delivery.borrow_and_update();
        let is_needed = |seq: u64| seq >= delivery.kept_from || delivery.in_flight == Some(seq);
        self.refused.retain(|event| is_needed(event.seq));
        if let Err(error) = outbox.forget(delivery).await {
            self.tell(&error);
        }
    }

    fn tell(&mut self, error: &StoreError) {
        if !std::mem::replace(&mut self.is_refused, true) {
            log::warn!("events that wait for the broker are not kept: {error}");
        }
    }
}

/// At the end of the agent: what the broker acknowledged last is forgotten, too.
///
/// # Errors
/// The disk's: some events are told once more.
pub async fn forget(store: &Store, delivery: Delivery) -> Result<(), StoreError> {
    let (mut outbox, _) = Outbox::open(store).await?;
    outbox.forget(delivery).await
}

#[cfg(test)]
mod tests;
