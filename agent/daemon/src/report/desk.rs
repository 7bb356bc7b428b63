//! What the broker has been told and what it is to be told next. No IO.
//!
//! Promise: a retained document is due when what it tells differs from what the broker was last given, else never; of
//! several changes the newest alone goes out. Documents and events take turns, so that neither holds up the other.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::rc::Rc;

use serde::Serialize;
use titania_core::names::AppName;
use titania_core::published::{AppDocument, BoardDocument};
use titania_core::status::{AppStatus, Status};

use super::outbox::Outbox;
use super::rival::Rival;

/// Payload of `availability` while connected.
pub(super) const ONLINE: &str = "online";
/// Payload of `availability` as last will and at the end.
pub(super) const OFFLINE: &str = "offline";

/// What one message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum About {
    Online,
    Offline,
    Board,
    App(AppName),
    /// An app that was purged: its retained document is emptied.
    Gone(AppName),
    Event,
}

/// One QoS 1 message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) about: About,
    pub(super) topic: String,
    pub(super) retain: bool,
    pub(super) payload: Vec<u8>,
}

/// Fingerprints of a document: as it is, and as the broker was last given it.
#[derive(Debug, Default)]
struct Told {
    now: u64,
    given: Option<u64>,
}

impl Told {
    fn is_due(&self) -> bool {
        self.given != Some(self.now)
    }
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Desk {
    prefix: String,
    status: Option<Rc<Status>>,
    board: Told,
    apps: BTreeMap<AppName, Told>,
    gone: BTreeSet<AppName>,
    is_availability_due: bool,
    is_closing: bool,
    is_events_turn: bool,
    pub(super) outbox: Outbox,
    pub(super) rival: Rival,
}

impl Desk {
    pub(super) fn new(prefix: String) -> Self {
        Self {
            prefix,
            status: None,
            board: Told::default(),
            apps: BTreeMap::new(),
            gone: BTreeSet::new(),
            is_availability_due: true,
            is_closing: false,
            is_events_turn: false,
            outbox: Outbox::default(),
            rival: Rival::default(),
        }
    }

    /// Full name of a topic.
    pub(super) fn topic(&self, rest: &str) -> String {
        format!("{}/{rest}", self.prefix)
    }

    /// The status as it is now.
    pub(super) fn status(&mut self, status: Rc<Status>) {
        self.board.now = fingerprint(&BoardDocument::of(&status).timeless());
        let mut before = std::mem::take(&mut self.apps);
        for app in &status.apps {
            let mut told = before.remove(&app.app).unwrap_or_default();
            told.now = fingerprint(&AppDocument::of(app).timeless());
            if self.gone.remove(&app.app) {
                told.given = None;
            }
            self.apps.insert(app.app.clone(), told);
        }
        self.gone.extend(before.into_keys());
        self.status = Some(status);
    }

    /// Whether the board's clock was set, as far as anything was told of it.
    pub(super) fn is_clock_synced(&self) -> bool {
        self.status.as_ref().is_none_or(|status| status.clock_synced)
    }

    /// What the broker kept as this board's document.
    pub(super) fn look_for_rival(&mut self, kept: &[u8]) {
        if let Some(status) = &self.status {
            self.rival.look(&status.board.boot_id, status.agent.instance.as_ref(), kept);
        }
    }

    /// Whether what the broker keeps as this board's document is to be asked for, which is read whole or not at all.
    pub(super) fn asks_for_its_document(&self, bytes_max: usize) -> bool {
        let own = self.status.as_ref().map(|status| json(&BoardDocument::of(status)).len());
        self.rival.is_to_be_looked_for() && own.is_some_and(|bytes| bytes <= bytes_max)
    }

    /// A new connection: the broker may have lost all.
    pub(super) fn connected(&mut self) {
        self.is_availability_due = true;
        self.board.given = None;
        for told in self.apps.values_mut() {
            told.given = None;
        }
    }

    /// Somebody wrote `offline` for this board (an older connection's last will): it is put right.
    pub(super) fn contradicted(&mut self) {
        self.is_availability_due = true;
    }

    /// From now on `offline` is what is left to say, after the events.
    pub(super) fn close(&mut self) {
        self.is_closing = true;
        self.is_availability_due = true;
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// The next message; none while there is no news.
    pub(super) fn next(&mut self) -> Option<Message> {
        if self.is_closing {
            return self.event().or_else(|| self.availability());
        }
        if let Some(message) = self.availability() {
            return Some(message);
        }
        self.is_events_turn = !self.is_events_turn;
        if self.is_events_turn {
            self.event().or_else(|| self.document())
        } else {
            self.document().or_else(|| self.event())
        }
    }

    /// The broker has acknowledged it.
    pub(super) fn acknowledged(&mut self, about: &About) {
        match about {
            About::Event => self.outbox.acknowledged(),
            About::Gone(app) => {
                self.gone.remove(app);
            }
            About::Board => self.rival.given(),
            About::Online | About::Offline | About::App(_) => {}
        }
    }

    fn availability(&mut self) -> Option<Message> {
        if !self.is_availability_due {
            return None;
        }
        self.is_availability_due = false;
        let (about, word) =
            if self.is_closing { (About::Offline, OFFLINE) } else { (About::Online, ONLINE) };
        Some(Message {
            about,
            topic: self.topic("availability"),
            retain: true,
            payload: word.into(),
        })
    }

    fn event(&mut self) -> Option<Message> {
        let payload = self.outbox.head()?;
        Some(Message { about: About::Event, topic: self.topic("event"), retain: false, payload })
    }

    fn document(&mut self) -> Option<Message> {
        let status = self.status.clone()?;
        if self.board.is_due() {
            self.board.given = Some(self.board.now);
            return Some(Message {
                about: About::Board,
                topic: self.topic("board"),
                retain: true,
                payload: json(&BoardDocument::of(&status)),
            });
        }
        // An app purged just before the connection broke is emptied again: nobody knows whether it arrived.
        if let Some(app) = self.gone.first().cloned() {
            return Some(Message {
                topic: self.topic(&format!("app/{app}")),
                about: About::Gone(app),
                retain: true,
                payload: Vec::new(),
            });
        }
        let due = self.apps.iter_mut().find(|(_, told)| told.is_due());
        let (app, told) = due?;
        told.given = Some(told.now);
        let app = app.clone();
        let part = part(&status, &app)?;
        Some(Message {
            topic: self.topic(&format!("app/{app}")),
            about: About::App(app),
            retain: true,
            payload: json(&AppDocument::of(part)),
        })
    }
}

fn part<'a>(status: &'a Status, app: &AppName) -> Option<&'a AppStatus> {
    status.apps.iter().find(|part| part.app == *app)
}

fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).unwrap_or_default()
}

/// Feeds a hasher as a file, so that comparing needs no copy of the text.
struct Fingerprint(DefaultHasher);

impl io::Write for Fingerprint {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn fingerprint(document: &impl Serialize) -> u64 {
    let mut sum = Fingerprint(DefaultHasher::new());
    // Writing into a hasher can't fail, and the documents are plain data.
    let _ = serde_json::to_writer(&mut sum, document);
    sum.0.finish()
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
