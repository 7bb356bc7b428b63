//! Reporting: what happens on the board, told to an MQTT broker and to the journal (DESIGN §6).
//!
//! Promise: nothing here ever makes a caller wait for the broker; without one the agent works the same. A retained
//! document is published when what it tells has changed and at no other time; events go out in order, one at a time,
//! each until the broker has acknowledged it. What is kept for an absent broker is bounded, and what is given up is counted.
//! Trusts: the status document. Distrusts: the broker; what it sends can end the connection and do nothing else.

pub mod journal;
mod backoff;
mod connection;
mod desk;
mod outbox;
mod settings;
mod tls;

pub use settings::{Address, AddressError, Backoff, MqttSettings};

use std::rc::Rc;

use titania_core::event::Event;
use titania_core::published::Metrics;
use titania_core::status::{MqttStatus, Status};
use tokio::sync::watch;

/// The way to the broker. Clones share one connection. All calls return at once.
#[derive(Clone)]
pub struct Mqtt { /* … */ }

impl Mqtt {
    /// Starts the task that keeps the connection, on the current `LocalSet`. `metrics` is asked for figures
    /// every `settings.metrics` while connected.
    pub fn start(settings: MqttSettings, metrics: impl Fn() -> Metrics + 'static) -> Self;

    /// No `[mqtt]`: takes everything, tells nobody; its state is `disabled`.
    pub fn disabled() -> Self;

    /// The status as it is now; what changed since the last call goes out. An app that is no longer in it was purged:
    /// its retained document is emptied.
    pub fn status(&self, status: Rc<Status>);

    /// One event, to be delivered at least once, in the order of the calls. Logging it is `journal::log`'s part.
    pub fn event(&self, event: &Event);

    /// State of the connection, for the status document; changes wake the receiver.
    pub fn state(&self) -> watch::Receiver<MqttStatus>;

    /// Says `offline` and closes, waiting for the broker at most `CLOSE_MAX`. For the end of the agent and a changed setting.
    pub async fn close(self);
}
