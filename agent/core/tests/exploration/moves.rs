//! All that can happen next in the small world: the agent's step with each way it can go wrong, and the world's own acts.

use titania_core::api::{Options, Verb};
use titania_core::decide::decide;
use titania_core::fork::Fork;
use titania_core::names::{BootId, Generation};
use titania_core::reason::{Class, Code};
use titania_core::status::ContainerState;
use titania_core::step::{Change, Decision, Step, Why};
use titania_core::time::Moment;
use titania_core::verbs;
use titania_core::world::{Candidate, Exit, Health, RecordFrom};

use crate::model::{Nature, State, reason, spec};

/// The world goes on without a fault: the agent's own step, or time.
pub fn plain(s: &State) -> (State, String) {
    let mut next = s.clone();
    let decision = decide(&s.w);
    let label = match &decision {
        Decision::Do(step) => {
            next.perform(step);
            name(step)
        }
        other => {
            time(&mut next, other);
            match other {
                Decision::Wait(..) => "waits".into(),
                Decision::Idle(_) => "rests".into(),
                _ => "is blocked".into(),
            }
        }
    };
    (next, label)
}

/// A step in few words, for traces.
fn name(step: &Step) -> String {
    match (step, step.name()) {
        (Step::Write(change), _) => {
            let change = format!("{change:?}");
            format!("write {}", change.split(['(', ' ']).next().unwrap_or_default())
        }
        (Step::Mark(g, mark), _) => format!("mark {g} {}", &format!("{mark:?}")[..9]),
        (Step::Prune(_), _) => "prune".into(),
        (step, Some((_, g))) => {
            let step = format!("{step:?}");
            format!("{} {g}", step.split('(').next().unwrap_or_default())
        }
        (step, None) => format!("{step:?}"),
    }
}

/// Time passes: probes answer, back-offs end, lost starts land.
fn time(s: &mut State, decision: &Decision) {
    if let Some(g) = s.late {
        if s.w.container(g).is_some_and(|c| !c.is_up()) {
            s.run(g);
        }
        s.late = None;
    }
    for f in &mut s.w.evidence.failed {
        f.retry_at = Moment(0);
    }
    if !matches!(decision, Decision::Idle(_)) {
        s.w.evidence.retry_at = None;
    }
    if s.w.evidence.sought.is_some_and(|(_, found)| !found) {
        s.w.evidence.sought = None;
    }
    let Some(g) = s.w.wanted_generation().filter(|g| s.up().contains(g)) else { return };
    let current = s.w.record.current.as_ref().map(|c| c.generation);
    match s.nature(g) {
        Nature::Good => s.w.health = Health::Settled,
        Nature::Unhealthy => s.w.health = Health::Unhealthy,
        Nature::Crashes if Some(g) != current => {
            s.end(g, Exit::Own(reason(Code::Exited, Class::Release)));
        }
        Nature::Crashes => s.w.health = Health::Unhealthy, // its policy starts it again and again
    }
    s.w.evidence.settled = Some(g) == current && s.w.health == Health::Settled;
}

/// The tag points to the other release: no fault, but not for ever.
pub fn news(s: &State) -> Option<(State, String)> {
    let rollback = s.w.wanted.as_ref().is_some_and(|w| w.rollback);
    let second = s.w.candidate == Candidate::Known(spec(0, false, rollback));
    let mut next = s.clone();
    next.moves = s.moves.checked_sub(1)?;
    next.w.candidate = Candidate::Known(spec(second.into(), false, rollback));
    Some((next, format!("tag moves, second: {second}")))
}

/// Every other thing that can happen, each a fault or a person's hand.
pub fn faults(s: &State) -> Vec<(State, String)> {
    let mut all = Vec::new();
    let mut push = |label: String, act: &mut dyn FnMut(&mut State)| {
        let mut next = s.clone();
        next.faults -= 1;
        act(&mut next);
        all.push((next, label));
    };
    let decision = decide(&s.w);
    if let Decision::Do(step) = &decision {
        of_step(step, &mut push);
    }
    push("agent killed".into(), &mut |n| {
        n.doubt = true;
        n.forget();
    });
    push("board restarted".into(), &mut reboot);
    push("engine crashed".into(), &mut |n| {
        for g in n.up() {
            n.end(g, Exit::Ambiguous(Code::ExitUnseen)); // and left down, policy or not
            n.stopped.push(g);
        }
        n.doubt = true;
    });
    for c in &s.w.containers {
        persons(c.generation, c.is_up(), &mut push);
    }
    if s.w.record_from == RecordFrom::File {
        push("record lost".into(), &mut |n| {
            n.w.record = titania_core::record::Record::default();
            n.w.record_from = RecordFrom::Nowhere;
            n.doubt = true;
            n.forget();
        });
    }
    if let Some(former) = &s.former {
        push("record older".into(), &mut |n| {
            n.w.record = former.clone();
            n.w.record_from = RecordFrom::Former;
            n.former = None;
            n.doubt = true;
            n.forget();
        });
    }
    for g in &s.w.images {
        push(format!("image {g} pruned"), &mut |n| n.w.images.retain(|i| i != g));
    }
    for (verb, old, keep) in [
        (Verb::Stop, false, false),
        (Verb::Start, false, false),
        (Verb::Retry, false, false),
        (Verb::Rollback, true, false),
        (Verb::Rollback, false, true),
    ] {
        let options = Options { old_state: old, keep_state: keep };
        if let Ok(Some(change)) = verbs::change(&s.w, verb, options, "uid:0") {
            push(format!("operator: {verb:?} {options:?}"), &mut |n| {
                n.doubt = true; // a person's stop in probation, a return to the second …
                n.perform(&Step::Write(Box::new(change.clone())));
            });
        }
    }
    all
}

type Push<'a> = dyn FnMut(String, &mut dyn FnMut(&mut State)) + 'a;

/// Crash after it, half way through it, no answer with, without and with late effect, refusal, full disk.
fn of_step(step: &Step, push: &mut Push<'_>) {
    push(format!("killed after {}", name(step)), &mut |n| {
        n.perform(step);
        n.doubt = true;
        n.forget();
    });
    match step {
        Step::Reserve(file) => push("half of reserve".into(), &mut |n| {
            let g = file.generation;
            n.w.forks.retain(|f| f.generation != g);
            let fork = Fork {
                generation: g,
                file: None,
                folder: true,
                unfinished: true,
                owned: false,
                set_aside: false,
            };
            n.w.forks.push(fork);
            n.w.forks.sort_by_key(|f| f.generation);
            n.forget();
        }),
        Step::Start(g) => {
            push("start, answer lost, done".into(), &mut |n| n.perform(step));
            push("start, answer lost, lands late".into(), &mut |n| {
                n.sent(*g);
                n.late = Some(*g);
            });
            push("start, never arrived".into(), &mut |n| n.sent(*g));
            push("start refused for the release".into(), &mut |n| {
                n.doubt = true; // also said of the first one here
                n.fail(step, Class::Release);
            });
            push("start refused for the board".into(), &mut |n| n.fail(step, Class::Environment));
        }
        Step::Stop(g) => push("stop, answer lost, not done".into(), &mut |n| {
            let started = n.w.container(*g).and_then(|c| c.started_at.clone());
            n.w.evidence.stopped = Some((*g, started));
        }),
        Step::Write(change) if matches!(**change, Change::Boots { .. } | Change::Verdict(_)) => {
            push("disk full".into(), &mut State::unwritable);
        }
        Step::Mark(_, mark)
            if matches!(**mark, titania_core::fork::Mark::Failed { word: None, .. }) =>
        {
            push("disk full".into(), &mut State::unwritable);
        }
        Step::Inspect(..) => {
            push("not runnable".into(), &mut |n| {
                n.doubt = true;
                n.fail(step, Class::Release);
            });
        }
        Step::Fetch(..) | Step::Create(..) | Step::Fork(..) | Step::Own(..) | Step::Remove(_) => {
            push(format!("refused: {}", name(step)), &mut |n| n.fail(step, Class::Environment));
        }
        _ => {}
    }
}

fn reboot(n: &mut State) {
    n.boots += 1;
    n.w.boot = BootId(n.boots.to_string());
    n.late = None;
    n.doubt = true;
    let up = n.up();
    for g in &up {
        n.end(*g, Exit::Ambiguous(Code::BoardRestarted));
    }
    n.forget();
    let armed: Vec<Generation> =
        n.w.containers
            .iter()
            .filter(|c| {
                c.armed && c.state == ContainerState::Exited && !n.stopped.contains(&c.generation)
            })
            .map(|c| c.generation)
            .collect();
    for g in armed {
        n.run(g);
        n.stranger = true;
    }
}

fn persons(g: Generation, up: bool, push: &mut Push<'_>) {
    push(format!("a person removes {g}"), &mut |n| {
        n.vanish(g);
        n.late = n.late.filter(|l| *l != g);
        n.w.health = Health::Starting;
        n.doubt = true;
    });
    if up {
        push(format!("a person stops {g}"), &mut |n| {
            n.end(g, Exit::Ambiguous(Code::StoppedOutside));
            n.stopped.push(g);
            n.doubt = true;
        });
        push(format!("{g} ends by itself"), &mut |n| {
            let armed = n.w.container(g).is_some_and(|c| c.armed);
            n.end(g, Exit::Own(reason(Code::Exited, Class::Release)));
            n.doubt = true;
            if armed {
                n.run(g);
            }
        });
    } else {
        push(format!("a person starts {g}"), &mut |n| {
            n.run(g);
            n.stranger = true;
            n.doubt = true;
        });
    }
}

/// Whether all is as it shall be for good: at rest, one container up, or none where none is wanted.
pub fn is_settled(s: &State) -> bool {
    let wanted = s.w.wanted_generation();
    let up = s.up();
    match decide(&s.w) {
        Decision::Idle(Why::Stopped) => up.is_empty(),
        // A first install that can't run, and says so.
        Decision::Idle(Why::Quarantined | Why::Refused(_)) if s.w.record.current.is_none() => {
            s.w.containers.is_empty()
        }
        Decision::Idle(_) => up.len() == 1 && up.first().copied() == wanted && s.late.is_none(),
        _ => false,
    }
}
