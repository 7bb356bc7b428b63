//! Power cuts at random instants of updates, one boot each: a boot is the check of the last cut and
//! the start of the next.

use crate::failure::guard;
use crate::options::Options;
use harness::vm::{Back, Chance, Lost, Stand, Timeline};
use std::time::{Duration, Instant};

/// Boards that may fail before the run is given up.
const FAILURES_MAX: u32 = 3;
/// One update in so many is to a release that its probe refuses.
const BAD_ONCE_IN: u64 = 4;
/// One cut in so many is followed by another during the next boot.
const AGAIN_ONCE_IN: u64 = 5;

/// How long the app may stay away once the engine answers, on the emulated amd64 board: what is told in
/// docs/reliability.md.
const AWAY_MAX: Duration = Duration::from_secs(120);

/// What a cut was like, a row of the table.
struct Row {
    number: u32,
    is_bad: bool,
    at: Duration,
    step: String,
    lost: Lost,
    again: Option<f64>,
    back: Back,
}

/// True when every promise held in every cut.
pub fn run(options: &Options) -> bool {
    let begun = Instant::now();
    let arch = options.arch.name();
    println!("{} power cuts on a virtual {arch} board, seed {}", options.count, options.seed);
    let mut rows = Vec::new();
    let (mut number, mut failures) = (0, 0);
    while number < options.count && failures < FAILURES_MAX {
        let mut stand = Stand::new(options.arch);
        let Some(timeline) = guard(&mut stand, "the beginning", prepare) else {
            failures += 1;
            continue;
        };
        head();
        while number < options.count {
            number += 1;
            // Each cut has a row of choices of its own, so that it is known by seed and number.
            let chance =
                Chance::of(options.seed.wrapping_mul(1_000_003).wrapping_add(number.into()));
            let what = format!("cut {number} of seed {}", options.seed);
            let done = guard(&mut stand, &what, |stand| one(stand, &timeline, number, chance));
            let Some(row) = done else {
                failures += 1;
                break;
            };
            row.print();
            rows.push(row);
        }
    }
    summary(&rows, failures, begun.elapsed());
    failures == 0 && rows.len() == options.count as usize
}

/// Installs, and measures an update that nothing disturbs.
fn prepare(stand: &mut Stand) -> Timeline {
    stand.away_max = AWAY_MAX * stand.rig.guest().arch().patience();
    stand.install();
    let timeline = stand.update_whole();
    println!("an update undisturbed: {:.1} s", timeline.length().as_secs_f64());
    for (step, from, to) in timeline.steps() {
        println!("  {:<10} {:6.2} to {:6.2} s", step, from.as_secs_f64(), to.as_secs_f64());
    }
    timeline
}

/// When to cut: half of the cuts anywhere in the update, half anywhere in a step, each step as often
/// as another, so that the short ones have their share.
fn instant(timeline: &Timeline, chance: &mut Chance) -> Duration {
    let between = |from: Duration, to: Duration, chance: &mut Chance| {
        let micros = u64::try_from(to.saturating_sub(from).as_micros()).unwrap_or(u64::MAX);
        from + Duration::from_micros(chance.below(micros.max(1)))
    };
    let steps = timeline.steps();
    if chance.is_once_in(2) || steps.is_empty() {
        return between(Duration::ZERO, timeline.length().mul_f64(1.1), chance);
    }
    let at = usize::try_from(chance.below(steps.len() as u64)).unwrap_or(0);
    let (_, from, to) = steps[at];
    between(from, to, chance)
}

fn one(stand: &mut Stand, timeline: &Timeline, number: u32, mut chance: Chance) -> Row {
    let is_bad = chance.is_once_in(BAD_ONCE_IN);
    let at = instant(timeline, &mut chance);
    let (version, release) = stand.push(if is_bad { "unhealthy" } else { "" });
    let mut cut_at = Duration::ZERO;
    let heard = stand.listen(|_, passed| {
        cut_at = passed;
        passed >= at
    });
    let step = heard.step().to_owned();
    let mut lost = stand.cut(&mut chance);
    let mut again = None;
    if chance.is_once_in(AGAIN_ONCE_IN) {
        let (passed, more) = stand.cut_in_boot(&mut chance);
        again = Some(passed.as_secs_f64());
        lost.kept += more.kept;
        lost.dropped += more.dropped;
        lost.torn += more.torn;
    }
    let back = stand.come_back(&version, is_bad.then_some(release.as_str()));
    Row { number, is_bad, at: cut_at, step, lost, again, back }
}

fn head() {
    println!(
        "{:>4} {:<4} {:>7} {:<10} {:>5} {:>5} {:>5} {:>6} {:>6} {:>6} {:>6} {:>6}  result",
        "cut",
        "to",
        "at s",
        "in step",
        "kept",
        "lost",
        "torn",
        "again",
        "shell",
        "engine",
        "app",
        "rest"
    );
}

impl Row {
    fn print(&self) {
        let Self { number, is_bad, at, step, lost, again, back } = self;
        let to = if *is_bad { "bad" } else { "good" };
        let step = if step.is_empty() { "–" } else { step };
        let again = again.map_or_else(|| "–".to_owned(), |at| format!("{at:.0}"));
        println!(
            "{number:>4} {to:<4} {:>7.2} {step:<10} {:>5} {:>5} {:>5} {again:>6} {:>6.0} {:>6.0} {:>6.0} {:>6.0}  well{}",
            at.as_secs_f64(),
            lost.kept,
            lost.dropped,
            lost.torn,
            back.shell,
            back.engine,
            back.app,
            back.rest,
            if back.engine_was_restarted { ", engine restarted" } else { "" },
        );
    }

    /// Seconds without the app after the engine was seen ready.
    fn away(&self) -> f64 {
        (self.back.app - self.back.engine).max(0.0)
    }
}

fn summary(rows: &[Row], failures: u32, passed: Duration) {
    let bad = rows.iter().filter(|row| row.is_bad).count();
    let again = rows.iter().filter(|row| row.again.is_some()).count();
    let sum = |of: fn(&Lost) -> u64| rows.iter().map(|row| of(&row.lost)).sum::<u64>();
    let mut away: Vec<f64> = rows.iter().map(Row::away).collect();
    away.sort_by(f64::total_cmp);
    let worst = away.last().copied().unwrap_or(0.0);
    let middle = away.get(away.len() / 2).copied().unwrap_or(0.0);
    let mut steps: Vec<&str> = rows.iter().map(|row| row.step.as_str()).collect();
    steps.sort_unstable();
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for step in steps {
        match counted.last_mut() {
            Some((name, count)) if *name == step => *count += 1,
            _ => counted.push((step, 1)),
        }
    }
    println!(
        "\n{} cuts well, {failures} failed, in {:.0} min; {bad} to a bad release, {again} cut again in the boot",
        rows.len(),
        passed.as_secs_f64() / 60.0
    );
    println!(
        "unflushed writes: {} kept, {} lost, {} torn",
        sum(|lost| lost.kept),
        sum(|lost| lost.dropped),
        sum(|lost| lost.torn)
    );
    println!("app back after the engine was seen ready: median {middle:.1} s, worst {worst:.1} s");
    let leaks = rows.iter().filter(|row| row.back.engine_was_restarted).count();
    println!("engine restarted, since it kept the app's port for nobody: {leaks}");
    println!("steps that were cut: {counted:?}");
}
