//! What is a leak, what is none, and what is done about one.

use alloc::vec;
use alloc::vec::Vec;

use super::*;

const ENGINE: Moment = Moment(100_000);

fn at(seconds: u64) -> Moment {
    ENGINE.after(Millis::seconds(seconds))
}

fn publisher(name: &str, is_up: bool) -> Publisher {
    Publisher { id: name.into(), name: name.into(), is_up }
}

#[test]
fn a_port_is_leaked_when_no_container_can_have_it() {
    use Judgement::{Held, Leaked, Unsure};
    let own = |up| publisher("wallet-g2", up);
    let other = |up| publisher("web", up);
    let cases: Vec<(&str, u64, u64, Vec<Publisher>, Judgement)> = vec![
        ("nobody has it", 20, 24, vec![], Leaked),
        (
            "its own old ones are down",
            20,
            24,
            vec![own(false), publisher("wallet-g1", false)],
            Leaked,
        ),
        ("one look says nothing", 20, 20, vec![], Unsure),
        ("two looks at once neither", 20, 21, vec![], Unsure),
        (
            "an engine that has just started has started what it starts by itself",
            0,
            2,
            vec![],
            Leaked,
        ),
        ("a stranger's container runs", 20, 300, vec![own(false), other(true)], Held("web".into())),
        ("an own one runs", 20, 300, vec![own(true)], Held("wallet-g2".into())),
        ("a stranger's may be started again and again", 20, 25, vec![other(false)], Unsure),
        ("it would have been seen", 20, 26, vec![other(false)], Leaked),
    ];
    for (case, first, now, publishers, want) in cases {
        let refused = Refused::again(None, at(first), ENGINE);
        let refused = Refused::again(Some(refused), at(now), ENGINE);
        let is_own = |one: &Publisher| one.name.starts_with("wallet-");
        assert_eq!(refused.judge(at(now), &publishers, is_own), want, "{case}");
    }
}

#[test]
fn an_engine_that_was_started_since_is_judged_anew() {
    let refused = Refused::again(None, at(20), ENGINE);
    let back = at(60);
    let refused = Refused::again(Some(refused), at(75), back);
    assert_eq!(refused.judge(at(76), &[], |_| false), Judgement::Unsure);
    let refused = Refused::again(Some(refused), at(77), back);
    assert_eq!(refused.judge(at(77), &[], |_| false), Judgement::Leaked);
}

#[test]
fn a_refusal_of_long_ago_does_not_make_a_leak_of_one_look() {
    let refused = Refused::again(None, at(20), ENGINE);
    let refused = Refused::again(Some(refused), at(7_200), ENGINE);
    assert_eq!(refused.judge(at(7_200), &[], |_| false), Judgement::Unsure);
    let refused = Refused::again(Some(refused), at(7_202), ENGINE);
    assert_eq!(refused.judge(at(7_202), &[], |_| false), Judgement::Leaked);
}

#[test]
fn a_restart_is_asked_for_once_a_boot_and_not_long_held_up() {
    for (case, now, asked, others_update, want) in [
        ("at once", 0, None, false, Remedy::Ask),
        ("another app updates", 0, None, true, Remedy::AfterUpdate),
        ("still", 59, None, true, Remedy::AfterUpdate),
        ("for too long", 60, None, true, Remedy::Ask),
        ("it is done", 9, None, false, Remedy::Ask),
        ("asked a moment ago", 10, Some(at(0)), false, Remedy::Underway),
        ("it did not help", 60, Some(at(0)), false, Remedy::Tell),
        ("nor will it later", 6000, Some(at(0)), true, Remedy::Tell),
    ] {
        let cost = Cost { others_update, lost: Some("a person's".into()), app_runs: false };
        assert_eq!(remedy(at(now), at(0), asked, &cost), want, "{case}");
    }
}

#[test]
fn for_an_update_that_waits_nobody_else_is_disturbed() {
    for (case, now, asked, others_update, lost, want) in [
        ("at once", 0, None, false, None, Remedy::Ask),
        ("another app updates, however long", 6000, None, true, None, Remedy::AfterUpdate),
        ("a container would be lost", 0, None, false, Some("web"), Remedy::Refrain),
        ("and later as well", 6000, None, false, Some("web"), Remedy::Refrain),
        ("it did not help", 60, Some(at(0)), false, None, Remedy::Tell),
    ] {
        let cost = Cost { others_update, lost: lost.map(Into::into), app_runs: true };
        assert_eq!(remedy(at(now), at(0), asked, &cost), want, "{case}");
    }
}
