//! Every world that a few faults can lead to, searched breadth first with the real `decide` (§3.7).
//!
//! Safety (P2, P3, P4, P6) is asserted in the model wherever the agent acts; liveness (P1) by letting
//! each world go on without faults until it rests with its app running.
//!
//! Each search prints how much it saw. A broken promise is told with the shortest way there.

#![allow(clippy::expect_used, clippy::panic)] // the model is a test; a broken promise is a panic with its trace

mod clock;
mod damage;
mod faults;
mod full;
mod model;
mod moves;
mod pair;
mod perform;
mod promises;
mod reduce;
mod search;

use model::{Bounds, Nature, State};
use pair::Pair;
use search::{STATES_MAX, STATES_MAX_DEEP, Search, World};

/// Whether the mutation check asks for smaller bounds: `EXPLORE=small`.
fn is_small() -> bool {
    std::env::var_os("EXPLORE").is_some_and(|size| size == "small")
}

/// Explores one app.
fn explore(name: &str, bounds: Bounds) {
    explore_up_to(STATES_MAX, name, bounds);
}

fn explore_up_to(most: usize, name: &str, mut bounds: Bounds) {
    if is_small() {
        bounds.faults = 1;
        bounds.moves -= u8::from(bounds.definitions || bounds.releases > 2);
    }
    search(most, name, bounds, State::new(bounds));
}

/// Explores two apps, the second after the first.
fn explore_pair(name: &str, first: Bounds, second: Bounds) {
    let small = |bounds| if is_small() { Bounds { faults: 0, ..bounds } } else { bounds };
    let (first, second) = (small(first), small(second));
    search(STATES_MAX, name, first, Pair::new(first, second));
}

fn search(most: usize, name: &str, bounds: Bounds, start: impl World) {
    let begun = std::time::Instant::now();
    let mut search = Search::new(most);
    let result = search.run(start);
    println!(
        "explored {name}: {} releases, {} faults, {} moves of each tag: {} states, {} transitions, depth {}, {:.1} s",
        bounds.releases,
        bounds.faults,
        bounds.moves,
        search.states(),
        search.transitions,
        search.depth,
        begun.elapsed().as_secs_f32()
    );
    if let Err(problem) = result {
        panic!("{problem}");
    }
}

const BOUNDS: Bounds = Bounds {
    natures: [Nature::Good, Nature::Good, Nature::Good],
    releases: 2,
    rollback: true,
    keeps_policy: true,
    definitions: false,
    clock: false,
    damage: false,
    faults: 2,
    moves: 2,
};

#[test]
fn p1_to_p4_hold_when_both_releases_are_good() {
    explore("two good releases", BOUNDS);
}

#[test]
fn p1_to_p4_hold_when_the_new_release_is_unhealthy() {
    let natures = [Nature::Good, Nature::Unhealthy, Nature::Good];
    explore("a good and an unhealthy release", Bounds { natures, ..BOUNDS });
}

#[test]
fn p1_to_p4_hold_when_the_new_release_crashes() {
    let natures = [Nature::Good, Nature::Crashes, Nature::Good];
    explore("a good and a crashing release", Bounds { natures, ..BOUNDS });
}

#[test]
fn p1_to_p4_hold_when_both_releases_are_unhealthy() {
    let natures = [Nature::Unhealthy, Nature::Unhealthy, Nature::Good];
    explore("two unhealthy releases", Bounds { natures, ..BOUNDS });
}

#[test]
fn p1_to_p4_hold_without_rollback() {
    let natures = [Nature::Good, Nature::Crashes, Nature::Good];
    explore("a crashing release without rollback", Bounds { natures, rollback: false, ..BOUNDS });
}

#[test]
fn p1_to_p4_hold_when_the_new_release_kills_the_board() {
    let natures = [Nature::Good, Nature::KillsBoard, Nature::Good];
    explore("a release that kills the board", Bounds { natures, moves: 1, ..BOUNDS });
}

#[test]
fn p1_to_p4_hold_when_the_new_release_can_not_run_here() {
    let natures = [Nature::Good, Nature::NotRunnable, Nature::Good];
    explore("a release that can't run here", Bounds { natures, ..BOUNDS });
}

#[test]
fn p1_to_p4_hold_on_podman() {
    let natures = [Nature::Good, Nature::Crashes, Nature::Good];
    explore(
        "a crashing release on Podman",
        Bounds { natures, keeps_policy: false, moves: 1, ..BOUNDS },
    );
}

#[test]
fn p1_to_p4_hold_while_the_definition_changes() {
    let natures = [Nature::Good, Nature::Unhealthy, Nature::Good];
    explore(
        "a definition that changes and goes",
        Bounds { natures, definitions: true, faults: 1, ..BOUNDS },
    );
}

#[test]
fn p1_to_p4_hold_with_a_third_release() {
    let natures = [Nature::Good, Nature::Unhealthy, Nature::Good];
    explore(
        "three releases, one of them unhealthy",
        Bounds { natures, releases: 3, faults: 1, ..BOUNDS },
    );
}

#[test]
fn p1_to_p4_hold_with_an_app_that_is_after_another() {
    let bounds = Bounds { faults: 1, moves: 1, ..BOUNDS };
    let of = |second| Bounds { natures: [Nature::Good, second, Nature::Good], ..bounds };
    explore_pair("two apps, one after the other", of(Nature::Unhealthy), of(Nature::Crashes));
}

#[test]
fn p1_to_p4_hold_while_the_clock_jumps() {
    let natures = [Nature::Good, Nature::Unhealthy, Nature::Good];
    let bounds = Bounds { natures, clock: true, ..BOUNDS };
    explore("a clock that jumps, a window and holds", bounds);
}

#[test]
fn p1_to_p4_hold_when_a_power_cut_damages_an_image() {
    let natures = [Nature::Good, Nature::Unhealthy, Nature::Good];
    let bounds = Bounds { natures, damage: true, moves: 1, ..BOUNDS };
    explore("an image damaged by a power cut", bounds);
}

#[test]
fn p1_to_p4_hold_when_a_power_cut_damages_an_image_of_two_good_ones() {
    explore("two good images, damaged by a power cut", Bounds { damage: true, moves: 1, ..BOUNDS });
}

/// Three releases with as many faults as two have: as many worlds as five of those searches.
#[test]
#[ignore = "takes about a minute: with it the searches of a test run would take more than one"]
fn deep_with_a_third_release() {
    let natures = [Nature::Good, Nature::Unhealthy, Nature::Good];
    let bounds = Bounds { natures, releases: 3, ..BOUNDS };
    explore_up_to(STATES_MAX_DEEP, "deeper, three releases, one of them unhealthy", bounds);
}

/// Three faults, one world after the other: `make deep`.
#[test]
#[ignore = "takes long, and gigabytes"]
fn deep() {
    for second in [Nature::Good, Nature::Unhealthy, Nature::Crashes, Nature::KillsBoard] {
        let natures = [Nature::Good, second, Nature::Good];
        let bounds = Bounds { natures, faults: 3, moves: 1, ..BOUNDS };
        explore_up_to(STATES_MAX_DEEP, "deeper", bounds);
    }
}
