//! Polls: what each track points at, asked once for all apps that follow it.
//!
//! Promise: between two polls of a repository lies the setting, moved by up to 20 % by the board's id, so that a
//! fleet does not ask in step; an operator's question is asked at once, except within a `Retry-After`.

mod judging;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::time::Duration;

use titania_core::names::AppName;
use titania_core::reason::Reason;
use titania_core::reference::Reference;
use titania_core::release::Release;
use titania_core::time::{Millis, Moment};
use titania_core::track::Track;
use tokio::sync::{Notify, oneshot};

use super::agent::Agent;
use super::app::{App, InForce};
use super::perform::repository;
use crate::board::clock;
use crate::registry::{Failure, RegistryError, Resolved, Round};

/// Shortest time between two polls, whatever the settings say.
const POLL_MIN: Millis = Millis::seconds(60);

use judging::judge;
pub use judging::judge_again;

type Answer = Result<Rc<Resolved>, Failure>;
type Waiting = oneshot::Sender<Result<(), Reason>>;

/// All polls of the board.
#[derive(Default)]
pub struct Polls {
    all: RefCell<BTreeMap<String, Poll>>,
    round: Cell<u64>,
    /// Hosts that are being asked.
    busy: RefCell<BTreeSet<String>>,
    wake: Notify,
}

/// One question: a reference and its track.
struct Poll {
    reference: Reference,
    track: Track,
    /// When it is asked next.
    next: Moment,
    /// What was answered last.
    answer: Option<Answer>,
    /// Who waits for an answer.
    waiting: Vec<Waiting>,
    /// Apps that follow it.
    apps: Vec<AppName>,
}

fn key(force: &InForce) -> String {
    format!("{} {:?}", force.definition.shape.image, force.definition.track)
}

impl Poll {
    /// A pinned digest that is known is asked for no more.
    fn is_settled(&self) -> bool {
        self.track == Track::Pinned && matches!(self.answer, Some(Ok(_)))
    }
}

impl Polls {
    /// When the registry is asked for an app next; null for a pinned digest that is known.
    pub fn next(&self, app: &AppName) -> Option<Moment> {
        let all = self.all.borrow();
        let poll = all.values().find(|poll| poll.apps.contains(app))?;
        (!poll.is_settled()).then_some(poll.next)
    }

    /// Looks which questions the definitions ask. A new one is asked at once.
    pub fn follow(&self, apps: &[Rc<App>]) {
        let now = clock::moment();
        let mut all = self.all.borrow_mut();
        for poll in all.values_mut() {
            poll.apps.clear();
        }
        for app in apps {
            let memory = app.memory.borrow();
            let Some(force) = &memory.definition else {
                continue;
            };
            let poll = all.entry(key(force)).or_insert_with(|| Poll {
                reference: force.definition.shape.image.clone(),
                track: force.definition.track.clone(),
                next: now,
                answer: None,
                waiting: Vec::new(),
                apps: Vec::new(),
            });
            poll.apps.push(app.name.clone());
        }
        all.retain(|_, poll| !poll.apps.is_empty());
        drop(all);
        self.wake.notify_one();
    }

    /// Asks at once for an app. The receiver hears when an answer is there, or why there is none.
    pub fn ask(&self, app: &AppName) -> oneshot::Receiver<Result<(), Reason>> {
        let (answer, receiver) = oneshot::channel();
        let mut all = self.all.borrow_mut();
        if let Some(poll) = all.values_mut().find(|poll| poll.apps.contains(app)) {
            poll.next = clock::moment();
            poll.waiting.push(answer);
        }
        drop(all);
        self.wake.notify_one();
        receiver
    }

    /// Asks all at once: the settings changed.
    pub fn ask_all(&self) {
        let now = clock::moment();
        for poll in self.all.borrow_mut().values_mut() {
            poll.next = now;
        }
        self.wake.notify_one();
    }

    /// Something that polls wait for has come: the board's platform.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    fn take_waiting(&self, key: &str) -> Vec<Waiting> {
        let mut all = self.all.borrow_mut();
        all.get_mut(key).map(|poll| std::mem::take(&mut poll.waiting)).unwrap_or_default()
    }

    /// Keeps an answer; tells for whom it is. Nobody where no definition asks this any more.
    fn answered(&self, key: &str, answer: &Answer, next: Moment) -> Vec<AppName> {
        let mut all = self.all.borrow_mut();
        let Some(poll) = all.get_mut(key) else {
            return Vec::new();
        };
        // Somebody asked meanwhile: at once again.
        poll.next = if poll.waiting.is_empty() { next } else { clock::moment() };
        poll.answer = Some(answer.clone());
        poll.apps.clone()
    }

    fn soonest(&self) -> Option<Moment> {
        let all = self.all.borrow();
        let busy = self.busy.borrow();
        let is_open = |poll: &&Poll| {
            let is_idle = poll.is_settled() && poll.waiting.is_empty();
            !is_idle && !busy.contains(&poll.reference.repository.host)
        };
        all.values().filter(is_open).map(|poll| poll.next).min()
    }

    fn due(&self, now: Moment) -> BTreeMap<String, Vec<(String, Reference, Track)>> {
        let busy = self.busy.borrow();
        let mut hosts: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (key, poll) in self.all.borrow().iter() {
            let is_busy = busy.contains(&poll.reference.repository.host);
            let is_idle = poll.is_settled() && poll.waiting.is_empty();
            if poll.next <= now && !is_busy && !is_idle {
                let question = (key.clone(), poll.reference.clone(), poll.track.clone());
                hosts.entry(poll.reference.repository.host.clone()).or_default().push(question);
            }
        }
        hosts
    }
}

/// Polls for ever.
pub async fn keep(agent: Rc<Agent>) {
    loop {
        let until = soonest(&agent);
        let asleep = async {
            match until {
                Some(at) => {
                    let span = at.since(clock::moment());
                    tokio::time::sleep(Duration::from_millis(span.0)).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = agent.polls.wake.notified() => {}
            () = asleep => {}
        }
        grown_up(&agent);
        round(&agent);
    }
}

fn soonest(agent: &Agent) -> Option<Moment> {
    let is_known = agent.shared.borrow().platform.is_some();
    let poll = agent.polls.soonest().filter(|_| is_known);
    let young = agent.all().iter().filter_map(|app| app.memory.borrow().young_until).min();
    poll.into_iter().chain(young).min()
}

/// Candidates that were too young and are no longer.
fn grown_up(agent: &Rc<Agent>) {
    let now = clock::moment();
    for app in agent.all() {
        if app.memory.borrow().young_until.is_some_and(|at| at <= now) {
            judge_again(agent, &app);
        }
    }
}

/// Asks all that is due, hosts side by side: one that does not answer holds up no other.
fn round(agent: &Rc<Agent>) {
    let due = agent.polls.due(clock::moment());
    if due.is_empty() || agent.shared.borrow().platform.is_none() {
        return;
    }
    let number = agent.polls.round.get() + 1;
    agent.polls.round.set(number);
    for (host, questions) in due {
        agent.polls.busy.borrow_mut().insert(host.clone());
        let agent = Rc::clone(agent);
        tokio::task::spawn_local(async move {
            for (key, reference, track) in questions {
                ask(&agent, &key, &reference, &track, Round(number)).await;
            }
            agent.polls.busy.borrow_mut().remove(&host);
            if agent.polls.busy.borrow().is_empty() {
                agent.registries.borrow().rest();
            }
            agent.polls.wake.notify_one();
        });
    }
}

async fn ask(agent: &Rc<Agent>, key: &str, reference: &Reference, track: &Track, round: Round) {
    let registries = agent.registries.borrow().clone();
    let Some((board, _)) = agent.shared.borrow().platform.clone() else {
        return;
    };
    // Who asks from here on wants to know what is there from here on.
    let waiting = agent.polls.take_waiting(key);
    let answer = registries.resolve(reference, track, &board, round, clock::moment()).await;
    let now = clock::moment();
    if let Err(failure) = &answer {
        log::info!("{reference}: {failure}");
    }
    let pause = registries.not_before(&reference.repository.host).filter(|pause| pause.at > now);
    let next = pause.map_or_else(|| now.after(interval(agent)), |pause| pause.at);
    for app in agent.polls.answered(key, &answer, next).iter().filter_map(|name| agent.app(name)) {
        judge(agent, &app, &answer);
        super::publish::app(agent, &app);
    }
    for asked in waiting {
        let told = answer.as_ref().map(|_| ());
        let told = told.map_err(|failure| failure.error.reason(clock::wall()));
        // Who asked may be gone by now.
        let _gone = asked.send(told);
    }
}

/// The setting, moved by up to 20 % by the board's id.
fn interval(agent: &Agent) -> Millis {
    spread(agent.settings().poll, &agent.me.board)
}

fn spread(poll: Millis, board: &str) -> Millis {
    let mut hasher = DefaultHasher::new();
    board.hash(&mut hasher);
    let permille = 800 + hasher.finish() % 401;
    Millis((poll.0.saturating_mul(permille) / 1000).max(POLL_MIN.0))
}

/// What the registry says of a release: from the last answers, else asked for by its digest.
///
/// # Errors
/// The registry does not say.
pub async fn resolved(agent: &Rc<Agent>, release: &Release) -> Result<Rc<Resolved>, RegistryError> {
    let known = agent.polls.all.borrow().values().find_map(|poll| {
        let resolved = poll.answer.as_ref()?.as_ref().ok()?;
        resolved.release.is(release).then(|| Rc::clone(resolved))
    });
    if let Some(resolved) = known {
        return Ok(resolved);
    }
    let (repository, board) = (repository(release), agent.shared.borrow().platform.clone());
    let (Some(repository), Some((board, _)), Some(_)) = (repository, board, release.manifest)
    else {
        let image = release.repository.clone().unwrap_or_default();
        return Err(RegistryError::NoReference { image });
    };
    let reference = Reference { repository, tag: None, digest: release.manifest };
    let number = agent.polls.round.get() + 1;
    agent.polls.round.set(number);
    let registries = agent.registries.borrow().clone();
    let now = clock::moment();
    let resolved = registries.resolve(&reference, &Track::Pinned, &board, Round(number), now).await;
    resolved.map_err(|failure| failure.error)
}

#[cfg(test)]
mod tests;
