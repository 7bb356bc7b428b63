//! Faults one after another on boards that are used again and again, several boards side by side.

use super::catalogue::catalogue;
use super::fault::{Fault, Kind};
use super::inject::Wound;
use super::instant::{Instant as When, Steps, Timeline};
use super::judge;
use super::report::{Row, summary};
use super::scene::{LOG_PAUSE, Scene, settings};
use crate::board::Board;
use crate::vm::Chance;
use crate::{SOON, binaries, wait_between};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Faults that may fail before a run is given up.
const FAILURES_MAX: usize = 20;
/// The same of boards that do not come up.
const UNBORN_MAX: usize = 3;
/// What releases are like: one update in three is to a bad one.
const KINDS: [Kind; 6] =
    [Kind::Good, Kind::Unhealthy, Kind::Good, Kind::Crashing, Kind::Good, Kind::Good];
/// Longest that a lasting fault lasts, once it has met what it is about, in milliseconds.
const HOLD_MS_MAX: u64 = 4000;
/// Of a call that comes over and over one of so many is meant.
const SKIP_MAX: u64 = 12;
/// How long an update takes where it was not measured.
const LENGTH_USUAL: Duration = Duration::from_secs(10);
/// Beyond the length of an undisturbed update: when no instant is waited for any longer.
const INSTANT_MORE: Duration = Duration::from_secs(3);

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many faults.
    pub count: u32,
    /// What decides which, when and how.
    pub seed: u64,
    /// Boards side by side.
    pub jobs: u32,
    /// Only faults with one of these words, between commas, in their names.
    pub only: Option<String>,
    /// Only this number of the seed.
    pub number: Option<u32>,
}

/// One fault and all that decides how it goes.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The fault.
    pub fault: Fault,
    /// What the release is like that the update is to.
    pub kind: Kind,
    /// When it strikes.
    pub when: When,
    /// How long it lasts, in milliseconds.
    pub hold_ms: u64,
    /// How many calls that are meant go through before one is met.
    pub skip: u32,
}

/// A run on several boards.
struct Run<'o> {
    options: &'o Options,
    faults: Vec<Fault>,
    progress: Mutex<Progress>,
    begun: Instant,
}

#[derive(Default)]
struct Progress {
    given: u32,
    rows: Vec<Row>,
    failed: Vec<(u32, Fault)>,
    /// Boards that did not come up.
    unborn: usize,
}

/// True when everything held after every fault.
pub fn run(options: &Options) -> bool {
    let words: Vec<&str> = options.only.iter().flat_map(|only| only.split(',')).collect();
    let is_wanted = |fault: &Fault| {
        words.is_empty() || words.iter().any(|word| fault.to_string().contains(word))
    };
    let faults: Vec<Fault> = catalogue().into_iter().filter(is_wanted).collect();
    if faults.is_empty() {
        println!("no fault has {:?} in its name", options.only);
        return false;
    }
    println!("{} faults on {} boards, seed {}", options.count, options.jobs, options.seed);
    println!("{}", Row::head());
    // What a panic says is told with seed and number below.
    std::panic::set_hook(Box::new(|_| {}));
    let begun = Instant::now();
    let run = Run { options, faults, progress: Mutex::default(), begun };
    std::thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(|| {
                // A board is bound to its thread: each has a fresh one.
                while run.is_on() {
                    let _ = std::thread::scope(|inner| inner.spawn(|| run.board()).join());
                }
            });
        }
    });
    let progress = run.progress.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("\n{}", summary(&progress.rows, &progress.failed, run.begun.elapsed()));
    for (number, fault) in &progress.failed {
        println!("failed: number {number} of seed {}: {fault}", options.seed);
    }
    let wanted = options.number.map_or(options.count, |_| 1);
    progress.failed.is_empty() && progress.rows.len() == wanted as usize
}

impl Run<'_> {
    fn with<R>(&self, act: impl FnOnce(&mut Progress) -> R) -> R {
        act(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_on(&self) -> bool {
        let last = self.options.number.unwrap_or(self.options.count);
        self.with(|it| it.given < last && it.failed.len() < FAILURES_MAX && it.unborn < UNBORN_MAX)
    }

    /// The next number; None when all were given out.
    fn next(&self) -> Option<u32> {
        let last = self.options.number.unwrap_or(self.options.count);
        self.with(|it| {
            if let Some(only) = self.options.number {
                it.given = it.given.max(only - 1);
            }
            it.given += 1;
            (it.given <= last).then_some(it.given)
        })
    }

    /// One board, used until something does not hold.
    fn board(&self) {
        let board = catch_unwind(|| Board::with(settings()));
        let Ok(board) = board else {
            return self.with(|it| it.unborn += 1);
        };
        let mut scene = match catch_unwind(AssertUnwindSafe(|| begin(&board))) {
            Ok(scene) => scene,
            Err(why) => {
                keep(&board, &format!("seed-{}-beginning", self.options.seed), &text(&*why));
                return self.with(|it| it.unborn += 1);
            }
        };
        while let Some(number) = self.next() {
            let plan = self.plan(number, &scene);
            let done = catch_unwind(AssertUnwindSafe(|| one(&mut scene, &plan, number)));
            match done {
                Ok(row) => {
                    println!("{row}");
                    self.with(|it| it.rows.push(row));
                }
                Err(why) => {
                    let seed = self.options.seed;
                    println!("number {number} of seed {seed} FAILED: {plan:?}\n{}", text(&*why));
                    keep(&board, &format!("seed-{seed}-number-{number}"), &text(&*why));
                    return self.with(|it| it.failed.push((number, plan.fault)));
                }
            }
        }
    }

    /// By seed and number alone, but for the lengths of this board's steps.
    fn plan(&self, number: u32, scene: &Scene) -> Plan {
        let seed = self.options.seed;
        let mut chance = Chance::of(seed.wrapping_mul(1_000_003).wrapping_add(number.into()));
        let rounds = (number - 1) as usize / self.faults.len();
        let at = (number - 1) as usize % self.faults.len();
        let fault = self.faults[shuffled(self.faults.len(), seed, rounds)[at]];
        let drawn = chance.below(KINDS.len() as u64);
        let kind = KINDS[usize::try_from(drawn).unwrap_or(0)];
        let kind = if fault.wants_good() { Kind::Good } else { kind };
        let hold_ms = chance.below(HOLD_MS_MAX);
        let skip = u32::try_from(chance.below(SKIP_MAX)).unwrap_or(0);
        let when = match (fault.is_armed(), scene.timeline(kind)) {
            (false, Some(timeline)) => {
                timeline.draw(fault.wants_new().then_some("compare new"), &mut chance)
            }
            _ => When::Rest,
        };
        Plan { fault, kind, when, hold_ms, skip }
    }
}

/// The numbers below `count` in an order that seed and round decide.
fn shuffled(count: usize, seed: u64, round: usize) -> Vec<usize> {
    let mut chance = Chance::of(seed.rotate_left(32) ^ round as u64);
    let mut order: Vec<usize> = (0..count).collect();
    for at in (1..count).rev() {
        let other = usize::try_from(chance.below(at as u64 + 1)).unwrap_or(0);
        order.swap(at, other);
    }
    order
}

/// Installs, and measures updates that nothing disturbs.
fn begin(board: &Board) -> Scene<'_> {
    let mut scene = Scene::install(board);
    for kind in [Kind::Good, Kind::Unhealthy, Kind::Crashing] {
        let pushed = scene.push(kind);
        let mut steps = scene.steps();
        let begun = Instant::now();
        assert!(scene.ask(), "the agent takes a request");
        let mut timeline = Timeline::default();
        wait_between(SOON, LOG_PAUSE, "an undisturbed update", || {
            let at = begun.elapsed();
            timeline.steps.extend(steps.fresh().into_iter().map(|step| (at, step)));
            steps.last() == "write conclude"
        });
        timeline.length = begun.elapsed();
        judge::wait_end(&mut scene, Fault::Pruned, &pushed);
        let wound = Wound::none();
        judge::all(&mut scene, &wound, Fault::Pruned, &pushed);
        scene.has_lost_images = false;
        println!("undisturbed, to one that is {kind:?}: {timeline}");
        scene.remember(kind, timeline);
    }
    scene
}

/// One update with its fault, healed and judged.
///
/// # Panics
/// When something does not hold.
pub fn one(scene: &mut Scene, plan: &Plan, number: u32) -> Row {
    let begun = Instant::now();
    let pushed = scene.push(plan.kind);
    let mut steps = scene.steps();
    let mut wound = match plan.when {
        When::Rest => {
            let wound = Wound::strike(scene, plan);
            scene.ask();
            wound
        }
        _ => {
            wait_between(SOON, LOG_PAUSE * 10, "the agent to take a request", || scene.ask());
            wait_instant(scene, plan, &mut steps);
            Wound::strike(scene, plan)
        }
    };
    let _ = steps.fresh();
    let step = steps.last().to_owned();
    wound.last(scene, plan);
    wound.heal(scene);
    scene.wait_ready();
    let ready = Instant::now();
    judge::wait_back(scene, &pushed);
    let back = ready.elapsed();
    judge::wait_end(scene, plan.fault, &pushed);
    let end = ready.elapsed();
    judge::all(scene, &wound, plan.fault, &pushed);
    Row {
        number,
        fault: plan.fault,
        kind: plan.kind,
        when: plan.when.to_string(),
        step,
        is_met: wound.is_met,
        back,
        end,
        whole: begun.elapsed(),
    }
}

/// Waits for the instant; one that does not come is given up: the fault strikes all the same.
fn wait_instant(scene: &Scene, plan: &Plan, steps: &mut Steps) {
    let begun = Instant::now();
    let length = scene.timeline(plan.kind).map_or(LENGTH_USUAL, |timeline| timeline.length);
    let limit = length * 2 + INSTANT_MORE;
    wait_between(limit + SOON, LOG_PAUSE, "the instant", || {
        let _ = steps.fresh();
        let is_there = match &plan.when {
            When::Rest => true,
            When::Boundary { word, nth } => steps.count(word) > *nth,
            When::After(span) => begun.elapsed() >= *span,
        };
        is_there || begun.elapsed() > limit
    });
}

/// What a panic said.
fn text(why: &(dyn Any + Send)) -> String {
    let owned = why.downcast_ref::<String>().cloned();
    owned.or_else(|| why.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// Keeps what a person looks at first.
fn keep(board: &Board, name: &str, why: &str) {
    let folder: PathBuf = binaries::target().join("torture").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    if let Err(error) = std::fs::create_dir_all(&folder) {
        println!("{}: {error}", folder.display());
        return;
    }
    let status = board.agent().status();
    for (file, text) in [
        ("why", why.to_owned()),
        ("agentd.log", board.agent().log()),
        ("engine.log", board.engine().log()),
        ("status.json", format!("{status:#}")),
    ] {
        if let Err(error) = std::fs::write(folder.join(file), text) {
            println!("{file}: {error}");
        }
    }
    println!("its logs: {}", folder.display());
}

/// Everything of the quick faults on one board, for the tests.
///
/// # Panics
/// When something does not hold.
pub fn run_quick(plans: &[Plan]) -> Vec<Row> {
    let board = Board::with(settings());
    let mut scene = Scene::install(&board);
    let numbered = plans.iter().zip(1..);
    numbered.map(|(plan, number)| one(&mut scene, plan, number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_has_every_fault_once_in_an_order_of_its_own() {
        let order = shuffled(20, 7, 0);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
        assert_eq!(order, shuffled(20, 7, 0));
        assert_ne!(order, shuffled(20, 7, 1));
        assert_ne!(order, shuffled(20, 8, 0));
    }
}
