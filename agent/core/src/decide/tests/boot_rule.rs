//! The boot rule: what is not wanted goes, whatever made it.

use super::*;

#[test]
fn p3_a_container_of_neither_generation_goes_in_every_situation() {
    let third = |w: World, state| with(w, |w| w.containers.push(container(Generation(9), state)));
    let returning = with(probation(), |w| {
        let verdict =
            Verdict { reason: reason(Code::Exited, Class::Release), step: StepName::Probation };
        w.record.intent.as_mut().expect("an intent").verdict = Some(verdict);
        w.containers.retain(|c| c.generation == OLD);
    });
    for (when, w) in [
        ("at rest", steady()),
        ("made ready", ready()),
        ("in probation", probation()),
        ("on the way back", returning),
    ] {
        check(&[
            (when, third(w.clone(), ContainerState::Running), "Stop"),
            (when, third(w, ContainerState::Created), "Remove"),
        ]);
    }
}

#[test]
fn p1_no_disk_that_stays_full_keeps_the_old_one_down() {
    let stopped = |w: &mut World| w.containers[0] = container(OLD, ContainerState::Exited);
    let why = || reason(Code::Exited, Class::Release);
    let spoken = with(probation(), |w| {
        stopped(w);
        w.containers.pop();
        let mark = Mark::Failed { reason: why(), step: StepName::Probation, ran: true, word: None };
        w.forks[1] = fork(NEW, &spec(b"new"), Some(mark));
    });
    let no_longer = with(ready(), |w| {
        stopped(w);
        w.containers.pop();
        w.candidate = Candidate::Known(spec(b"third"));
    });
    let early = with(forked(), |w| w.containers[1] = container(NEW, ContainerState::Exited));
    let failed = |generation| Failure {
        generation,
        step: StepName::Fork,
        reason: reason(Code::DiskLow, Class::Environment),
        retry_at: Moment(u64::MAX),
    };
    check(&[
        ("the mark is written, the record not yet", spoken.clone(), "write Verdict"),
        (
            "the record can't be written",
            with(spoken, |w| {
                w.evidence.unwritable = Some(Verdict { reason: why(), step: StepName::Probation });
            }),
            "Start",
        ),
        ("it comes up before its end is written", no_longer.clone(), "Start"),
        (
            "once it is up that is written",
            with(no_longer, |w| w.containers[0] = container(OLD, ContainerState::Running)),
            "write Abandon",
        ),
        ("what a new one wrote too early goes", early.clone(), "Unfinish"),
        (
            "the marker can't be written",
            with(early, |w| w.evidence.failed.push(failed(NEW))),
            "Remove",
        ),
    ]);
}
