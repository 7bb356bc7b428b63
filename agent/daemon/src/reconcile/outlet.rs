//! Where events and the status document go: the journal, the broker, the control socket.
//!
//! Promise: telling never waits. An event, and its number, are on disk before it leaves the process.

use std::cell::RefCell;
use std::rc::Rc;

use titania_core::event::{Event, EventType, Level};
use titania_core::names::{AppName, BootId};
use titania_core::reason::{Class, Code, Reason};
use titania_core::status::{MqttStatus, Status};
use titania_core::time::Timestamp;
use tokio::sync::{Notify, mpsc, watch};

use super::kept::Kept;
use super::news::Told;
use crate::board::clock;
use crate::control::EventRing;
use crate::report::{Mqtt, journal};
use crate::store::Store;

/// Something to tell, and when it happened.
struct Pending {
    app: Option<AppName>,
    told: Told,
    at: Timestamp,
    is_synced: bool,
}

/// The way out.
pub struct Outlet {
    board: String,
    boot: BootId,
    /// Boxed: the channel has room for 32 at once, whether there are any or not.
    events: mpsc::UnboundedSender<Box<Pending>>,
    /// The status document must be made anew.
    pub changed: Notify,
    mqtt: RefCell<Mqtt>,
    /// There is another connection to the broker.
    replaced: Notify,
    /// Newest events, for the control socket.
    pub ring: EventRing,
    status: watch::Sender<Rc<Status>>,
    /// Another board has this one's id at the broker.
    rival: RefCell<Option<Reason>>,
}

/// The other end of [`Outlet`], for [`pump`].
pub struct Queue(mpsc::UnboundedReceiver<Box<Pending>>);

impl Outlet {
    /// An outlet of this board in this boot; `status` is shown until the first document is made.
    pub fn new(board: String, boot: BootId, mqtt: Mqtt, status: Status) -> (Self, Queue) {
        let (events, queue) = mpsc::unbounded_channel();
        let outlet = Self {
            board,
            boot,
            events,
            changed: Notify::new(),
            mqtt: RefCell::new(mqtt),
            replaced: Notify::new(),
            ring: EventRing::new(),
            status: watch::Sender::new(Rc::new(status)),
            rival: RefCell::new(None),
        };
        (outlet, Queue(queue))
    }

    /// Tells an event.
    pub fn tell(&self, app: Option<&AppName>, told: Told) {
        let pending =
            Pending { app: app.cloned(), told, at: clock::wall(), is_synced: clock::is_synced() };
        // The queue ends with the agent alone.
        let _ended = self.events.send(Box::new(pending));
    }

    /// The status document must be made anew.
    pub fn changed(&self) {
        self.changed.notify_one();
    }

    /// The status document as it is now.
    pub fn show(&self, status: Rc<Status>) {
        self.mqtt.borrow().status(Rc::clone(&status));
        self.status.send_replace(status);
    }

    /// For the control socket.
    pub fn status(&self) -> watch::Receiver<Rc<Status>> {
        self.status.subscribe()
    }

    /// State of the connection to the broker.
    pub fn mqtt_status(&self) -> MqttStatus {
        self.mqtt.borrow().state().borrow().clone()
    }

    /// What is wrong with this board's id, which is told when it is found.
    pub fn rival(&self) -> Option<Reason> {
        let mut known = self.rival.borrow_mut();
        if !self.mqtt.borrow().has_rival() {
            *known = None;
        } else if known.is_none() {
            let message = format!("another board has the id {} at the broker, too", self.board);
            let hint = "give each board an id of its own: id under [board] in agent.toml";
            let reason =
                Reason::new(Code::ConfigInvalid, Class::Config, message, hint, clock::wall());
            let text = reason.message.clone();
            self.tell(None, Told::because(EventType::BoardIdConflict, Level::Error, &reason, text));
            *known = Some(reason);
        }
        known.clone()
    }

    /// Changes of that state.
    pub fn mqtt_changes(&self) -> watch::Receiver<MqttStatus> {
        self.mqtt.borrow().state()
    }

    /// Another broker, or other settings of it.
    pub fn set_mqtt(&self, mqtt: Mqtt) -> Mqtt {
        self.replaced.notify_one();
        self.mqtt.replace(mqtt)
    }

    /// The connection to the broker.
    pub fn mqtt(&self) -> Mqtt {
        self.mqtt.borrow().clone()
    }
}

/// Numbers events, keeps them until the broker has them, and sends them out, in order.
pub async fn pump(outlet: Rc<Outlet>, queue: Queue, store: Store) {
    let Queue(mut queue) = queue;
    let mut sequence = None;
    let mut kept = Kept::new(store.clone());
    loop {
        kept.follow(&outlet.mqtt()).await;
        let pending = tokio::select! {
            pending = queue.recv() => pending,
            () = kept.moved() => continue,
            () = outlet.replaced.notified() => continue,
        };
        let Some(pending) = pending else {
            return;
        };
        let now = clock::is_synced().then(clock::wall);
        if sequence.is_none() {
            sequence = match store.sequence(now).await {
                Ok(opened) => Some(opened),
                Err(error) => {
                    log::warn!("numbers of events: {error}");
                    None
                }
            };
        }
        let seq = match &mut sequence {
            Some(sequence) => sequence.next(now).await.ok(),
            None => None,
        };
        let event = event(&outlet, *pending, seq.unwrap_or(0));
        journal::log(&event);
        // Without a number of its own an event would be taken for another: the journal alone has it.
        if seq.is_some() {
            let mqtt = outlet.mqtt();
            kept.follow(&mqtt).await;
            let is_its_turn = kept.append(&mqtt, &event).await;
            outlet.ring.push(&event);
            if is_its_turn {
                mqtt.event(&event);
            }
        }
    }
}

fn event(outlet: &Outlet, pending: Pending, seq: u64) -> Event {
    Event {
        schema: 1,
        board: outlet.board.clone(),
        seq,
        boot_id: outlet.boot.clone(),
        at: pending.at,
        clock_synced: pending.is_synced,
        app: pending.app,
        kind: pending.told.kind,
        level: pending.told.level,
        reason: pending.told.reason,
        release: pending.told.release,
        update: pending.told.update,
        text: pending.told.text,
    }
}
