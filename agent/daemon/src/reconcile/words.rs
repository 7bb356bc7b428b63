//! Words: the one place that turns what was decided into what a person reads.
//!
//! Promise: pure. Every message says what, where and why with its values; every hint is something to do.

use titania_core::event::{EventType, Level};
use titania_core::names::AppName;
use titania_core::reason::{Class, Code, Reason};
use titania_core::release::Release;
use titania_core::status::{Act, HealthState, Next, WaitingFor};
use titania_core::step::{Change, Decision, Step, Why};
use titania_core::time::{Moment, Timestamp};
use titania_core::world::{Candidate, Container, World};

/// A release as a person calls it: its version, else its tag, else twelve digits of its config.
pub fn release(release: &Release) -> String {
    let config = || release.config.map(|config| config.short());
    release
        .version
        .clone()
        .or_else(|| release.tag.clone())
        .or_else(config)
        .unwrap_or_else(|| "an unknown release".to_owned())
}

/// Why there is no step, as a reason; `None` where nothing is wrong.
pub fn reason(app: &AppName, world: &World, why: &Why) -> Option<Reason> {
    let say =
        |code, class, message: String, hint: String| Some(world.reason(code, class, message, hint));
    match why {
        Why::Steady | Why::Probation => None,
        Why::NoCandidate if world.record.current.is_some() => None,
        Why::NoCandidate => say(
            Code::RegistryUnreachable,
            Class::Environment,
            "nothing is known yet of the release it wants".to_owned(),
            "nothing: the registry is being asked".to_owned(),
        ),
        Why::Quarantined => quarantined(app, world),
        Why::Refused(code) => refused(world, *code),
        Why::Left => say(
            Code::Operator,
            Class::Operator,
            format!("an operator went back from {}", candidate(world)),
            format!("it is taken when its tag moves on, or with: agentctl retry {app}"),
        ),
        Why::Stopped => stopped(app, world),
        Why::Orphaned => say(
            Code::Operator,
            Class::Operator,
            "its definition file is gone; the app is stopped, its volumes are kept".to_owned(),
            format!("put {app}.toml back to start it again"),
        ),
        Why::Returning => {
            let intent = world.record.intent.as_ref()?;
            intent.verdict.as_ref().map(|verdict| verdict.reason.clone())
        }
        Why::Settling | Why::Backoff => world.record.last.as_ref()?.reason.clone(),
        Why::NoWayBack(reason) => say(
            Code::ImageMissing,
            Class::Environment,
            format!(
                "the new release fails ({}), and the old one's image is gone here and in its registry",
                reason.message
            ),
            image_hint(world),
        ),
        Why::ImageMissing => say(
            Code::ImageMissing,
            Class::Environment,
            "its container is gone, and so is its image, here and in its registry".to_owned(),
            image_hint(world),
        ),
        Why::ImageDamaged { again: false } => say(
            Code::ImageDamaged,
            Class::Environment,
            "its image lost content on this disk, and its registry no longer has it".to_owned(),
            image_hint(world),
        ),
        Why::ImageDamaged { again: true } => say(
            Code::ImageDamaged,
            Class::Environment,
            "its image was fetched again, and has lost content on this disk once more".to_owned(),
            format!(
                "look at the disk (dmesg, fsck), give the board another; then: agentctl retry {app}"
            ),
        ),
        Why::Gate(reason, _) | Why::Failed(reason) | Why::Board(reason, _) => Some(reason.clone()),
    }
}

fn candidate(world: &World) -> String {
    match &world.candidate {
        Candidate::Known(spec) => release(&spec.release),
        Candidate::Refused(refusal) => release(&refusal.release),
        Candidate::Unknown | Candidate::Unreachable(_) => "the candidate".to_owned(),
    }
}

fn quarantined(app: &AppName, world: &World) -> Option<Reason> {
    let Candidate::Known(spec) = &world.candidate else {
        return None;
    };
    let entry =
        world.record.quarantine.iter().find(|entry| {
            Some(entry.config) == spec.release.config && entry.definition == spec.hash
        })?;
    Some(Reason::new(
        Code::Quarantined,
        entry.reason.class,
        format!(
            "{} failed before and is not tried again: {}",
            release(&spec.release),
            entry.reason.message
        ),
        format!("push a corrected release, or try it once more: agentctl retry {app}"),
        entry.at,
    ))
}

/// A refused candidate's own reason; of one that was only remembered by its code, the last outcome's.
fn refused(world: &World, code: Code) -> Option<Reason> {
    if let Candidate::Refused(refusal) = &world.candidate {
        return Some(refusal.reason.clone());
    }
    let last = world.record.last.as_ref().and_then(|last| last.reason.as_ref());
    Some(last.filter(|reason| reason.code == code).cloned().unwrap_or_else(|| {
        world.reason(
            code,
            Class::Release,
            format!("{} was refused ({})", candidate(world), code.word()),
            "its line of history says why: agentctl history",
        )
    }))
}

fn stopped(app: &AppName, world: &World) -> Option<Reason> {
    let stopped = world.record.stopped.as_ref()?;
    Some(Reason::new(
        Code::Operator,
        Class::Operator,
        format!("{} stopped it", stopped.by),
        format!("agentctl start {app}"),
        stopped.at,
    ))
}

fn image_hint(world: &World) -> String {
    let current = world.record.current.as_ref().map(|current| &current.spec.release);
    match current.map(|release| (&release.repository, &release.manifest)) {
        Some((Some(repository), Some(manifest))) => {
            format!("push {repository}@{manifest} again; it is looked for by itself")
        }
        _ => "push its image again; it is looked for by itself".to_owned(),
    }
}

/// Why an app that runs is not well; `None` when its probes pass.
pub fn unwell(app: &AppName, world: &World, health: HealthState) -> Option<Reason> {
    if health != HealthState::Unhealthy {
        return None;
    }
    let back = match &world.record.previous {
        Some(previous) => format!(
            "look at its log; to go back to {}: agentctl rollback {app}",
            release(&previous.spec.release)
        ),
        None => "look at its log, and at [health] in its definition".to_owned(),
    };
    let message = "its probes do not pass".to_owned();
    Some(world.reason(Code::Unhealthy, Class::Release, message, back))
}

/// What is waited for when a step failed so.
pub fn awaits(code: Code) -> WaitingFor {
    match code {
        Code::RegistryUnreachable
        | Code::RegistryDenied
        | Code::RateLimited
        | Code::ImageMissing
        | Code::ImageDamaged => WaitingFor::Registry,
        Code::DiskLow | Code::ForkTooLarge => WaitingFor::Disk,
        Code::VolumesMissing | Code::VolumesForeign | Code::StateNotDurable | Code::NotOwned => {
            WaitingFor::Volumes
        }
        Code::PortInUse | Code::PortLeaked => WaitingFor::Port,
        Code::DeviceMissing => WaitingFor::Device,
        Code::EngineAway | Code::EngineError => WaitingFor::Engine,
        Code::ClockUnsynced => WaitingFor::Clock,
        Code::Dependency => WaitingFor::Dependency,
        Code::ConfigInvalid | Code::AgentTooOld | Code::Operator | Code::StopStuck => {
            WaitingFor::Operator
        }
        _ => WaitingFor::Backoff,
    }
}

/// When things come by themselves, as the clocks stand.
#[derive(Clone, Copy)]
pub struct Times<'a> {
    /// The registry is asked next.
    pub poll: Option<Moment>,
    /// The shut gate opens.
    pub gate: Option<Moment>,
    /// A moment as wall-clock time.
    pub wall: &'a dyn Fn(Moment) -> Timestamp,
}

/// What comes next by itself, when, and what it waits for.
pub fn next(world: &World, decision: &Decision, times: Times<'_>) -> Next {
    let make =
        |act, at: Option<Moment>, waiting_for| Next { act, at: at.map(times.wall), waiting_for };
    let poll = |waiting_for| match times.poll {
        Some(at) => make(Act::Poll, Some(at), waiting_for),
        None => make(Act::None, None, waiting_for),
    };
    match decision {
        Decision::Do(_) if world.record.intent.is_some() => make(Act::Update, None, None),
        // A commit is tidied up after, a verdict written: the app itself is done.
        Decision::Do(Step::Write(change))
            if matches!(**change, Change::Begin(_) | Change::GoBack(..)) =>
        {
            make(Act::Update, None, None)
        }
        Decision::Do(_) if runs(world) => poll(None),
        Decision::Do(_) => make(Act::Retry, None, None),
        Decision::Idle(Why::Stopped | Why::Orphaned) => make(Act::None, None, None),
        Decision::Idle(Why::Failed(reason)) => poll(Some(awaits(reason.code))),
        Decision::Idle(Why::NoCandidate) if world.record.current.is_none() => {
            poll(Some(WaitingFor::Registry))
        }
        Decision::Idle(_) => poll(None),
        Decision::Wait(why, until) | Decision::Blocked(why, until) => match why {
            Why::Probation | Why::Returning => make(Act::Update, None, None),
            Why::Gate(_, gate) => make(Act::Update, until.or(times.gate), Some(*gate)),
            Why::Board(_, gate) => make(Act::Retry, until.or(times.gate), Some(*gate)),
            Why::Failed(reason) => make(Act::Retry, *until, Some(awaits(reason.code))),
            Why::ImageDamaged { again: true } => {
                make(Act::Retry, *until, Some(WaitingFor::Operator))
            }
            Why::NoWayBack(_) | Why::ImageMissing | Why::ImageDamaged { .. } => {
                make(Act::Retry, *until, Some(WaitingFor::Registry))
            }
            _ => make(Act::Retry, *until, Some(WaitingFor::Backoff)),
        },
    }
}

/// Whether what shall run does.
fn runs(world: &World) -> bool {
    let wanted = world.wanted_generation().and_then(|wanted| world.container(wanted));
    wanted.is_some_and(Container::is_up)
}

/// How grave an event is.
pub const fn level(kind: EventType) -> Level {
    match kind {
        EventType::UpdateRolledBack
        | EventType::ReleaseQuarantined
        | EventType::AppBlocked
        | EventType::EngineAway
        | EventType::ConfigError
        | EventType::BoardIdConflict
        | EventType::StopStuck => Level::Error,
        EventType::UpdateInconclusive
        | EventType::UpdateRefused
        | EventType::UpdateAbandoned
        | EventType::AppRestarted
        | EventType::AppUnhealthy
        | EventType::AppPutRight
        | EventType::AppOrphaned
        | EventType::DiskLow
        | EventType::StateRestored
        | EventType::EngineRestartAsked
        | EventType::EventsDropped => Level::Warning,
        _ => Level::Info,
    }
}

/// An event for a person, one line. `what` is the release it is about.
pub fn event(
    kind: EventType,
    app: Option<&AppName>,
    what: Option<&Release>,
    why: Option<&Reason>,
) -> String {
    let to =
        what.map_or_else(|| "a release".to_owned(), |what| format!("release {}", release(what)));
    let done = match kind {
        EventType::AgentStarted => "the agent has started".to_owned(),
        EventType::BoardBooted => "the board has booted".to_owned(),
        EventType::UpdateAvailable => format!("{to} is there"),
        EventType::UpdateStarted => format!("the update to {to} begins"),
        EventType::UpdateCommitted => format!("{to} is proven and current"),
        EventType::UpdateRolledBack => format!("{to} failed, the old one runs again"),
        EventType::UpdateInconclusive => {
            format!("the try of {to} ended without a verdict, the old one runs")
        }
        EventType::UpdateRefused => format!("{to} is not taken"),
        EventType::UpdateAbandoned => format!("the update to {to} is no longer wanted"),
        EventType::ReleaseQuarantined => format!("{to} is not tried again by itself"),
        EventType::QuarantineCleared => format!("{to} may be tried again"),
        EventType::AppInstalled => format!("installed with {to}"),
        EventType::AppStarted => "started".to_owned(),
        EventType::AppRestarted => "ended and was started again".to_owned(),
        EventType::AppUnhealthy => "no longer healthy".to_owned(),
        EventType::AppRecovered => "healthy again".to_owned(),
        EventType::AppStopped => "stopped".to_owned(),
        EventType::AppPutRight => {
            "was started, stopped or removed by another hand, and is put right".to_owned()
        }
        EventType::AppBlocked => "can't run".to_owned(),
        EventType::AppUnblocked => "can run again".to_owned(),
        EventType::AppOrphaned => "its definition file is gone: stopped, and kept".to_owned(),
        EventType::AppPurged => "purged".to_owned(),
        EventType::HoldSet => "held".to_owned(),
        EventType::HoldCleared => "no longer held".to_owned(),
        EventType::DiskLow => "a disk is nearly full".to_owned(),
        EventType::DiskOk => "the disk has room again".to_owned(),
        EventType::EngineAway => "the engine does not answer".to_owned(),
        EventType::EngineBack => "the engine answers again".to_owned(),
        EventType::ConfigError => "a file of settings or definitions is at fault".to_owned(),
        EventType::ConfigOk => "all files of settings and definitions are well again".to_owned(),
        EventType::StateRestored => {
            "its record was lost and brought forward from marks and containers".to_owned()
        }
        EventType::BoardIdConflict => "another board uses this one's id at the broker".to_owned(),
        EventType::EventsDropped => {
            "events were dropped: too many while the broker was away".to_owned()
        }
        EventType::StopStuck => "its container can't be stopped".to_owned(),
        EventType::EngineRestartAsked => "a restart of the engine is asked for".to_owned(),
    };
    let of = app.map(|app| format!("{app}: ")).unwrap_or_default();
    let because = why.map(|why| format!(": {}", why.message)).unwrap_or_default();
    format!("{of}{done}{because}")
}

#[cfg(test)]
mod tests;
