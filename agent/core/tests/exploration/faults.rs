//! All else that can happen: each way a step can go wrong, crashes, persons' and operators' hands.

use std::sync::Arc;

use titania_core::api::{Options, Verb};
use titania_core::fork::{Fork, Mark};
use titania_core::names::Generation;
use titania_core::reason::{Class, Code, Reason};
use titania_core::record::Record;
use titania_core::status::WaitingFor;
use titania_core::step::{Change, Decision, Step};
use titania_core::verbs;
use titania_core::world::{Candidate, Container, Exit, RecordFrom, Wanted};

use crate::clock::of_clock;
use crate::damage::of_damage;
use crate::model::{Content, State, reason};
use crate::moves::name;
use crate::search::Label;

/// Worlds that one fault leads to.
pub struct Faults<'a> {
    pub from: &'a State,
    all: Vec<(Box<State>, Label)>,
}

impl Faults<'_> {
    pub fn push(&mut self, label: Label, act: impl FnOnce(&mut State)) {
        let mut next = Box::new(self.from.clone());
        next.faults -= 1;
        act(&mut next);
        self.all.push((next, label));
    }
}

/// Every other thing that can happen to an app that is alone, each a fault or a person's hand.
pub fn faults(s: &State, decision: &Decision) -> Vec<(Box<State>, Label)> {
    let mut faults = Faults { from: s, all: Vec::with_capacity(48) };
    of_app_alone(decision, &mut faults);
    of_the_board(&mut faults);
    of_gates(&mut faults);
    of_clock(&mut faults);
    of_damage(&mut faults);
    faults.all
}

/// What can happen to one app of several.
pub fn of_app(s: &State, decision: &Decision) -> Vec<(Box<State>, Label)> {
    let mut faults = Faults { from: s, all: Vec::with_capacity(40) };
    of_app_alone(decision, &mut faults);
    faults.all
}

/// What befalls all apps of the board at once.
pub fn of_board(s: &State) -> Vec<(Box<State>, Label)> {
    let mut faults = Faults { from: s, all: Vec::with_capacity(8) };
    of_the_board(&mut faults);
    faults.all
}

fn of_app_alone(decision: &Decision, faults: &mut Faults<'_>) {
    let s = faults.from;
    if let Decision::Do(step) = decision {
        of_step(step, faults);
    }
    for c in &s.w.containers {
        of_container(c, faults);
    }
    of_record(faults);
    of_images(faults);
    of_files(faults);
    of_operators(faults);
}

/// Crash after it, half way through it, no answer with, without and with late effect, refusal, full disk.
fn of_step(step: &Step, faults: &mut Faults<'_>) {
    let Label(_, about) = name(step);
    let label = |word| Label(word, about);
    faults.push(label("killed after the step"), |n| {
        n.perform(step);
        n.forget();
    });
    match step {
        Step::Reserve(file) => {
            faults.push(label("killed half way through reserve"), |n| {
                let generation = file.generation;
                n.w.forks.retain(|f| f.generation != generation);
                let (folder, unfinished, owned, set_aside) = (true, true, false, false);
                n.w.forks.push(Fork {
                    generation,
                    file: None,
                    folder,
                    unfinished,
                    owned,
                    set_aside,
                });
                n.forget();
            });
            faults.push(label("no room for"), |n| {
                n.fail(step, file.generation, Class::Environment);
            });
        }
        Step::Purge => faults.push(label("killed half way through purge"), |n| {
            n.purge();
            n.forget();
        }),
        Step::Repair(g, _) => {
            faults.push(label("killed half way through repair"), |n| {
                n.vanish(*g);
                n.forget();
            });
            faults.push(label("refused:"), |n| n.fail(step, *g, Class::Environment));
        }
        Step::Start(g) => of_start(step, *g, faults),
        Step::Stop(g) => {
            faults.push(label("stop, answer lost, not done"), |n| {
                let started = n.w.container(*g).and_then(|c| c.started_at.clone());
                n.w.evidence.stopped = Some((*g, started));
                n.by_us = Some(*g); // seen stopped from now on, it counts as that
            });
            faults.push(label("stop found it down"), |n| {
                n.end(*g, Exit::Own(reason(Code::Exited, Class::Release)));
                n.stop(*g);
                n.doubt = true;
            });
        }
        Step::Write(change) if matches!(**change, Change::Boots { .. } | Change::Verdict(_)) => {
            faults.push(Label("the disk is full", 0), State::unwritable);
        }
        Step::Write(change) if matches!(**change, Change::Conclude | Change::Rebuild(_)) => {
            faults.push(Label("the disk is full: in memory alone", 0), |n| n.write(change, false));
        }
        Step::Mark(_, mark) if matches!(**mark, Mark::Failed { word: None, .. }) => {
            faults.push(Label("the disk is full", 0), State::unwritable);
        }
        Step::Compare(g, _) => faults.push(label("not as defined:"), |n| {
            n.fail(step, *g, Class::Config);
        }),
        Step::Inspect(g, _) => faults.push(label("not runnable"), |n| {
            n.doubt = true;
            n.fail(step, *g, Class::Release);
        }),
        Step::Fetch(g, _)
        | Step::Create(g, ..)
        | Step::Fork(g, _)
        | Step::Own(g, _)
        | Step::Unfinish(g)
        | Step::Arm(g)
        | Step::Remove(g) => {
            faults.push(label("the step is refused"), |n| n.fail(step, *g, Class::Environment));
        }
        _ => {}
    }
}

fn of_start(step: &Step, g: Generation, faults: &mut Faults<'_>) {
    let label = |word| Label::of(word, g);
    faults.push(label("start, answer lost, done"), |n| n.perform(step));
    faults.push(label("start, answer lost, lands late"), |n| {
        n.sent(g);
        n.late = Some(g);
    });
    faults.push(label("start, never arrived"), |n| n.sent(g));
    faults.push(label("start refused for the release"), |n| {
        n.doubt = true; // also said of the first one here
        n.fail(step, g, Class::Release);
        if n.bounds.damage && n.current() == Some(g) {
            n.suspect(g);
        }
    });
    faults.push(label("start refused for the board"), |n| n.fail(step, g, Class::Environment));
}

/// What befalls the board, the engine or the registry as a whole.
fn of_the_board(faults: &mut Faults<'_>) {
    faults.push(Label("the agent is killed", 0), State::forget);
    faults.push(Label("the board restarts", 0), State::reboot);
    faults.push(Label("the engine crashes", 0), |n| {
        n.unseen();
        for g in n.up() {
            n.end(g, Exit::Ambiguous(Code::ExitUnseen)); // and left down, policy or not
            n.stopped.push(g);
        }
    });
    faults.push(Label("the engine's data is lost", 0), |n| {
        for g in n.w.containers.iter().map(|c| c.generation).collect::<Vec<_>>() {
            n.vanish(g);
        }
        n.w.images.clear();
        n.late = None;
    });
    faults.push(Label("what both releases need breaks", 0), |n| n.sick = true);
    faults.push(Label("the registry is away", 0), |n| n.away = true);
    if !faults.from.is_full {
        faults.push(Label("the disks are full, and stay so", 0), |n| n.is_full = true);
    }
    if !faults.from.unpublished {
        faults.push(Label("no registry has the first release any more", 0), |n| {
            n.unpublished = true;
        });
    }
}

fn of_container(c: &Container, faults: &mut Faults<'_>) {
    let g = c.generation;
    let label = |word| Label::of(word, g);
    faults.push(label("a person removes"), |n| n.vanish(g));
    if !c.is_up() {
        faults.push(label("a person starts"), |n| {
            n.run(g);
            n.stranger = true;
        });
        return;
    }
    faults.push(label("a person stops"), |n| {
        n.end(g, Exit::Ambiguous(Code::StoppedOutside));
        n.stopped.push(g);
    });
    // All that is left to see is that it ended, by no signal that was heard.
    faults.push(label("a person stops, while nobody listens"), |n| {
        n.end(g, Exit::Own(reason(Code::Exited, Class::Release)));
        n.unseen();
        n.stopped.push(g);
    });
    faults.push(label("it ends by itself:"), |n| {
        n.end(g, Exit::Own(reason(Code::Exited, Class::Release)));
        n.doubt = true;
        if n.bounds.damage && n.current() == Some(g) {
            n.suspect(g);
        }
        if n.w.container(g).is_some_and(|c| c.armed) {
            n.run(g);
        }
    });
    faults.push(label("it dies unseen, the engine calls it running:"), |n| {
        if let Some(c) = n.container(g) {
            c.alive = false;
        }
        n.w.health = titania_core::world::Health::Starting;
    });
}

fn of_record(faults: &mut Faults<'_>) {
    if faults.from.w.record_from == RecordFrom::File {
        faults.push(Label("the record is lost", 0), |n| {
            n.w.record = Record::default();
            n.w.record_from = RecordFrom::Nowhere;
            n.disk = None;
            n.forget();
        });
    }
    if let Some(former) = faults.from.former.clone() {
        faults.push(Label("the record is older", 0), |n| {
            n.starts = former.intent.as_ref().map_or(0, |i| i.boots() as u8); // as far as it knows
            n.w.record = Arc::unwrap_or_clone(former);
            n.w.record_from = RecordFrom::Former;
            n.former = None;
            n.disk = None;
            n.forget();
        });
    }
}

fn of_images(faults: &mut Faults<'_>) {
    for g in &faults.from.w.images {
        faults.push(Label::of("a person prunes the image of", *g), |n| {
            n.w.images.retain(|i| i != g);
        });
    }
}

/// Files of an app, by a person's hand or a uid that changed.
fn of_files(faults: &mut Faults<'_>) {
    for fork in faults.from.w.forks.iter().filter(|f| f.folder && f.owned) {
        let g = fork.generation;
        faults.push(Label::of("files of another owner in", g), |n| {
            if let Some(fork) = n.fork(g) {
                fork.owned = false;
            }
            n.put(Content { owned: false, ..n.content(g) });
        });
    }
}

/// What the shells ask of the board: each is over after a while.
fn of_gates(faults: &mut Faults<'_>) {
    let w = &faults.from.w;
    let (gate, dependency) =
        (w.gate.is_none() && w.record.intent.is_some(), w.dependency.is_none());
    let gate = gate && !faults.from.bounds.clock;
    if w.barrier.is_none() {
        faults.push(Label("the volume root is not there", 0), |n| {
            n.w.barrier = Some((environment(Code::VolumesMissing), WaitingFor::Volumes));
        });
    }
    if gate {
        faults.push(Label("not now: a hold, a window, too little room", 0), |n| {
            n.w.gate = Some((environment(Code::DiskLow), WaitingFor::Hold));
        });
    }
    if dependency {
        faults.push(Label("an app that it is after is not ready", 0), |n| {
            n.w.dependency = Some(environment(Code::Dependency));
        });
    }
}

fn environment(code: Code) -> Reason {
    reason(code, Class::Environment)
}

fn of_operators(faults: &mut Faults<'_>) {
    let s = faults.from;
    let plain = Options::default();
    let idle = s.w.forks.iter().filter(|f| f.is_complete() && Some(f.generation) != s.current());
    // A restore and a snapshot differ in what they copy alone.
    let copy = match idle.map(|f| f.generation).min() {
        fork @ Some(_) => ("agentctl restore", Verb::Restore, Options { fork, ..plain }),
        None => ("agentctl snapshot", Verb::Snapshot, plain),
    };
    for (label, verb, options) in [
        ("agentctl stop", Verb::Stop, plain),
        ("agentctl start", Verb::Start, plain),
        ("agentctl retry", Verb::Retry, plain),
        ("agentctl rollback --old-state", Verb::Rollback, Options { old_state: true, ..plain }),
        ("agentctl rollback --keep-state", Verb::Rollback, Options { keep_state: true, ..plain }),
        copy,
        ("agentctl purge", Verb::Purge, Options { yes: true, ..plain }),
    ] {
        if let Ok(Some(change)) = verbs::change(&s.w, verb, options, "uid:0") {
            faults.push(Label(label, 0), |n| n.write(&change, true));
        }
    }
    let Candidate::Known(candidate) = &s.w.candidate else { return };
    let (hash, rollback) = (candidate.hash, s.bounds.rollback);
    match s.w.wanted {
        _ if !s.bounds.definitions => {}
        Some(_) => faults.push(Label("the definition file goes", 0), |n| {
            n.w.wanted = None;
        }),
        None => faults.push(Label("the definition file is back", 0), |n| {
            n.w.wanted = Some(Wanted { hash, with_current: None, rollback });
        }),
    }
}
