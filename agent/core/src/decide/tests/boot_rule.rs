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
