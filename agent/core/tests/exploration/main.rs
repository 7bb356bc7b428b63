//! Every world that a few faults can lead to, searched breadth first with the real `decide` (§3.7).
//!
//! Safety (P2, P3, P4, P6) is asserted in the model wherever the agent acts; liveness (P1) by letting
//! each world go on without faults until it rests with its app running.

#![allow(clippy::expect_used, clippy::panic)] // the model is a test; a broken promise is a panic with its trace

mod model;
mod moves;
mod perform;

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

use model::{Nature, State};

/// Steps and waits after which a world without faults must be at rest.
const STEPS_MAX: usize = 120;

fn key(s: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    s.hash(&mut hasher);
    hasher.finish()
}

struct Search {
    seen: HashMap<u64, (u64, String)>,
    good: HashSet<u64>,
    transitions: usize,
    depth: usize,
}

impl Search {
    fn trace(&self, mut at: u64) -> String {
        let mut steps = Vec::new();
        while let Some((parent, label)) = self.seen.get(&at) {
            steps.push(label.as_str());
            if *parent == at {
                break;
            }
            at = *parent;
        }
        steps.reverse();
        steps.join("\n  ")
    }

    /// Lets a world go on without faults until it rests.
    fn must_rest(&mut self, s: &State) -> Result<(), String> {
        let mut path = vec![key(s)];
        let mut now = s.clone();
        let mut labels = Vec::new();
        for _ in 0..STEPS_MAX {
            if self.good.contains(&key(&now)) || moves::is_settled(&now) {
                self.good.extend(path);
                return Ok(());
            }
            let (next, label) = moves::plain(&now);
            labels.push(label);
            now = next;
            now.reduce();
            path.push(key(&now));
        }
        labels.truncate(30);
        let (w, late) = (&now.w, now.late);
        Err(format!(
            "P1: not at rest after {STEPS_MAX} steps:\n  {}\nwith {:?}\n{:?}\n{:?}\nlate {late:?}",
            labels.join("\n  "),
            w.containers,
            w.forks
                .iter()
                .map(|f| (f.generation, f.folder, f.unfinished, f.owned))
                .collect::<Vec<_>>(),
            w.evidence
        ))
    }

    fn run(&mut self, start: State) -> Result<(), String> {
        let mut queue = VecDeque::from([(start, 0)]);
        if let Some((s, _)) = queue.front() {
            self.seen.insert(key(s), (key(s), "start".into()));
        }
        while let Some((s, depth)) = queue.pop_front() {
            self.depth = self.depth.max(depth);
            let here = key(&s);
            let next = catch_unwind(AssertUnwindSafe(|| {
                self.must_rest(&s)?;
                let mut next = vec![moves::plain(&s)];
                next.extend(moves::news(&s));
                if s.faults > 0 {
                    next.extend(moves::faults(&s));
                }
                Ok::<_, String>(next)
            }));
            let next = match next {
                Ok(Ok(next)) => next,
                Ok(Err(problem)) => {
                    return Err(format!("{problem}\nafter\n  {}", self.trace(here)));
                }
                Err(panic) => {
                    let text = panic.downcast_ref::<String>().cloned();
                    let text =
                        text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                    let last = format!("{:?}", titania_core::decide::decide(&s.w));
                    return Err(format!(
                        "{}\nafter\n  {}\n  {last}",
                        text.unwrap_or_default(),
                        self.trace(here)
                    ));
                }
            };
            for (mut state, label) in next {
                state.reduce();
                self.transitions += 1;
                if state.up().len() > 1 && !state.stranger {
                    return Err(format!("P3: two run\nafter\n  {}\n  {label}", self.trace(here)));
                }
                let there = key(&state);
                if let std::collections::hash_map::Entry::Vacant(place) = self.seen.entry(there) {
                    place.insert((here, label));
                    queue.push_back((state, depth + 1));
                }
            }
        }
        Ok(())
    }
}

fn explore(natures: [Nature; 2], rollback: bool, faults: u8) {
    let begun = std::time::Instant::now();
    let mut search =
        Search { seen: HashMap::new(), good: HashSet::new(), transitions: 0, depth: 0 };
    std::panic::set_hook(Box::new(|_| ())); // the search tells of a broken promise itself, with its trace
    let result = search.run(State::new(natures, rollback, faults));
    drop(std::panic::take_hook());
    println!(
        "explored {natures:?}, rollback {rollback}, {faults} faults: {} states, {} transitions, depth {}, {:.1} s",
        search.seen.len(),
        search.transitions,
        search.depth,
        begun.elapsed().as_secs_f32()
    );
    if let Err(problem) = result {
        panic!("{problem}");
    }
}

#[test]
fn p1_to_p4_hold_when_both_releases_are_good() {
    explore([Nature::Good, Nature::Good], true, 2);
}

#[test]
fn p1_to_p4_hold_when_the_new_release_is_unhealthy() {
    explore([Nature::Good, Nature::Unhealthy], true, 2);
}

#[test]
fn p1_to_p4_hold_when_the_new_release_crashes() {
    explore([Nature::Good, Nature::Crashes], true, 2);
}

#[test]
fn p1_to_p4_hold_when_both_releases_are_unhealthy() {
    explore([Nature::Unhealthy, Nature::Unhealthy], true, 2);
}

#[test]
fn p1_to_p4_hold_without_rollback() {
    explore([Nature::Good, Nature::Crashes], false, 2);
}
