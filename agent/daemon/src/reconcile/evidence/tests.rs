//! Evidence that the world has overtaken is dropped, and no other.

use super::*;
use titania_core::definition::{Definition, Health, Shape, Update};
use titania_core::names::StartedAt;
use titania_core::reason::{Class, Code, Reason};
use titania_core::record::Committed;
use titania_core::release::Release;
use titania_core::spec::Spec;
use titania_core::status::ContainerState;
use titania_core::status::StepName;
use titania_core::time::Timestamp;
use titania_core::track::Track;
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

fn failed(generation: u64, step: StepName) -> Failure {
    let reason = Reason::new(Code::EngineError, Class::Environment, "it is so", "", Timestamp(0));
    Failure { generation: Generation(generation), step, reason, retry_at: Moment(10_000) }
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
    let failed = |generation| failed(generation, StepName::Stop);
    let evidence = Evidence { failed: vec![failed(1), failed(2)], ..Evidence::default() };
    let got = kept(evidence, &[container(1, ContainerState::Exited, Some("a"))]);
    assert_eq!(got.failed, [failed(1)]);
}

/// A record whose current release is that of generation 1.
fn record() -> Record {
    let text = "docker.io/a/wallet:1".parse().expect("a reference");
    let definition = Definition {
        shape: Shape::of(text),
        track: Track::Tag("1".to_owned()),
        after: Vec::new(),
        health: Health::default(),
        update: Update::default(),
    };
    let release = Release::default();
    let spec =
        Spec { hash: definition.shape.hash(), definition, release, user: None, groups: Vec::new() };
    let generation = Generation(1);
    let current = Committed { generation, count: 1, spec: spec.into(), at: Timestamp(0) };
    Record { current: Some(current), ..Record::default() }
}

#[test]
fn what_was_found_in_an_image_says_nothing_of_the_next_one() {
    let damaged = (Generation(1), Doubt::Damaged);
    let evidence = || Evidence {
        doubt: Some(damaged),
        repaired: Some((Generation(1), Timestamp(0))),
        failed: vec![failed(1, StepName::Inspect), failed(1, StepName::Start)],
        ..Evidence::default()
    };
    let upkeep = |images: &[Generation], containers: &[Container]| {
        let mut evidence = evidence();
        keep_up(&mut evidence, &record(), containers, images);
        evidence
    };
    let here = upkeep(&[Generation(1)], &[]);
    assert_eq!((here.doubt, here.failed.len()), (Some(damaged), 2));
    let by_its_container = upkeep(&[], &[container(1, ContainerState::Exited, Some("a"))]);
    assert_eq!((by_its_container.doubt, by_its_container.failed.len()), (Some(damaged), 2));
    let gone = upkeep(&[Generation(2)], &[]);
    assert_eq!(gone.doubt, None);
    assert_eq!(gone.failed, [failed(1, StepName::Start)]);
    assert!(gone.repaired.is_some(), "that it was removed once is known all the same");
    // Of a generation that is no longer anybody's nothing is kept.
    let mut of_nobody = evidence();
    keep_up(&mut of_nobody, &Record::default(), &[], &[Generation(1)]);
    assert_eq!((of_nobody.doubt, of_nobody.repaired), (None, None));
}
