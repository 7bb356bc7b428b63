//! What is done when something does not hold: said at once, with all that a person looks at first,
//! and kept.

use harness::vm::Stand;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `act`; when it panics, the board's own words are printed, its folder is kept, and None is
/// returned.
pub fn guard<R>(stand: &mut Stand, what: &str, act: impl FnOnce(&mut Stand) -> R) -> Option<R> {
    let done = catch_unwind(AssertUnwindSafe(|| act(stand)));
    if done.is_err() {
        stand.rig.keep();
        let diagnosis = catch_unwind(AssertUnwindSafe(|| stand.rig.guest().diagnosis()));
        println!("{what} failed; the board says:\n{}", diagnosis.unwrap_or_default());
        println!("its files: {}", stand.rig.folder().display());
    }
    done.ok()
}
