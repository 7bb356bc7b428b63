//! Whose fault an exit is, by what came on the event stream and in which order.

use super::*;

#[derive(Clone, Copy, Debug)]
enum Seen {
    Up,
    Broke,
    Asked,
    Start,
    OwnStop,
    Kill,
    Oom,
    Die(i64),
}
use Seen::{Asked, Broke, Die, Kill, Oom, OwnStop, Start, Up};

fn after(events: &[Seen]) -> Exits {
    let mut exits = Exits::default();
    for event in events {
        match event {
            Up => exits.connected(),
            Broke => exits.broke(),
            Asked => {
                exits.asked("c");
            }
            Start => exits.started("c"),
            OwnStop => exits.own_stop("c"),
            Kill => {
                exits.killed("c");
            }
            Oom => exits.out_of_memory("c"),
            Die(code) => exits.died("c", *code),
        }
    }
    exits
}

const fn own(code: i64) -> Ended {
    Ended::Own { code, out_of_memory: false }
}

#[test]
fn p4_only_an_end_seen_from_its_start_is_the_release_s_own() {
    let boot = BootId("b".into());
    let unseen = || Ended::Ambiguous(Code::ExitUnseen);
    let outside = || Ended::Ambiguous(Code::StoppedOutside);
    for (events, want) in [
        (&[Up, Start, Die(3)][..], own(3)),
        (&[Up, Start, Die(0)], own(0)),
        (&[Up, Start, Oom, Die(137)], Ended::Own { code: 137, out_of_memory: true }),
        (&[Up, Start, Kill, Die(137)], outside()),
        (&[Up, Start, Kill], outside()),
        (&[Up, Start], unseen()),
        (&[Start, Up, Die(3)], unseen()),
        (&[Up, Start, Broke, Up, Die(3)], unseen()),
        (&[Up, Start, Die(3), Broke], unseen()),
        (&[Up, Start, Die(3), Broke, Up], unseen()),
        (&[Up, Kill], outside()),
        (&[Up, Kill, Broke], unseen()),
        (&[], unseen()),
        (&[Up, Start, OwnStop, Kill, Die(0)], own(0)),
        (&[Up, Asked, OwnStop, Start, Kill, Die(0)], own(0)),
        (&[Up, Asked, Start, OwnStop, Kill, Die(0), Start, Kill], outside()),
        (&[Up, Asked, OwnStop, Kill, Die(0), Start, Kill], outside()),
        (&[Up, Start, Kill, Die(137), Start, Die(1)], own(1)),
    ] {
        let exits = after(events);
        assert_eq!(exits.how("c", true, &boot, Some(&boot)), want, "{events:?}");
        assert_eq!(exits.how("c", true, &boot, None), want, "{events:?}");
        assert_eq!(
            exits.how("c", false, &boot, Some(&boot)),
            unseen(),
            "without kill events: {events:?}"
        );
        assert_eq!(
            exits.how("c", true, &boot, Some(&BootId("a".into()))),
            Ended::Ambiguous(Code::BoardRestarted),
            "another boot: {events:?}"
        );
    }
}

#[test]
fn a_die_is_awaited_only_on_an_unbroken_stream() {
    for (events, want) in [
        (&[Up, Start][..], true),
        (&[Up, Start, Die(1)], false),
        (&[Up, Start, OwnStop], false),
        (&[Up, Start, Kill], false),
        (&[Up, Start, Broke, Up], false),
        (&[Start, Up], false),
    ] {
        assert_eq!(after(events).awaits_die("c"), want, "{events:?}");
    }
}

#[test]
fn a_hand_from_outside_is_told_from_the_agent_s_own() {
    let mut exits = after(&[Up, Start]);
    assert!(exits.killed("c"));
    let mut exits = after(&[Up, Start, OwnStop]);
    assert!(!exits.killed("c"));
    assert!(!exits.destroyed("c"));
    let mut exits = after(&[Up, Start]);
    assert!(exits.destroyed("c"));
    // One hand is told of once: `docker rm -f` signals and removes, `docker stop` may signal twice.
    let mut exits = after(&[Up, Start]);
    assert!(exits.killed("c"));
    assert!(!exits.killed("c"));
    assert!(!exits.destroyed("c"));
    let mut exits = after(&[Up, Kill]);
    assert!(!exits.destroyed("c"));
    // Also of one that ran before this agent, and over a break of the stream.
    let mut exits = after(&[Up, OwnStop]);
    assert!(!exits.killed("c"));
    let mut exits = after(&[Up, Start, OwnStop, Broke, Up]);
    assert!(!exits.killed("c"));
    assert!(!exits.destroyed("c"));
}

#[test]
fn a_refused_start_leaves_all_as_it_was() {
    let boot = BootId("b".into());
    for events in [&[Up, Start, Kill, Die(137)][..], &[Up, Kill], &[Up, Start, Die(3)], &[Up]] {
        let mut exits = after(events);
        let how = exits.how("c", true, &boot, None);
        let before = exits.asked("c");
        exits.refused("c", before);
        assert_eq!(exits.how("c", true, &boot, None), how, "{events:?}");
    }
}

#[test]
fn the_agent_s_own_stop_of_what_ran_before_it_is_nobody_else_s() {
    let boot = BootId("b".into());
    let mut exits = after(&[Up, OwnStop]);
    assert!(!exits.killed("c"), "told as a hand from outside");
    exits.died("c", 0);
    assert!(exits.was_asked_for("c"), "it counts towards no crash loop");
    assert_eq!(exits.how("c", true, &boot, None), Ended::Ambiguous(Code::ExitUnseen));
    assert!(!exits.destroyed("c"));
    let mut exits = after(&[Up, OwnStop, Start]);
    assert!(exits.killed("c"), "another start, another hand");
    let mut exits = after(&[Up]);
    assert!(exits.killed("c"));
    assert!(exits.was_asked_for("c"), "by somebody");
}
