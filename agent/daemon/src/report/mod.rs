//! Reporting: what happens on the board, told to an MQTT broker and to the journal (DESIGN §6).
//!
//! Promise: nothing here ever makes a caller wait for the broker; without one the agent works the same. A retained
//! document is published when what it tells has changed and at no other time; events go out in order, one at a time,
//! each until the broker has acknowledged it. What is kept for an absent broker is bounded, what is given up is counted.
//! Trusts: the status document. Distrusts: the broker; what it sends can end the connection and do nothing else.

mod backoff;
mod connection;
mod desk;
pub mod journal;
mod outbox;
mod rival;
mod settings;
mod tls;
mod trouble;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use titania_core::event::{Delivery, Dropped, Event};
use titania_core::metrics::Metrics;
use titania_core::reason::Reason;
use titania_core::status::{MqttState, MqttStatus, Status};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub use settings::{Address, Backoff, MqttSettings};

use connection::Patience;
use desk::Desk;

/// Longest wait for the broker when the agent ends: systemd would wait longer, a person at a terminal would not.
pub const CLOSE_MAX: Duration = Duration::from_secs(2);

/// The way to the broker. Clones share one connection. All calls but `close` return at once.
#[derive(Clone)]
pub struct Mqtt {
    shared: Rc<Shared>,
    task: Rc<Cell<Option<JoinHandle<()>>>>,
}

/// What the handle and the task share: one thread, no locks.
struct Shared {
    desk: RefCell<Desk>,
    /// There may be something to send, or the end has come.
    changed: Notify,
    state: watch::Sender<MqttStatus>,
    delivery: watch::Sender<Delivery>,
    is_restored: Cell<bool>,
}

impl Shared {
    fn new(prefix: String, state: MqttState) -> Rc<Self> {
        let status = MqttStatus { state, ..MqttStatus::default() };
        Rc::new(Self {
            desk: RefCell::new(Desk::new(prefix)),
            changed: Notify::new(),
            state: watch::Sender::new(status),
            delivery: watch::Sender::new(Delivery::default()),
            is_restored: Cell::new(false),
        })
    }

    /// Shows a change of the connection. A reason stays until a connection stands.
    fn show(&self, state: MqttState, error: Option<Reason>) {
        self.state.send_if_modified(|shown| {
            let before = shown.clone();
            shown.state = state;
            match (state, error) {
                (MqttState::Connected, _) => shown.error = None,
                (_, Some(error)) => match &shown.error {
                    Some(known) if known.same(&error) => {}
                    _ => shown.error = Some(error),
                },
                (_, None) => {}
            }
            *shown != before
        });
    }

    /// What the broker kept as this board's document when the connection began.
    fn look_for_rival(&self, kept: &[u8]) {
        let mut desk = self.desk.borrow_mut();
        let was_met = desk.rival.is_met();
        desk.look_for_rival(kept);
        let is_news = desk.rival.is_met() != was_met;
        drop(desk);
        self.state.send_if_modified(|_| is_news);
    }

    /// Shows how many events wait.
    fn count(&self) {
        let (queued, dropped, delivery) = {
            let outbox = &self.desk.borrow().outbox;
            (outbox.queued(), outbox.dropped(), outbox.delivery())
        };
        self.delivery.send_if_modified(|told| std::mem::replace(told, delivery) != delivery);
        self.state.send_if_modified(|shown| {
            let is_news = (shown.queued, shown.dropped) != (queued, dropped);
            (shown.queued, shown.dropped) = (queued, dropped);
            is_news
        });
    }
}

impl Mqtt {
    /// Starts the task that keeps the connection, on the runtime that is running. `metrics` is asked for figures
    /// every `settings.metrics` while connected.
    pub fn start(settings: MqttSettings, metrics: impl Fn() -> Metrics + 'static) -> Self {
        let shared = Shared::new(settings.prefix.clone(), MqttState::Connecting);
        let task = tokio::task::spawn_local(connection::keep(
            shared.clone(),
            settings,
            Patience::default(),
            metrics,
        ));
        Self { shared, task: Rc::new(Cell::new(Some(task))) }
    }

    /// No `[mqtt]`: takes everything, tells nobody, keeps nothing; its state is `disabled`.
    pub fn disabled() -> Self {
        Self {
            shared: Shared::new(String::new(), MqttState::Disabled),
            task: Rc::new(Cell::new(None)),
        }
    }

    /// No `[mqtt]`.
    pub fn is_disabled(&self) -> bool {
        self.shared.state.borrow().state == MqttState::Disabled
    }

    /// The status as it is now; what tells something new goes out. An app that is no longer in it was purged: its
    /// retained document is emptied.
    pub fn status(&self, status: Rc<Status>) {
        if self.is_disabled() {
            return;
        }
        self.shared.desk.borrow_mut().status(status);
        self.shared.changed.notify_one();
    }

    /// One event, to be delivered at least once, in the order of the calls. Logging it is [`journal::log`]'s part.
    pub fn event(&self, event: &Event) {
        if self.is_disabled() {
            return;
        }
        self.shared.desk.borrow_mut().outbox.push(event);
        self.shared.count();
        self.shared.changed.notify_one();
    }

    /// Events that an earlier run, or an earlier connection, left: they go out before all others. Before the first
    /// [`Mqtt::event`].
    pub fn restore(&self, events: &[Event], dropped: Option<Dropped>) {
        self.shared.desk.borrow_mut().outbox.restore(events, dropped);
        self.shared.is_restored.set(true);
        self.shared.count();
        self.shared.changed.notify_one();
    }

    /// Whether [`Mqtt::restore`] was called: [`Mqtt::delivery`] then tells of those events, too.
    pub fn is_restored(&self) -> bool {
        self.shared.is_restored.get()
    }

    /// How far events have got; news of it wakes the receiver, and so does the end of this connection's last clone.
    pub fn delivery(&self) -> watch::Receiver<Delivery> {
        self.shared.delivery.subscribe()
    }

    /// Another board has this one's id at the broker. News of it wakes the receivers of [`Mqtt::state`].
    pub fn has_rival(&self) -> bool {
        self.shared.desk.borrow().rival.is_met()
    }

    /// What was given up is on disk, up to that number: it may be told of.
    pub fn kept(&self, number: u64) {
        self.shared.desk.borrow_mut().outbox.kept(number);
        self.shared.changed.notify_one();
    }

    /// Whether `delivery` is this connection's.
    pub fn is_told_by(&self, delivery: &watch::Receiver<Delivery>) -> bool {
        self.shared.delivery.subscribe().same_channel(delivery)
    }

    /// State of the connection, for the status document; a change wakes the receiver.
    pub fn state(&self) -> watch::Receiver<MqttStatus> {
        self.shared.state.subscribe()
    }

    /// Sends the events that wait, says `offline` and closes; gives up after [`CLOSE_MAX`]. For the end of the agent
    /// and for changed settings. Whoever still holds a clone talks to nobody afterwards.
    pub async fn close(self) {
        let Some(mut task) = self.task.take() else {
            return;
        };
        self.shared.desk.borrow_mut().close();
        self.shared.changed.notify_one();
        if tokio::time::timeout(CLOSE_MAX, &mut task).await.is_err() {
            task.abort(); // the last will says `offline`
        }
    }
}

#[cfg(test)]
mod tests;
