//! Blocks are events once, however often what is blocked is tried.

use super::*;
use crate::reconcile::news::{Block, of_block, of_status};
use titania_core::event::EventType;

/// What an operator is told while one status follows another.
#[derive(Default)]
struct Listener {
    blocked: Option<Block>,
    before: Option<AppStatus>,
}

impl Listener {
    fn hears(&mut self, case: Case) -> Vec<EventType> {
        let after = case.made(self.before.as_ref());
        let is_trying = matches!(case.decision, Decision::Do(_));
        let block = of_block(&mut self.blocked, &after, is_trying);
        let news = self.before.iter().flat_map(|before| of_status(before, &after));
        let told = news.chain(block).map(|told| told.kind).collect();
        self.before = Some(after);
        told
    }
}

/// It is down, and its image nowhere.
fn down() -> World {
    world(|w| w.containers.clear())
}

fn blocked(code: Code, message: &str) -> Case {
    let reason = Reason { message: message.to_owned(), ..why(code) };
    Case::new(down(), Decision::Blocked(Why::Failed(reason), Some(Moment(110_000))))
}

fn tries() -> Case {
    Case::new(down(), Decision::Do(Step::Fetch(OLD, spec("1.0.0"))))
}

fn runs() -> Case {
    Case::new(well(), Decision::Idle(Why::Steady))
}

#[test]
fn p8_a_block_is_told_once_however_often_it_is_tried_and_once_when_it_is_over() {
    let mut listener = Listener::default();
    let away = |message| blocked(Code::RegistryUnreachable, message);
    assert_eq!(listener.hears(runs()), []);
    assert_eq!(listener.hears(away("timed out")), [EventType::AppBlocked]);
    for message in ["timed out", "connection refused", "timed out after 30 s"] {
        assert_eq!(listener.hears(tries()), []);
        assert_eq!(listener.hears(away(message)), [], "{message}");
    }
    assert_eq!(listener.hears(tries()), []);
    assert_eq!(
        listener.hears(blocked(Code::DiskLow, "120 MiB are free")),
        [EventType::AppBlocked],
        "another reason"
    );
    assert_eq!(listener.hears(blocked(Code::DiskLow, "119 MiB are free")), []);
    assert_eq!(listener.hears(tries()), []);
    assert_eq!(listener.hears(runs()), [EventType::AppUnblocked]);
    assert_eq!(listener.hears(runs()), []);
    assert_eq!(listener.hears(away("timed out")), [EventType::AppBlocked], "a block of its own");
}

#[test]
fn p8_a_block_outlasts_an_engine_that_is_away() {
    let mut listener = Listener::default();
    let case = || blocked(Code::ImageMissing, "it is gone");
    let away = || Case { away: true, ..Case::new(down(), Decision::Idle(Why::Steady)) };
    assert_eq!(listener.hears(runs()), []);
    assert_eq!(listener.hears(case()), [EventType::AppBlocked]);
    assert_eq!(listener.hears(away()), []);
    assert_eq!(listener.hears(case()), []);
    assert_eq!(listener.hears(away()), []);
    assert_eq!(listener.hears(runs()), [EventType::AppUnblocked]);
}

#[test]
fn p8_the_end_of_a_block_is_told_of_whatever_ends_it() {
    let orphaned = Case {
        file: false,
        ..Case::new(
            world(|w| (w.wanted, w.containers) = (None, vec![])),
            Decision::Idle(Why::Orphaned),
        )
    };
    let gate = Why::Gate(why(Code::Dependency), WaitingFor::Dependency);
    // An update in whose course the old one runs again: that it goes on says nothing of the block.
    let updating = Case::new(moving(0), Decision::Do(Step::Fetch(NEW, spec("2.0.0"))));
    for (name, case, want) in [
        (
            "waits for another app",
            Case::new(down(), Decision::Wait(gate, None)),
            EventType::AppUnblocked,
        ),
        ("stopped", Case::new(stopped(), Decision::Idle(Why::Stopped)), EventType::AppUnblocked),
        ("its definition goes", orphaned, EventType::AppOrphaned),
        ("runs, and is updated", updating, EventType::AppUnblocked),
    ] {
        let mut listener = Listener::default();
        // The first status of a run is no news; that it was blocked is known all the same.
        listener.hears(blocked(Code::RegistryUnreachable, "timed out"));
        listener.before.as_mut().unwrap().candidate = case.made(None).candidate;
        assert_eq!(listener.hears(case), [want], "{name}");
        assert_eq!(listener.blocked, None, "{name}");
    }
}
