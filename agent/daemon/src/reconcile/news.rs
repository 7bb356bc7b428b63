//! What is told as an event: from changes of a record, and from changes of an app's status.
//!
//! Pure. Texts are for a person, one line each.

use titania_core::event::{EventType, Level};
use titania_core::names::AppName;
use titania_core::outcome::{Ending, Outcome, Trigger};
use titania_core::reason::{Code, Reason};
use titania_core::record::Record;
use titania_core::release::Release;
use titania_core::status::{AppState, AppStatus, HealthState, StepName};
use titania_core::step::Change;

/// One thing to tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// What.
    pub kind: EventType,
    /// How grave.
    pub level: Level,
    /// Why.
    pub reason: Option<Reason>,
    /// Release it is about.
    pub release: Option<Release>,
    /// Update it belongs to.
    pub update: Option<String>,
    /// For a person.
    pub text: String,
}

impl Told {
    /// Good to know.
    pub fn info(kind: EventType, text: impl Into<String>) -> Self {
        Self {
            kind,
            level: Level::Info,
            reason: None,
            release: None,
            update: None,
            text: text.into(),
        }
    }

    /// Something is wrong.
    pub fn because(
        kind: EventType,
        level: Level,
        reason: &Reason,
        text: impl Into<String>,
    ) -> Self {
        Self { level, reason: Some(reason.clone()), ..Self::info(kind, text) }
    }

    /// About that release.
    #[must_use]
    pub fn about(mut self, release: &Release) -> Self {
        self.release = Some(release.clone());
        self
    }
}

/// A release as a person names it.
pub fn name(release: &Release) -> String {
    let config = || release.config.map(|config| config.short());
    let named = release.version.clone().or_else(|| release.tag.clone()).or_else(config);
    named.unwrap_or_else(|| "an unknown release".to_owned())
}

/// What a change of the record is told as.
pub fn of_change(app: &AppName, old: &Record, new: &Record, change: &Change) -> Vec<Told> {
    let mut told = Vec::new();
    match change {
        Change::Begin(intent) | Change::GoBack(intent, _) => {
            let to = name(&intent.spec.release);
            let is_same = old.current.as_ref().is_some_and(|c| c.spec.is(&intent.spec));
            let text = match (intent.trigger, &intent.by) {
                (Trigger::Operator, Some(by)) if is_same && !intent.old_state => {
                    let fork = intent.parent.unwrap_or_default();
                    format!("{app}: goes on with a copy of its state {fork}, as {by} asks")
                }
                (Trigger::Install, _) => format!("{app}: installs {to}"),
                (_, Some(by)) => format!("{app}: goes to {to}, as {by} asks"),
                (Trigger::Definition, None) => {
                    format!("{app}: its definition changed, {to} is started anew")
                }
                _ => format!("{app}: updates to {to}"),
            };
            let mut begun = Told::info(EventType::UpdateStarted, text).about(&intent.spec.release);
            begun.update = Some(app.container(intent.generation));
            told.push(begun);
        }
        Change::Conclude | Change::Abandon(_) | Change::Refuse(_) => {
            if let Some(last) = new.last.as_ref().filter(|_| new.last != old.last) {
                told.push(of_outcome(last));
            }
        }
        Change::Rebuild(_) => told.push(restored(app)),
        Change::Stop(by) => {
            told.push(Told::info(EventType::AppStopped, format!("{app}: stopped by {by}")))
        }
        Change::Purge(by) => {
            told.push(Told::info(EventType::AppStopped, format!("{app}: {by} has it deleted")))
        }
        Change::Repaired(_) => {
            let text =
                format!("{app}: its image was damaged on this disk; fetched again, it runs well");
            let mut told = Told::info(EventType::AppRecovered, text);
            told.update = new.last.as_ref().map(|last| last.id.clone());
            return vec![told];
        }
        Change::Hold(Some(hold)) => {
            let text = format!("{app}: held by {}: {}", hold.by, hold.reason);
            told.push(Told::info(EventType::HoldSet, text));
        }
        Change::Hold(None) if old.hold.is_some() => {
            told.push(Told::info(EventType::HoldCleared, format!("{app}: held no longer")));
        }
        Change::Hold(None)
        | Change::Start
        | Change::Retry
        | Change::Resolve(_)
        | Change::Boots { .. }
        | Change::Verdict(_)
        | Change::Moved
        | Change::Purged
        | Change::Proven => {}
    }
    told.extend(of_quarantine(app, old, new));
    told
}

/// A record that was lost or old has been brought forward.
pub fn restored(app: &AppName) -> Told {
    let text =
        format!("{app}: its record was lost or old, and is made again from the marks of its forks");
    let mut restored = Told::info(EventType::StateRestored, text);
    restored.level = Level::Warning;
    restored
}

fn of_quarantine(app: &AppName, old: &Record, new: &Record) -> Vec<Told> {
    let mut told = Vec::new();
    for entry in new.quarantine.iter().filter(|entry| !old.quarantine.contains(entry)) {
        let what = entry.tag.clone().unwrap_or_else(|| entry.config.short());
        let text = format!(
            "{app}: {what} ({}) is not tried again: {}",
            entry.config.short(),
            entry.reason.message
        );
        let mut told_of =
            Told::because(EventType::ReleaseQuarantined, Level::Warning, &entry.reason, text);
        told_of.release = new
            .last
            .as_ref()
            .and_then(|last| last.to.clone())
            .filter(|to| to.config == Some(entry.config));
        told.push(told_of);
    }
    if new.quarantine.is_empty() && !old.quarantine.is_empty() {
        let text = format!("{app}: releases that failed may be tried again");
        told.push(Told::info(EventType::QuarantineCleared, text));
    }
    told
}

fn of_outcome(last: &Outcome) -> Told {
    let app = &last.app;
    let release =
        |release: &Option<Release>| release.as_ref().map_or_else(|| "nothing".to_owned(), name);
    let (from, to) = (release(&last.from), release(&last.to));
    let why =
        last.reason.as_ref().map_or_else(String::new, |reason| format!(": {}", reason.message));
    let (kind, level, text) = match last.outcome {
        Ending::Committed if last.trigger == Trigger::Install => {
            (EventType::AppInstalled, Level::Info, format!("{app}: {to} is installed"))
        }
        Ending::Committed => {
            (EventType::UpdateCommitted, Level::Info, format!("{app}: {from} → {to} is done"))
        }
        Ending::RolledBack => (
            EventType::UpdateRolledBack,
            Level::Error,
            format!("{app}: {to} failed, {from} runs again{why}"),
        ),
        Ending::Inconclusive => (
            EventType::UpdateInconclusive,
            Level::Warning,
            format!("{app}: {to} did not come up, {from} is back{why}"),
        ),
        Ending::Refused => {
            (EventType::UpdateRefused, Level::Warning, format!("{app}: {to} is not taken{why}"))
        }
        Ending::Abandoned => (
            EventType::UpdateAbandoned,
            Level::Info,
            format!("{app}: {to} is no longer wanted{why}"),
        ),
    };
    Told {
        kind,
        level,
        reason: last.reason.clone(),
        release: last.to.clone(),
        update: Some(last.id.clone()),
        text,
    }
}

/// Whether an update has gone beyond what is done beside the running release, which can take days.
fn is_cut_over(status: &AppStatus) -> bool {
    use StepName::{Create, Fetch, Inspect, Reserve, Resolve, Wait};
    let update = status.update.as_ref();
    update.is_some_and(|u| !matches!(u.step, Resolve | Reserve | Fetch | Inspect | Create | Wait))
}

/// What a change of an app's status is told as. The first status of a run is no change.
pub fn of_status(before: &AppStatus, after: &AppStatus) -> Vec<Told> {
    let app = &after.app;
    let mut told = Vec::new();
    let reason = |fallback: &str| {
        after.reason.as_ref().map_or_else(|| fallback.to_owned(), |r| r.message.clone())
    };
    let is_in_update = is_cut_over(before) || is_cut_over(after);
    if before.health != after.health && !is_in_update {
        let was_bad = before.health == HealthState::Unhealthy;
        if after.health == HealthState::Unhealthy {
            let text = format!("{app}: unhealthy: {}", reason("its probe fails"));
            let mut bad = Told::info(EventType::AppUnhealthy, text);
            bad.level = Level::Warning;
            bad.reason = after.reason.clone();
            told.push(bad);
        } else if was_bad && after.health == HealthState::Healthy {
            told.push(Told::info(EventType::AppRecovered, format!("{app}: healthy again")));
        }
    }
    if before.state != after.state && after.state == AppState::Orphaned {
        let text = format!("{app}: its definition is gone; it is stopped, and kept");
        told.push(Told::info(EventType::AppOrphaned, text));
    }
    let known = |status: &AppStatus| status.candidate.as_ref().and_then(|release| release.config);
    // What is installed first, or was tried and failed, is no news at each start of the agent.
    let is_news = |release: &&Release| {
        let is_condemned =
            after.quarantine.iter().any(|entry| Some(entry.config) == release.config);
        known(before) != release.config
            && release.config.is_some()
            && after.current.is_some()
            && !is_condemned
    };
    if let Some(candidate) = after.candidate.as_ref().filter(is_news) {
        let text = format!("{app}: {} is available", name(candidate));
        told.push(Told::info(EventType::UpdateAvailable, text).about(candidate));
    }
    told
}

/// What an app was told to be blocked for; null where no reason was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block(Option<Code>);

/// What a block is told as: once when it begins, or when another reason takes its place, and once when it is over. It
/// lasts while what is blocked is tried again (`is_trying`), and while the engine is away, which is told for itself.
pub fn of_block(told: &mut Option<Block>, after: &AppStatus, is_trying: bool) -> Option<Told> {
    let app = &after.app;
    // Messages differ from try to try: figures, one time-out or another.
    let now = Block(after.reason.as_ref().map(|reason| reason.code));
    match after.state {
        AppState::Blocked if told.replace(now) == Some(now) => None,
        AppState::Blocked => {
            let why = after.reason.as_ref().map_or("it can't run", |why| why.message.as_str());
            let text = format!("{app}: blocked: {why}");
            let blocked = Told { level: Level::Error, ..Told::info(EventType::AppBlocked, text) };
            Some(Told { reason: after.reason.clone(), ..blocked })
        }
        AppState::Unknown => None,
        _ if is_trying && after.health == HealthState::None => None,
        // Told as orphaned.
        AppState::Orphaned => told.take().and(None),
        _ => told
            .take()
            .map(|_| Told::info(EventType::AppUnblocked, format!("{app}: no longer blocked"))),
    }
}

#[cfg(test)]
mod tests;
