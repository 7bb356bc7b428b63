//! Polls: what each track points at, asked once for all apps that follow it.
//!
//! Promise: between two polls of a repository lies the setting, moved by up to 20 % by the board's id, so that a
//! fleet does not ask in step; an operator's question is asked at once, except within a `Retry-After`.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::time::Duration;

use titania_core::digest::Digest;
use titania_core::names::AppName;
use titania_core::reason::{Code, Reason};
use titania_core::reference::Reference;
use titania_core::release::Release;
use titania_core::time::{Millis, Moment};
use titania_core::track::Track;
use titania_core::world::Candidate;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;

use super::agent::Agent;
use super::app::{App, InForce, Memory};
use super::candidate::{self, Measure};
use super::perform::repository;
use crate::board::clock;
use crate::registry::{Failure, RegistryError, Resolved, Round};

/// Shortest time between two polls, whatever the settings say.
const POLL_MIN: Millis = Millis::seconds(60);
/// Until an age is looked at again that needs a clock.
const CLOCK_LOOK: Millis = Millis::seconds(60);

type Answer = Result<Rc<Resolved>, Failure>;

/// All polls of the board.
#[derive(Default)]
pub struct Polls {
    all: RefCell<BTreeMap<String, Poll>>,
    round: Cell<u64>,
    wake: Notify,
    /// Hosts that are being asked: one that does not answer holds up no other.
    busy: RefCell<BTreeSet<String>>,
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
    waiting: Vec<oneshot::Sender<Result<(), Reason>>>,
    /// Apps that follow it.
    apps: Vec<AppName>,
}

fn key(force: &InForce) -> String {
    format!("{} {:?}", force.definition.shape.image, force.definition.track)
}

impl Polls {
    /// When the registry is asked for an app next; null for a pinned digest that is known.
    pub fn next(&self, app: &AppName) -> Option<Moment> {
        let all = self.all.borrow();
        let poll = all.values().find(|poll| poll.apps.contains(app))?;
        let is_settled = poll.track == Track::Pinned && matches!(poll.answer, Some(Ok(_)));
        (!is_settled).then_some(poll.next)
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

    fn soonest(&self) -> Option<Moment> {
        let all = self.all.borrow();
        let is_open = |poll: &&Poll| {
            !(poll.track == Track::Pinned
                && matches!(poll.answer, Some(Ok(_)))
                && poll.waiting.is_empty())
        };
        let busy = self.busy.borrow();
        let is_free = |poll: &&Poll| !busy.contains(&poll.reference.repository.host);
        all.values().filter(is_open).filter(is_free).map(|poll| poll.next).min()
    }

    fn due(&self, now: Moment) -> BTreeMap<String, Vec<(String, Reference, Track)>> {
        let mut hosts: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (key, poll) in self.all.borrow().iter() {
            let is_settled = poll.track == Track::Pinned && matches!(poll.answer, Some(Ok(_)));
            if poll.next <= now && (!is_settled || !poll.waiting.is_empty()) {
                let question = (key.clone(), poll.reference.clone(), poll.track.clone());
                hosts.entry(poll.reference.repository.host.clone()).or_default().push(question);
            }
        }
        let busy = self.busy.borrow();
        hosts.retain(|host, _| !busy.contains(host));
        hosts
    }
}

/// Polls for ever.
pub async fn keep(agent: Rc<Agent>) {
    let mut asked = JoinSet::new();
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
            Some(host) = asked.join_next() => {
                let mut busy = agent.polls.busy.borrow_mut();
                match host {
                    Ok(host) => {
                        busy.remove::<String>(&host);
                    }
                    Err(_) => busy.clear(),
                }
                drop(busy);
                if asked.is_empty() {
                    agent.registries.borrow().rest();
                }
            }
        }
        grown_up(&agent);
        round(&agent, &mut asked);
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

/// Asks all that is due, hosts side by side.
fn round(agent: &Rc<Agent>, asked: &mut JoinSet<String>) {
    let due = agent.polls.due(clock::moment());
    if due.is_empty() || agent.shared.borrow().platform.is_none() {
        return;
    }
    let number = agent.polls.round.get() + 1;
    agent.polls.round.set(number);
    for (host, questions) in due {
        agent.polls.busy.borrow_mut().insert(host.clone());
        let agent = Rc::clone(agent);
        asked.spawn_local(async move {
            for (key, reference, track) in questions {
                ask(&agent, &key, &reference, &track, Round(number)).await;
            }
            host
        });
    }
}

async fn ask(agent: &Rc<Agent>, key: &str, reference: &Reference, track: &Track, round: Round) {
    let registries = agent.registries.borrow().clone();
    let Some((board, _)) = agent.shared.borrow().platform.clone() else {
        return;
    };
    let answer = registries.resolve(reference, track, &board, round, clock::moment()).await;
    let now = clock::moment();
    if let Err(failure) = &answer {
        log::info!("{reference}: {failure}");
    }
    let pause = registries.not_before(&reference.repository.host).filter(|pause| pause.at > now);
    let next = pause.map_or_else(|| now.after(interval(agent)), |pause| pause.at);
    let (apps, waiting) = {
        let mut all = agent.polls.all.borrow_mut();
        let Some(poll) = all.get_mut(key) else {
            return; // no definition asks this any more
        };
        poll.next = next;
        poll.answer = Some(answer.clone());
        (poll.apps.clone(), std::mem::take(&mut poll.waiting))
    };
    for app in apps.iter().filter_map(|name| agent.app(name)) {
        judge(agent, &app, &answer);
        super::publish::app(agent, &app);
    }
    for asked in waiting {
        // The registry was asked, and answered: what is not taken is shown as the app's own reason.
        let told = match &answer {
            Err(failure) if !failure.refuses() => Err(failure.error.reason(clock::wall())),
            _ => Ok(()),
        };
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

/// Judges the last answer again: record or definition changed, or time passed.
pub fn judge_again(agent: &Rc<Agent>, app: &Rc<App>) {
    let answer = {
        let memory = app.memory.borrow();
        let all = agent.polls.all.borrow();
        let poll = memory.definition.as_ref().and_then(|force| all.get(&key(force)));
        poll.and_then(|poll| poll.answer.clone())
    };
    match answer {
        Some(answer) => judge(agent, app, &answer),
        None => {
            let mut memory = app.memory.borrow_mut();
            memory.candidate = Candidate::Unknown;
            memory.young_until = None;
        }
    }
}

/// What an answer is for one app.
fn judge(agent: &Rc<Agent>, app: &Rc<App>, answer: &Answer) {
    let before = app.memory.borrow().candidate.clone();
    let is_due;
    {
        let memory = &mut *app.memory.borrow_mut();
        let Some(force) = memory.definition.clone() else {
            return;
        };
        memory.warnings.retain(|code, _| !is_of_registry(*code));
        memory.young_until = None;
        is_due = answer.is_ok() && has_answered(memory);
        let at = clock::wall();
        let current = memory.record.current.as_ref();
        let by = Measure { definition: &force.definition, hash: force.hash, current, at };
        match answer {
            Ok(resolved) => match too_young(&resolved.release, &force) {
                Some(wait) => memory.young_until = Some(clock::moment().after(wait)),
                None => memory.candidate = candidate::judge(&resolved.release, by),
            },
            Err(failure) if failure.refuses() => {
                memory.candidate =
                    candidate::refused(&failure.release, by, failure.error.reason(at));
            }
            // What was known stays known.
            Err(failure) if matches!(before, Candidate::Known(_) | Candidate::Refused(_)) => {
                let reason = failure.error.reason(at);
                memory.warnings.insert(reason.code, reason);
            }
            Err(failure) => memory.candidate = Candidate::Unreachable(failure.error.reason(at)),
        }
    }
    if is_due || app.memory.borrow().candidate != before {
        agent.polls.wake.notify_one();
        app.wake.notify_one();
    }
}

/// The registry answers again: what it did not answer to is asked anew at the next look.
fn has_answered(memory: &mut Memory) -> bool {
    let now = clock::moment();
    let is_silent = |code| matches!(code, Code::RegistryUnreachable | Code::RegistryDenied);
    let mut is_due = false;
    for failure in memory.evidence.failed.iter_mut().filter(|f| is_silent(f.reason.code)) {
        failure.retry_at = now;
        is_due = true;
    }
    is_due
}

fn is_of_registry(code: Code) -> bool {
    matches!(
        code,
        Code::RegistryUnreachable
            | Code::RegistryDenied
            | Code::RateLimited
            | Code::ImageMissing
            | Code::ConfigInvalid
    )
}

fn too_young(release: &Release, force: &InForce) -> Option<Millis> {
    if force.definition.update.min_age.0 == 0 {
        return None;
    }
    if !clock::is_synced() {
        return Some(CLOCK_LOOK);
    }
    let wait = candidate::is_young_for(release, &force.definition, clock::wall());
    (wait.0 > 0).then_some(wait)
}

/// Digests of a release's layers as its config promises them: from the last answers, else asked for by its digest.
///
/// # Errors
/// The registry does not say.
pub async fn layers(agent: &Rc<Agent>, release: &Release) -> Result<Vec<Digest>, RegistryError> {
    let known = agent.polls.all.borrow().values().find_map(|poll| {
        let resolved = poll.answer.as_ref()?.as_ref().ok()?;
        resolved.release.is(release).then(|| resolved.facts.diff_ids.clone())
    });
    if let Some(layers) = known {
        return Ok(layers);
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
    resolved.map(|resolved| resolved.facts.diff_ids.clone()).map_err(|failure| failure.error)
}

#[cfg(test)]
mod tests;
