//! Why a step was not done, as the loop keeps it.

use titania_core::reason::{Class, Code, Reason};
use titania_core::time::Millis;

use super::backoff;
use crate::board::clock;
use crate::engine::EngineError;
use crate::registry::RegistryError;
use crate::store::StoreError;
use crate::volumes::VolumesError;

/// Why a step was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It may have been done, or something moved meanwhile: look again.
    LookAgain,
    /// It failed, and is tried again after a while.
    Failed {
        /// Why.
        reason: Box<Reason>,
        /// Longest wait until it is tried again.
        limit: Millis,
        /// Not before this has passed, where somebody said so.
        at_least: Millis,
    },
}

impl Fault {
    /// A failure of a step that costs the app nothing.
    pub fn of(reason: Reason) -> Self {
        Self::Failed { reason: Box::new(reason), limit: backoff::SHORT_MAX, at_least: Millis(0) }
    }

    /// The same, found now.
    pub fn new(
        code: Code,
        class: Class,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::of(Reason::new(code, class, message, hint, clock::wall()))
    }
}

impl From<EngineError> for Fault {
    fn from(error: EngineError) -> Self {
        if error.is_unknown() || error.is_away() {
            return Self::LookAgain; // the next look finds out whether the engine is there
        }
        Self::of(error.reason(clock::wall()))
    }
}

impl From<VolumesError> for Fault {
    fn from(error: VolumesError) -> Self {
        Self::of(error.reason(clock::wall()))
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::of(error.reason(clock::wall()))
    }
}

impl From<RegistryError> for Fault {
    fn from(error: RegistryError) -> Self {
        Self::Failed {
            at_least: error.retry_after().unwrap_or(Millis(0)),
            limit: if error.is_of_clock() { backoff::CLOCK_MAX } else { backoff::LONG_MAX },
            reason: Box::new(error.reason(clock::wall())),
        }
    }
}
