//! What main hands to the loop, and how the loop ends.

use titania_core::time::Timestamp;

use crate::board::files::InForce;
use crate::board::service::{Signals, Watchdog};

/// What the loop starts with.
pub struct Setup<'a> {
    /// Settings and definitions; also the file to read them from again.
    pub in_force: InForce,
    /// Fed by the loop alone.
    pub watchdog: Watchdog,
    /// Reload and stop.
    pub signals: &'a mut Signals,
    /// Start of this process.
    pub started_at: Timestamp,
}

/// How the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As asked by signal; the apps go on.
    Stopped,
    /// Settings or state folder were unusable at the start and can be used now: begin again with them.
    Anew,
}
