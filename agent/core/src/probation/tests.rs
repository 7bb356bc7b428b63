//! What probe answers, in which order and at which times, make of a release.

use super::*;
use alloc::vec::Vec;

use Answer::{No, Silence, Unhealthy, Yes};

const START: Moment = Moment(1_000_000);

fn rule() -> definition::Health {
    definition::Health {
        interval: Millis::seconds(5),
        retries: 3,
        settle: Millis::seconds(30),
        deadline: Millis::seconds(300),
        ..definition::Health::default()
    }
}

fn at(seconds: u64) -> Moment {
    START.after(Millis::seconds(seconds))
}

/// A trial that heard these answers, so many seconds after its start.
fn heard(rule: &definition::Health, answers: &[(u64, Answer)]) -> Trial {
    let mut trial = Trial::begin(rule, false, START, Millis(0));
    for (seconds, answer) in answers {
        trial.hear(at(*seconds), *answer);
    }
    trial
}

#[test]
fn health_follows_the_answers() {
    let late = |said_no| Health::Late { said_no };
    for (case, answers, now, want, shown) in [
        ("nothing heard", &[][..], 0, Health::Starting, HealthState::Starting),
        ("one yes", &[(1, Yes)], 1, Health::Healthy, HealthState::Healthy),
        ("one no", &[(5, No)], 5, Health::Starting, HealthState::Starting),
        (
            "three noes",
            &[(5, No), (10, No), (15, No)],
            15,
            Health::Unhealthy,
            HealthState::Unhealthy,
        ),
        (
            "a yes between",
            &[(5, No), (10, No), (15, Yes), (20, No)],
            20,
            Health::Starting,
            HealthState::Healthy,
        ),
        (
            "silence is no no",
            &[(5, Silence), (10, Silence), (15, Silence)],
            15,
            Health::Starting,
            HealthState::Starting,
        ),
        (
            "silence does not end a row of noes",
            &[(5, No), (10, Silence), (15, No), (20, No)],
            20,
            Health::Unhealthy,
            HealthState::Unhealthy,
        ),
        (
            "quick noes count once an interval",
            &[(1, No), (2, No), (3, No), (4, No), (5, No)],
            5,
            Health::Starting,
            HealthState::Starting,
        ),
        ("the engine counted", &[(5, Unhealthy)], 5, Health::Unhealthy, HealthState::Unhealthy),
        (
            "unhealthy, then a yes",
            &[(5, No), (10, No), (15, No), (20, Yes)],
            20,
            Health::Healthy,
            HealthState::Healthy,
        ),
        (
            "well, then three silences",
            &[(1, Yes), (6, Silence), (11, Silence), (16, Silence)],
            16,
            Health::Starting,
            HealthState::Unhealthy,
        ),
        (
            "well, then one silence",
            &[(1, Yes), (6, Silence)],
            6,
            Health::Starting,
            HealthState::Healthy,
        ),
        ("never an answer", &[(5, Silence)], 300, late(false), HealthState::Unhealthy),
        ("once a no", &[(5, No)], 300, late(true), HealthState::Unhealthy),
        ("just before the deadline", &[(5, Silence)], 299, Health::Starting, HealthState::Starting),
        ("passes, but too late to settle", &[(290, Yes)], 300, late(false), HealthState::Healthy),
    ] {
        let trial = heard(&rule(), answers);
        assert_eq!(trial.health(at(now)), want, "{case}");
        assert_eq!(trial.shown(at(now)), shown, "{case}");
    }
}

#[test]
fn settle_is_passes_without_a_break() {
    let passes = |from: u64, to: u64| (from..=to).step_by(5).map(|s| (s, Yes)).collect::<Vec<_>>();
    let mut broken = passes(1, 26);
    broken.push((29, Silence));
    let mut again = broken.clone();
    again.extend(passes(30, 60));
    let mut no = passes(1, 26);
    no.push((29, No));
    for (case, answers, want) in [
        ("not yet", passes(1, 26), Health::Healthy),
        ("just so", passes(1, 31), Health::Settled),
        ("a silence begins anew", broken, Health::Starting),
        ("a no begins anew", no, Health::Starting),
        ("settled after all", again, Health::Settled),
        ("one pass alone proves nothing", [(1, Yes)].to_vec(), Health::Healthy),
    ] {
        let last = answers.last().map_or(0, |(seconds, _)| *seconds);
        assert_eq!(heard(&rule(), &answers).health(at(last)), want, "{case}");
    }
    let long = heard(&rule(), &[(1, Yes)]);
    assert_eq!(long.health(at(100)), Health::Healthy, "time alone settles nothing");
    assert_eq!(long.next_probe(), Some(at(6)));
    let wide = definition::Health { interval: Millis::seconds(60), ..rule() };
    assert_eq!(heard(&wide, &[(1, Yes)]).next_probe(), Some(at(31)), "asked when it would settle");
    assert_eq!(heard(&wide, &[(1, Yes), (31, Yes)]).health(at(31)), Health::Settled);
}

#[test]
fn noes_do_not_count_in_the_start_period_unless_it_answered_yes_before() {
    let slow = definition::Health { start_period: Millis::seconds(60), ..rule() };
    let noes = |from: u64, to: u64| (from..=to).step_by(5).map(|s| (s, No)).collect::<Vec<_>>();
    for (case, answers, want) in [
        ("within", noes(5, 55), Health::Starting),
        ("two of it after", noes(5, 65), Health::Starting),
        ("three after", noes(5, 70), Health::Unhealthy),
        ("up before", [[(4, Yes)].to_vec(), noes(9, 19)].concat(), Health::Unhealthy),
        ("the engine's count too", [(30, Unhealthy)].to_vec(), Health::Starting),
    ] {
        let last = answers.last().map_or(0, |(seconds, _)| *seconds);
        assert_eq!(heard(&slow, &answers).health(at(last)), want, "{case}");
    }
}

#[test]
fn the_deadline_counts_all_boots_together() {
    let spent = Millis::seconds(280);
    let mut trial = Trial::begin(&rule(), false, START, spent);
    assert_eq!(trial.next_change(START), Some(at(20)));
    trial.hear(at(19), Silence);
    assert_eq!(trial.health(at(19)), Health::Starting);
    assert_eq!(trial.health(at(20)), Health::Late { said_no: false });
    let over = Trial::begin(&rule(), false, START, Millis::seconds(400));
    assert_eq!(over.health(START), Health::Late { said_no: false });
}

#[test]
fn what_had_settled_has_all_of_the_deadline_to_come_back() {
    let mut trial = heard(&rule(), &[(1, No), (6, Yes), (36, Yes), (400, Yes), (1000, Silence)]);
    assert_eq!(trial.health(at(1000)), Health::Starting);
    assert_eq!(trial.next_change(at(1000)), Some(at(1300)));
    assert_eq!(trial.health(at(1299)), Health::Starting);
    assert_eq!(trial.health(at(1300)), Health::Late { said_no: false }, "the first no is forgiven");
    trial.hear(at(1301), Yes);
    trial.hear(at(1331), Yes);
    assert_eq!(trial.health(at(1331)), Health::Settled);
}

#[test]
fn a_settled_trial_is_not_late() {
    let trial = heard(&rule(), &[(1, Yes), (31, Yes)]);
    assert_eq!(trial.health(at(10_000)), Health::Settled);
    assert_eq!(trial.next_change(at(40)), None);
}

#[test]
fn what_stays_up_needs_no_probe() {
    let trial = Trial::begin(&rule(), true, START, Millis(0));
    let moment = |ms| START.after(Millis(ms));
    for (ms, want, shown) in [
        (0, Health::Starting, HealthState::Starting),
        (999, Health::Starting, HealthState::Starting),
        (1_000, Health::Healthy, HealthState::Healthy),
        (29_999, Health::Healthy, HealthState::Healthy),
        (30_000, Health::Settled, HealthState::Healthy),
        (9_000_000, Health::Settled, HealthState::Healthy),
    ] {
        assert_eq!(trial.health(moment(ms)), want, "{ms}");
        assert_eq!(trial.shown(moment(ms)), shown, "{ms}");
    }
    assert_eq!(trial.next_probe(), None);
    assert_eq!(trial.next_change(START), Some(moment(1_000)));
    assert_eq!(trial.next_change(moment(1_000)), Some(moment(30_000)));
    assert_eq!(trial.next_change(moment(30_000)), None);
}

#[test]
fn probes_are_quick_until_the_first_yes_then_every_interval() {
    let mut trial = Trial::begin(&rule(), false, START, Millis(0));
    let mut asked = Vec::new();
    for _ in 0..9 {
        let next = trial.next_probe().expect("it is asked for ever");
        asked.push(next.since(START).0);
        trial.hear(next, No);
    }
    // Doubling, then on the interval, where a no counts: unhealthy after 3 × 5 s, as Docker has it.
    assert_eq!(asked, [100, 300, 700, 1_500, 3_100, 5_000, 10_000, 15_000, 20_000]);
    let mut trial = heard(&rule(), &[(1, Yes)]);
    assert_eq!(trial.next_probe(), Some(at(6)));
    trial.hear(at(6), No);
    assert_eq!(trial.next_probe(), Some(at(11)), "not quick again");
}

#[test]
fn settled_apps_are_asked_together_and_one_that_misses_is_not() {
    let http = ProbeRule::Http { port: 80, path: "/".into() };
    let rule = definition::Health { probe: http, ..rule() };
    let mut moments = Vec::new();
    for second in [1, 2, 3, 4] {
        let mut trial = heard(&rule, &[(second, Yes)]);
        assert_eq!(trial.next_probe(), Some(at(second + 5)), "not before it has settled");
        for _ in 0..10 {
            let next = trial.next_probe().expect("it is asked for ever");
            trial.hear(next.after(Millis(3)), Yes);
        }
        let next = trial.next_probe().expect("it is asked for ever");
        let apart = next.since(trial.last.unwrap_or(START)).0;
        assert_eq!(apart, 4_997, "the interval, by the clock");
        moments.push(next.0 % 5_000);
        trial.hear(next.after(Millis(3)), No);
        assert_eq!(trial.next_probe(), Some(next.after(Millis(5_003))), "on its own again");
    }
    assert_eq!(moments, [0; 4]);
}

#[test]
fn three_noes_of_the_schedule_are_unhealthy_in_time() {
    let mut trial = Trial::begin(&rule(), false, START, Millis(0));
    while trial.health(trial.last.unwrap_or(START)) != Health::Unhealthy {
        let next = trial.next_probe().expect("it is asked for ever");
        assert!(next <= at(15), "unhealthy within interval × retries");
        trial.hear(next, No);
    }
    assert_eq!(trial.last, Some(at(15)));
}

#[test]
fn another_rule_judges_what_was_heard() {
    let mut trial = heard(&rule(), &[(5, No), (10, No)]);
    assert_eq!(trial.health(at(10)), Health::Starting);
    trial.judge_by(&definition::Health { retries: 2, ..rule() }, false);
    assert_eq!(trial.health(at(10)), Health::Unhealthy);
}

#[test]
fn only_the_default_rule_without_a_healthcheck_merely_stays_up() {
    let tcp = ProbeRule::Tcp { port: 1 };
    for (rule, has, want) in [
        (&ProbeRule::Default, false, true),
        (&ProbeRule::Default, true, false),
        (&ProbeRule::Container, false, false),
        (&tcp, false, false),
    ] {
        assert_eq!(stays_up(rule, has), want, "{rule:?} {has}");
    }
}
