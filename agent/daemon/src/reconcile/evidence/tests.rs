//! Evidence that the world has overtaken is dropped, and no other.

use super::*;
use titania_core::names::StartedAt;
use titania_core::reason::{Class, Code, Reason};
use titania_core::status::ContainerState;
use titania_core::status::StepName;
use titania_core::time::Timestamp;
use titania_core::world::Failure;

fn container(generation: u64, state: ContainerState, started_at: Option<&str>) -> Container {
    Container {
        id: format!("c{generation}"),
        generation: Generation(generation),
        state,
        alive: state == ContainerState::Running,
        started_at: started_at.map(|t| StartedAt(t.into())),
        armed: false,
        exit: None,
    }
}

fn kept(evidence: Evidence, containers: &[Container]) -> Evidence {
    let mut evidence = evidence;
    keep_up(&mut evidence, &Record::default(), containers, &[]);
    evidence
}

#[test]
fn a_stop_counts_until_the_container_is_seen_running_by_another_start() {
    use ContainerState::{Exited, Running};
    let stopped = Some((Generation(1), Some(StartedAt("a".into()))));
    let evidence = || Evidence { stopped: stopped.clone(), ..Evidence::default() };
    for (containers, want) in [
        (vec![container(1, Exited, Some("a"))], true),
        (vec![container(1, Running, Some("a"))], true), // the answer was lost, the stop is not over
        (vec![container(1, Running, Some("b"))], false),
        (vec![container(1, Exited, Some("b"))], true), // `decide` compares: it is another start
        (vec![], true),
    ] {
        let got = kept(evidence(), &containers).stopped.is_some();
        assert_eq!(got, want, "{containers:?}");
    }
}

#[test]
fn a_container_that_was_down_counts_so_until_it_runs_or_is_gone() {
    use ContainerState::{Exited, Running};
    let evidence = || Evidence { was_down: Some(Generation(1)), ..Evidence::default() };
    for (containers, want) in [
        (vec![container(1, Exited, Some("a"))], true),
        (vec![container(1, Running, Some("b"))], false),
        (vec![], false),
    ] {
        let got = kept(evidence(), &containers).was_down.is_some();
        assert_eq!(got, want, "{containers:?}");
    }
}

#[test]
fn a_comparison_counts_for_the_very_container() {
    let evidence = Evidence { compared: Some("c2".into()), ..Evidence::default() };
    let there = [container(2, ContainerState::Created, None)];
    assert!(kept(evidence.clone(), &there).compared.is_some());
    assert!(kept(evidence, &[]).compared.is_none());
}

#[test]
fn a_failure_stands_while_its_container_does_though_it_only_has_to_go() {
    let reason = Reason::new(
        Code::EngineError,
        Class::Environment,
        "device or resource busy",
        "",
        Timestamp(0),
    );
    let failed = |generation| Failure {
        generation: Generation(generation),
        step: StepName::Stop,
        reason: reason.clone(),
        retry_at: Moment(10_000),
    };
    let evidence = Evidence { failed: vec![failed(1), failed(2)], ..Evidence::default() };
    let got = kept(evidence, &[container(1, ContainerState::Exited, Some("a"))]);
    assert_eq!(got.failed, [failed(1)]);
}
