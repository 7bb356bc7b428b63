//! Decisions about images that lost what is in them.

use super::*;
use crate::world::Doubt;

/// The old release, its container ended, with that doubt.
fn ended(doubt: Doubt) -> World {
    with(steady(), |w| {
        w.containers[0] = container(OLD, ContainerState::Exited);
        w.evidence.doubt = Some((OLD, doubt));
    })
}

fn restarting(mut w: World) -> World {
    w.containers[0].state = ContainerState::Restarting;
    w.containers[0].alive = false;
    w
}

fn sought(mut w: World, found: bool) -> World {
    w.evidence.sought = Some((OLD, found));
    w
}

/// What looking into the image of that generation told.
fn fails(w: &mut World, g: Generation, code: Code) {
    let (reason, retry_at) = (reason(code, Class::Environment), Moment(9000));
    w.evidence.failed.push(Failure { generation: g, step: StepName::Inspect, reason, retry_at });
}

#[test]
fn p1_a_damaged_image_is_fetched_again_once_the_registry_has_it() {
    let damaged = ended(Doubt::Damaged);
    let running = || container(OLD, ContainerState::Running);
    check(&[
        ("it ended", ended(Doubt::Suspected), "Look"),
        ("the engine tries again", restarting(ended(Doubt::Suspected)), "Look"),
        ("it runs", with(ended(Doubt::Suspected), |w| w.containers[0] = running()), "idle Steady"),
        ("it is sound", ended(Doubt::Sound), "Start"),
        ("damaged", damaged.clone(), "Seek"),
        (
            "damaged, and runs",
            with(damaged.clone(), |w| w.containers[0] = running()),
            "idle Steady",
        ),
        ("nowhere", sought(damaged.clone(), false), "blocked ImageDamaged"),
        ("in reach", sought(damaged.clone(), true), "Repair"),
        ("in reach, the engine tries", sought(restarting(damaged.clone()), true), "Stop"),
        (
            "its container is gone",
            sought(with(damaged.clone(), |w| w.containers.clear()), true),
            "Repair",
        ),
        (
            "fetched again in vain",
            with(sought(damaged.clone(), true), |w| {
                w.evidence.repaired = Some((OLD, Timestamp(0)))
            }),
            "blocked ImageDamaged",
        ),
        (
            "others hold its layers",
            with(ended(Doubt::Suspected), |w| fails(w, OLD, Code::ImageDamaged)),
            "blocked Failed",
        ),
    ]);
}

#[test]
fn p1_a_container_whose_image_is_gone_is_started_again_and_never_removed() {
    let gone = |doubt| with(ended(doubt), |w| w.images.clear());
    let refused = |mut w: World| {
        let (reason, retry_at) = (reason(Code::RegistryDenied, Class::Environment), Moment(9000));
        let failed = Failure { generation: OLD, step: StepName::Fetch, reason, retry_at };
        w.evidence.failed.push(failed);
        sought(w, true)
    };
    let here = |w: World| with(w, |w| w.images.push(OLD));
    check(&[
        ("it ended", gone(Doubt::Suspected), "Look"),
        ("there is none to look into", gone(Doubt::Gone), "Start"),
        ("nor can it be fetched", refused(gone(Doubt::Gone)), "Start"),
        ("the engine tries again", restarting(gone(Doubt::Gone)), "idle Steady"),
        ("it ended once more", gone(Doubt::Needed), "Seek"),
        ("it ended once more, and nobody has it", sought(gone(Doubt::Needed), false), "Start"),
        ("it ended once more, and the registry has it", sought(gone(Doubt::Needed), true), "Fetch"),
        ("the pull was refused", refused(gone(Doubt::Needed)), "Start"),
        ("it is here again", here(gone(Doubt::Needed)), "Look"),
        ("somebody fetched it", here(gone(Doubt::Gone)), "Look"),
        (
            "it runs",
            with(gone(Doubt::Needed), |w| {
                w.containers[0] = container(OLD, ContainerState::Running)
            }),
            "idle Steady",
        ),
    ]);
}

#[test]
fn p1_a_damaged_release_that_nobody_has_holds_up_no_update() {
    let new = spec(b"new");
    let known = |w: World| with(w, |w| w.candidate = Candidate::Known(new.clone()));
    let shared = with(ended(Doubt::Suspected), |w| fails(w, OLD, Code::ImageDamaged));
    let again = with(sought(ended(Doubt::Damaged), true), |w| {
        w.evidence.repaired = Some((OLD, Timestamp(0)));
    });
    let nowhere = sought(ended(Doubt::Damaged), false);
    let bare = with(sought(ended(Doubt::Needed), false), |w| {
        w.images.clear();
        let (reason, retry_at) = (reason(Code::NotRunnable, Class::Release), Moment(9000));
        let step = StepName::Start;
        w.evidence.failed.push(Failure { generation: OLD, step, reason, retry_at });
    });
    let startable = with(bare.clone(), |w| w.evidence.failed.clear());
    check(&[
        ("its image is gone, and its container won't start", known(bare.clone()), "write Begin"),
        ("the same, with nothing new", bare, "blocked Failed"),
        ("its image is gone, and its container ended", known(startable), "Start"),
        ("in reach", known(sought(ended(Doubt::Damaged), true)), "Repair"),
        ("nowhere", known(nowhere.clone()), "write Begin"),
        ("others hold its layers", known(shared), "write Begin"),
        ("fetched again in vain", known(again), "write Begin"),
        (
            "its container gives way to the new one",
            with(ready(), |w| {
                w.containers[0] = container(OLD, ContainerState::Exited);
                w.evidence = Evidence { doubt: nowhere.evidence.doubt, ..w.evidence.clone() };
                w.evidence.sought = nowhere.evidence.sought;
            }),
            "Remove",
        ),
    ]);
}

#[test]
fn p8_a_repair_is_told_when_the_release_has_proven_itself_again() {
    let repaired = |health| {
        with(steady(), |w| {
            w.health = health;
            w.evidence.repaired = Some((OLD, Timestamp(7)));
        })
    };
    let told = decide(&repaired(Health::Settled));
    assert_eq!(told, Do(Step::Write(Box::new(Change::Repaired(Timestamp(7))))));
    check(&[
        ("not yet", repaired(Health::Healthy), "idle Steady"),
        ("it is not well", repaired(Health::Unhealthy), "idle Steady"),
        (
            "of another generation",
            with(steady(), |w| w.evidence.repaired = Some((NEW, Timestamp(7)))),
            "idle Steady",
        ),
    ]);
}

#[test]
fn p4_a_new_release_is_not_condemned_for_an_image_that_was_damaged_on_the_disk() {
    let damaged = with(ready(), |w| {
        w.evidence.inspected = None;
        fails(w, NEW, Code::ImageDamaged);
    });
    let current = with(damaged.clone(), |w| {
        let spec = Arc::unwrap_or_clone(spec(b"old"));
        w.record.intent.as_mut().expect("an intent").spec =
            Arc::new(Spec { hash: Digest::of(b"x"), ..spec });
        w.wanted.as_mut().expect("a definition").hash = Digest::of(b"x");
        w.candidate = Candidate::Known(w.record.intent.as_ref().expect("an intent").spec.clone());
    });
    // Looked into by another run of the agent.
    let ended = with(probation(), |w| {
        w.containers[1] = container(NEW, ContainerState::Exited);
        w.containers[1].exit = Some(Exit::Own(reason(Code::Exited, Class::Release)));
        w.evidence.inspected = None;
    });
    let doubted = |doubt| with(ended.clone(), |w| w.evidence.doubt = Some((NEW, doubt)));
    check(&[
        ("found in inspect", damaged.clone(), "Repair"),
        (
            "fetched again already",
            with(damaged.clone(), |w| {
                w.evidence.repaired = Some((NEW, Timestamp(0)));
            }),
            "wait Failed",
        ),
        ("it is the image of the running one", current, "wait Failed"),
        ("it ended, and was looked into before a restart", ended.clone(), "Look"),
        ("the engine tries again", restarted(ended.clone()), "Look"),
    ]);
    let class = |w: &World| match decide(w) {
        Do(Step::Mark(_, mark)) => match *mark {
            Mark::Failed { reason, .. } => Some((reason.code, reason.class)),
            Mark::Committed { .. } => None,
        },
        _ => None,
    };
    assert_eq!(class(&doubted(Doubt::Damaged)), Some((Code::ImageDamaged, Class::Environment)));
    assert_eq!(class(&doubted(Doubt::Gone)), Some((Code::ImageMissing, Class::Environment)));
    assert_eq!(class(&doubted(Doubt::Sound)), Some((Code::Exited, Class::Release)));
    let fresh = with(ended, |w| w.evidence.inspected = Some((NEW, spec(b"new"))));
    assert_eq!(class(&fresh), Some((Code::Exited, Class::Release)), "looked into by this run");
    let refused = with(probation(), |w| {
        w.containers[1] = container(NEW, ContainerState::Created);
        w.evidence.begun.as_mut().expect("begun").sent = false;
        w.evidence.inspected = None;
        let (reason, retry_at) = (reason(Code::NotRunnable, Class::Release), Moment(9000));
        let step = StepName::Start;
        w.evidence.failed.push(Failure { generation: NEW, step, reason, retry_at });
    });
    check(&[("its start is refused", refused, "Look")]);
}

/// The engine, which found its policy, starts it again and again.
fn restarted(mut w: World) -> World {
    w.containers[1].state = ContainerState::Restarting;
    w.containers[1].exit = None;
    w
}
