//! Probes: asks each running container how it is, and keeps a trial of each start.
//!
//! Promise: one timer an app, nothing on disk, a word to the loop only when health changed. A probe is
//! sent to the container's own address, never to a published port (docker-proxy accepts where nothing
//! listens), and ends within its time-out.
//! Trusts: the engine for addresses and exit codes. Distrusts: what the app answers, bounded in size and time.

mod http;
mod tcp;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use titania_core::definition::{self, ProbeRule};
use titania_core::names::{AppName, StartedAt};
use titania_core::probation::{Answer, Trial, stays_up};
use titania_core::status::HealthState;
use titania_core::time::{Millis, Moment};
use titania_core::world::Health;
use tokio::sync::mpsc;

use crate::board::clock;

/// What only the engine can ask of a container.
pub trait Inside {
    /// Runs a command in a container, as its own user; its exit code, or `None` when there was none in
    /// `timeout` or the engine did not say.
    fn run(
        &self,
        container: &str,
        command: &[String],
        timeout: Duration,
    ) -> impl Future<Output = Option<i64>>;

    /// What the image's HEALTHCHECK says of a running container; `None` when it has none or the engine
    /// did not say.
    fn checked(&self, container: &str, timeout: Duration) -> impl Future<Output = Option<Checked>>;
}

/// `State.Health.Status` of a running container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// `starting`.
    Starting,
    /// `healthy`.
    Healthy,
    /// `unhealthy`: the engine has counted the retries.
    Unhealthy,
}

/// One start of one container, as it is to be watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// Engine's id.
    pub container: String,
    /// Tells one start from another.
    pub started_at: Option<StartedAt>,
    /// Network of its definition: on the board's own (`host`) it is asked at 127.0.0.1.
    pub network: String,
    /// Its own address there.
    pub address: Option<IpAddr>,
    /// Has its image a HEALTHCHECK?
    pub has_healthcheck: bool,
    /// By which rule.
    pub rule: definition::Health,
    /// What its probation had used when this start is seen first, all boots together; zero outside of one.
    /// Later calls for the same start may say anything.
    pub spent: Millis,
}

/// All watches of the board.
pub struct Probes<E> {
    inside: Rc<E>,
    watches: BTreeMap<AppName, Watch>,
    news: mpsc::UnboundedSender<AppName>,
}

struct Watch {
    subject: Subject,
    trial: Rc<RefCell<Trial>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<E: Inside + 'static> Probes<E> {
    /// No watch yet. The receiver hears an app's name whenever its health, or how it is shown, changed.
    pub fn new(inside: E) -> (Self, mpsc::UnboundedReceiver<AppName>) {
        let (news, heard) = mpsc::unbounded_channel();
        let probes = Self { inside: Rc::new(inside), watches: BTreeMap::new(), news };
        (probes, heard)
    }

    /// Watches a running container. The same start again goes on with its trial (under today's rule and
    /// address); another container or start begins a new one. Needs a runtime for local tasks.
    pub fn watch(&mut self, app: &AppName, subject: Subject) {
        let now = clock::moment();
        let kept = self.watches.get(app).filter(|watch| watch.subject.is_same_start(&subject));
        // What was used before this start is asked once, at its beginning; it grows from round to round.
        let spent = kept.map_or(subject.spent, |watch| watch.subject.spent);
        let subject = Subject { spent, ..subject };
        if kept.is_some_and(|watch| watch.subject == subject) {
            return;
        }
        let trial = match kept {
            Some(watch) => {
                watch.trial.borrow_mut().judge_by(&subject.rule, subject.stays_up());
                Rc::clone(&watch.trial)
            }
            None => Rc::new(RefCell::new(subject.trial(now))),
        };
        let task = tokio::task::spawn_local(keep_asking(
            Rc::clone(&self.inside),
            app.clone(),
            subject.clone(),
            Rc::clone(&trial),
            self.news.clone(),
        ));
        let watch = Watch { subject, trial, task };
        self.watches.insert(app.clone(), watch);
    }

    /// Watches it no longer: it is down, or the engine is away.
    pub fn forget(&mut self, app: &AppName) {
        self.watches.remove(app);
    }

    /// Health of that container, for `decide` and as it is shown; `Starting` while it is not watched.
    pub fn health(&self, app: &AppName, container: &str) -> (Health, HealthState) {
        let now = clock::moment();
        self.watches.get(app).filter(|watch| watch.subject.container == container).map_or(
            (Health::Starting, HealthState::Starting),
            |watch| {
                let trial = watch.trial.borrow();
                (trial.health(now), trial.shown(now))
            },
        )
    }
}

impl Subject {
    fn is_same_start(&self, other: &Self) -> bool {
        self.container == other.container && self.started_at == other.started_at
    }

    fn stays_up(&self) -> bool {
        stays_up(&self.rule.probe, self.has_healthcheck)
    }

    fn trial(&self, now: Moment) -> Trial {
        Trial::begin(&self.rule, self.stays_up(), now, self.spent)
    }

    /// Where it is asked: on the board's own network that is the board itself.
    fn address(&self) -> Option<IpAddr> {
        match self.network.as_str() {
            HOST_NETWORK => Some(IpAddr::from([127, 0, 0, 1])),
            NO_NETWORK => None,
            _ => self.address,
        }
    }
}

/// The board's own network.
const HOST_NETWORK: &str = "host";
/// No network at all.
const NO_NETWORK: &str = "none";

async fn keep_asking<E: Inside>(
    inside: Rc<E>,
    app: AppName,
    subject: Subject,
    trial: Rc<RefCell<Trial>>,
    news: mpsc::UnboundedSender<AppName>,
) {
    let mut told = None;
    loop {
        let now = clock::moment();
        let (state, probe, change) = {
            let trial = trial.borrow();
            let state = (trial.health(now), trial.shown(now));
            (state, trial.next_probe(), trial.next_change(now))
        };
        if told.replace(state).is_some_and(|before| before != state)
            && news.send(app.clone()).is_err()
        {
            return;
        }
        let Some(wake) = probe.into_iter().chain(change).min() else {
            return; // Stays up, and nothing more can come of it.
        };
        tokio::time::sleep(Duration::from_millis(wake.since(now).0)).await;
        if probe.is_some_and(|due| due <= clock::moment()) {
            let answer = ask(&*inside, &subject).await;
            trial.borrow_mut().hear(clock::moment(), answer);
        }
    }
}

async fn ask<E: Inside>(inside: &E, subject: &Subject) -> Answer {
    let timeout = Duration::from_millis(subject.rule.timeout.0);
    match &subject.rule.probe {
        ProbeRule::Http { port, path } => match subject.address() {
            Some(address) => http::ask((address, *port).into(), path, timeout).await,
            None => Answer::Silence,
        },
        ProbeRule::Tcp { port } => match subject.address() {
            Some(address) => tcp::ask((address, *port).into(), timeout).await,
            None => Answer::Silence,
        },
        // Boxed, as the next: one that is asked over the network takes no room for talking to the engine.
        ProbeRule::Exec(command) => {
            match Box::pin(inside.run(&subject.container, command, timeout)).await {
                Some(0) => Answer::Yes,
                Some(_) => Answer::No,
                None => Answer::Silence,
            }
        }
        ProbeRule::Container | ProbeRule::Default => {
            match Box::pin(inside.checked(&subject.container, timeout)).await {
                Some(Checked::Healthy) => Answer::Yes,
                Some(Checked::Unhealthy) => Answer::Unhealthy,
                Some(Checked::Starting) | None => Answer::Silence,
            }
        }
    }
}

#[cfg(test)]
mod tests;
