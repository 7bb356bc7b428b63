//! Events between their number and the broker's word that it has them.
//!
//! Promise: an event is on disk before it is sent, and stays there until the broker acknowledged it or it was given
//! up; a new connection to a broker gets first what the last one, or the last run, left. Without a broker in the
//! settings nothing is written. A disk that refuses costs the event its second life alone: it is sent all the same.

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
    /// The disk refused, and it was said.
    is_refused: bool,
}

impl Kept {
    /// Nothing is read yet.
    pub fn new(store: Store) -> Self {
        Self { store, outbox: None, delivery: None, is_refused: false }
    }

    /// Makes `mqtt` the connection that is followed, and gives it what was left. What is delivered is forgotten.
    pub async fn follow(&mut self, mqtt: &Mqtt) {
        if mqtt.is_disabled() {
            (self.outbox, self.delivery) = (None, None);
            return;
        }
        if self.delivery.as_ref().is_some_and(|delivery| mqtt.is_told_by(delivery)) {
            return self.forget().await;
        }
        self.forget().await; // what the one before had acknowledged
        match Outbox::open(&self.store).await {
            Ok((outbox, left)) => {
                mqtt.restore(&left.events, left.dropped);
                self.outbox = Some(outbox);
            }
            Err(error) => self.refused(&error),
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
        if let Some(outbox) = &mut self.outbox {
            match outbox.append(event).await {
                Ok(()) => self.is_refused = false,
                Err(error) => self.refused(&error),
            }
        }
    }

    async fn forget(&mut self) {
        let (Some(outbox), Some(delivery)) = (&mut self.outbox, &mut self.delivery) else {
            return;
        };
        let delivery = *delivery.borrow_and_update();
        if let Err(error) = outbox.forget(delivery).await {
            self.refused(&error);
        }
    }

    fn refused(&mut self, error: &StoreError) {
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
