//! Decisions at the edges of an update: what is lost, stopped, or fails at an awkward moment.

use super::*;

fn stopped(w: &mut World) {
    w.record.stopped = Some(Stopped { by: "uid:0".into(), at: Timestamp(0) });
}

/// Container and image of the old one are gone; what the registry said of it, if it was asked.
fn without_old(w: &mut World, sought: Option<bool>) {
    w.containers.retain(|c| c.generation != OLD);
    w.images.retain(|g| *g != OLD);
    w.evidence.sought = sought.map(|found| (OLD, found));
}

fn exited(w: &mut World, exit: Exit) {
    let new = w.containers.iter_mut().find(|c| c.generation == NEW).expect("the new one");
    new.state = ContainerState::Exited;
    new.alive = false;
    new.exit = Some(exit);
}

fn own_exit() -> Exit {
    Exit::Own(reason(Code::Exited, Class::Release))
}

pub(super) fn fails(w: &mut World, g: Generation, step: StepName, class: Class, retry_at: u64) {
    let (reason, retry_at) = (reason(Code::EngineError, class), Moment(retry_at));
    w.evidence.failed.push(Failure { generation: g, step, reason, retry_at });
}

/// The first install's start is written down, and did not come off.
fn first_install() -> World {
    with(probation(), |w| {
        w.containers = vec![container(NEW, ContainerState::Created)];
        w.forks.retain(|f| f.generation == NEW);
        w.forks[0].file.as_mut().expect("a file").parent_started_at = None;
        w.record.current = None;
        w.evidence.begun.as_mut().expect("begun").sent = false;
    })
}

#[test]
fn p1_a_release_that_is_lost_holds_up_no_update() {
    let tried = Tries {
        config: Digest::of(b"new"),
        definition: spec(b"new").hash,
        named: 0,
        ambiguous: 1,
        victims: 0,
    };
    let lost = with(steady(), |w| {
        without_old(w, Some(false));
        w.candidate = Candidate::Known(spec(b"new"));
    });
    let back = with(probation(), |w| {
        without_old(w, Some(false));
        w.containers.clear();
        let verdict =
            Verdict { reason: reason(Code::Exited, Class::Release), step: StepName::Start };
        w.record.intent.as_mut().expect("an intent").verdict = Some(verdict);
    });
    let exits = with(probation(), |w| {
        without_old(w, Some(false));
        exited(w, own_exit());
    });
    let unhealthy = with(probation(), |w| {
        without_old(w, Some(false));
        w.health = Health::Unhealthy;
    });
    let newer = Candidate::Known(spec(b"newer"));
    check(&[
        ("the candidate is taken", lost.clone(), "write Begin"),
        ("an update goes on", with(ready(), |w| without_old(w, Some(false))), "Fork"),
        (
            "also one that waited for the old one to settle",
            with(lost.clone(), |w| w.record.tries = Some(tried.clone())),
            "write Begin",
        ),
        (
            "no candidate",
            with(lost, |w| w.candidate = Candidate::Known(spec(b"old"))),
            "blocked ImageMissing",
        ),
        ("lost after the verdict", back, "Mark"),
        ("the new one exited, the old one is lost", exits.clone(), "blocked NoWayBack"),
        ("so, but the tag moved on", with(exits, |w| w.candidate = newer.clone()), "Mark"),
        ("the new one is unhealthy", unhealthy.clone(), "wait NoWayBack"),
        ("so, but the tag moved on", with(unhealthy, |w| w.candidate = newer.clone()), "Mark"),
    ]);
}

#[test]
fn p1_a_registry_that_can_not_be_reached_has_lost_nothing() {
    let unreachable = |mut w: World| {
        without_old(&mut w, None);
        w.evidence.failed.push(Failure {
            generation: OLD,
            step: StepName::Fetch,
            reason: reason(Code::RegistryUnreachable, Class::Environment),
            retry_at: Moment(2000),
        });
        w
    };
    let newer = with(steady(), |w| w.candidate = Candidate::Known(spec(b"new")));
    let exits = with(probation(), |w| exited(w, own_exit()));
    check(&[
        ("at rest: it is asked again, nothing else", unreachable(newer), "blocked Failed"),
        ("exited in probation: no verdict", unreachable(exits), "blocked Failed"),
        (
            "unhealthy in probation: no verdict",
            unreachable(with(probation(), |w| w.health = Health::Unhealthy)),
            "wait Failed",
        ),
        (
            "made ready: it is asked before anything goes",
            with(ready(), |w| without_old(w, None)),
            "Seek",
        ),
    ]);
}

#[test]
fn p1_an_image_under_another_generation_s_tag_needs_no_registry() {
    let lost = with(steady(), |w| {
        without_old(w, None);
        w.forks.push(fork(NEW, &spec(b"old"), None)); // the same release under another definition
        w.images.push(NEW);
    });
    check(&[
        ("the same release", lost.clone(), "Fetch"),
        ("another release", with(lost, |w| w.forks[1] = fork(NEW, &spec(b"new"), None)), "Seek"),
    ]);
}

#[test]
fn p3_an_old_release_that_was_stopped_before_all_is_ready_comes_up_first() {
    let early = |change: fn(&mut World)| {
        with(ready(), |w| {
            w.containers[0] = container(OLD, ContainerState::Exited);
            w.evidence.stopped = Some((OLD, Some(StartedAt("then".into()))));
            change(w);
        })
    };
    check(&[
        ("all is ready: the cutover", early(|_| ()), "Fork"),
        (
            "a dead process was stopped while the image is fetched",
            early(|w| {
                w.containers.retain(|c| c.generation == OLD);
                w.images.retain(|g| *g == OLD);
            }),
            "Start",
        ),
        ("a person removed the new one", early(|w| _ = w.containers.pop()), "Start"),
        ("not compared", early(|w| w.evidence.compared = None), "Remove"),
    ]);
}

#[test]
fn p1_a_first_install_that_can_not_start_gives_way_to_a_corrected_one() {
    let refused = with(first_install(), |w| {
        fails(w, NEW, StepName::Start, Class::Release, 2000);
    });
    let corrected = |w: &mut World| w.candidate = Candidate::Known(spec(b"newer"));
    check(&[
        ("not started yet", first_install(), "Start"),
        ("refused, whoever is to blame", refused.clone(), "wait Failed"),
        ("the tag moved on", with(refused.clone(), corrected), "Remove"),
        (
            "so, and its container is gone",
            with(refused.clone(), |w| {
                corrected(w);
                w.containers.clear();
            }),
            "write Abandon",
        ),
        (
            "another definition",
            with(refused.clone(), |w| {
                w.candidate = Candidate::Unknown;
                w.wanted.as_mut().expect("wanted").hash = Digest::of(b"other");
            }),
            "Remove",
        ),
        (
            "the registry is away",
            with(refused, |w| w.candidate = Candidate::Unknown),
            "wait Failed",
        ),
    ]);
}

#[test]
fn p2_what_a_new_one_wrote_too_early_is_copied_anew() {
    let early = with(forked(), |w| w.containers[1] = container(NEW, ContainerState::Running));
    let first = with(early.clone(), |w| {
        w.record.current = None;
        w.containers.remove(0);
        w.forks.remove(0);
    });
    check(&[
        ("beside an old one", early.clone(), "Unfinish"),
        ("without an old one", first, "Unfinish"),
        ("then it is stopped", with(early.clone(), |w| w.forks[1].unfinished = true), "Stop"),
        (
            "then removed",
            with(early, |w| {
                w.forks[1].unfinished = true;
                w.containers[1] = container(NEW, ContainerState::Exited);
            }),
            "Remove",
        ),
    ]);
}

#[test]
fn p3_no_step_of_a_second_start_may_keep_the_app_down() {
    let again = |step| {
        with(probation(), |w| {
            w.containers[1].started_at = None;
            w.containers[1].state = ContainerState::Created;
            fails(w, NEW, step, Class::Environment, 2000);
        })
    };
    check(&[
        ("refused", again(StepName::Start), "Mark"),
        ("not owned", again(StepName::Own), "Mark"),
        ("not made", again(StepName::Create), "Mark"),
        ("not fetched", again(StepName::Fetch), "Mark"),
        (
            "the marker can't be put back",
            with(forked(), |w| {
                w.evidence.stopped = None;
                w.containers.remove(1);
                fails(w, NEW, StepName::Fork, Class::Environment, 2000);
            }),
            "Start",
        ),
    ]);
}

#[test]
fn p1_an_operators_stop_ends_every_phase_and_start_takes_it_up() {
    let back = with(probation(), |w| {
        let verdict =
            Verdict { reason: reason(Code::Exited, Class::Release), step: StepName::Start };
        w.record.intent.as_mut().expect("an intent").verdict = Some(verdict);
    });
    let down = |mut w: World| {
        w.containers.retain(|c| c.generation == OLD);
        w.containers[0] = container(OLD, ContainerState::Exited);
        w
    };
    check(&[
        ("at rest", with(steady(), stopped), "Stop"),
        ("at rest, down", with(down(steady()), stopped), "idle Stopped"),
        (
            "at rest, found down: its policy would start it",
            with(down(steady()), |w| {
                stopped(w);
                w.evidence.was_down = Some(OLD);
            }),
            "Remove",
        ),
        ("made ready: the new one goes first", with(ready(), stopped), "Remove"),
        ("cut over", with(forked(), stopped), "Remove"),
        ("cut over, removed", with(down(forked()), stopped), "write Abandon"),
        ("in probation", with(probation(), stopped), "Mark"),
        ("rolled back", with(back.clone(), stopped), "Stop"),
        ("rolled back, down", with(down(back.clone()), stopped), "Mark"),
        (
            "in probation without a way back",
            with(probation(), |w| {
                stopped(w);
                without_old(w, None);
            }),
            "Stop",
        ),
        (
            "so, stopped, and the old one lost",
            with(probation(), |w| {
                stopped(w);
                without_old(w, Some(false));
                exited(w, Exit::Ambiguous(Code::StoppedOutside));
            }),
            "idle Stopped",
        ),
        (
            "so, started again: the agent's stop condemns nobody",
            with(probation(), |w| {
                exited(w, own_exit());
                w.evidence.stopped = Some((NEW, Some(StartedAt("then".into()))));
            }),
            "write Boots",
        ),
        ("start, at rest", down(steady()), "Start"),
        (
            "start, cut over and removed",
            with(down(forked()), |w| w.evidence.stopped = None),
            "Unfinish",
        ),
        ("start, rolled back", down(back), "Start"),
    ]);
}

#[test]
fn p1_an_orphan_is_kept_and_comes_back_with_its_definition() {
    let orphan = |mut w: World| {
        w.wanted = None;
        w
    };
    let down = with(steady(), |w| w.containers[0] = container(OLD, ContainerState::Exited));
    check(&[
        ("at rest", orphan(steady()), "Stop"),
        ("at rest, down", orphan(down.clone()), "idle Orphaned"),
        ("in probation", orphan(probation()), "Mark"),
        ("its definition is back", down, "Start"),
    ]);
}

#[test]
fn p4_what_a_release_does_on_a_full_disk_is_not_its_own_fault() {
    let low = |mut w: World| {
        w.evidence.disk_low = Some(reason(Code::DiskLow, Class::Environment));
        w
    };
    let blamed = |w: &World| match decide(w) {
        Do(Step::Mark(_, mark)) => match *mark {
            Mark::Failed { reason, .. } => reason.code,
            Mark::Committed { .. } => panic!("committed"),
        },
        other => panic!("{other:?}"),
    };
    let crashed = with(probation(), |w| exited(w, own_exit()));
    assert_eq!(blamed(&crashed), Code::Exited);
    assert_eq!(blamed(&low(crashed)), Code::DiskLow);
    assert_eq!(blamed(&low(with(probation(), stopped))), Code::Operator);
}

#[test]
fn p1_podman_has_no_policy_and_its_apps_are_started_by_the_agent() {
    let podman = |mut w: World| {
        w.keeps_policy = false;
        for c in &mut w.containers {
            c.armed = false;
        }
        w
    };
    let down = podman(with(steady(), |w| w.containers[0] = container(OLD, ContainerState::Exited)));
    let settled = podman(with(probation(), |w| w.health = Health::Settled));
    check(&[
        ("nothing to arm", podman(steady()), "idle Steady"),
        ("the mark is the commit", settled, "Mark"),
        ("it ended", down.clone(), "Start"),
        (
            "it ends again and again",
            with(down, |w| w.evidence.restart_at = Some(Moment(2000))),
            "wait Failed",
        ),
    ]);
}

#[test]
fn p3_what_a_dead_process_left_is_stopped_before_it_is_started() {
    let dead = with(probation(), |w| w.containers[1].alive = false);
    let begun = with(dead.clone(), |w| {
        let begun = w.evidence.begun.as_mut().expect("begun");
        begun.started_at = Some(StartedAt("then".into()));
        begun.sent = false;
    });
    let old = with(probation(), |w| {
        w.containers[0] = Container { alive: false, ..container(OLD, ContainerState::Running) };
    });
    check(&[
        ("in probation: one more start", dead, "write Boots"),
        ("written down", begun, "Stop"),
        ("the old one's", old, "Stop"),
    ]);
}
