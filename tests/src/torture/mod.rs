//! Fault injection on the real thing: updates of a real agent against a real engine, registry and broker,
//! and in the midst of each a fault.
//!
//! Promise: a fault is known by seed and number. After each the board is healed, and all that is promised of it
//! is looked at ([`judge`]): one that does not hold is told with seed and number, its logs are kept, and the run
//! goes on with another board.
//!
//! `catalogue` names the faults, `fault` says what they are, `inject` does and heals them, `instant` says when,
//! `scene` holds the board in use, `judge` what must be true in the end, `run` puts it together.

mod acts;
mod catalogue;
mod fault;
mod inject;
mod instant;
mod judge;
mod kept;
mod report;
mod run;
mod scene;

pub use catalogue::quick;
pub use fault::{Call, Disk, Fault, Hand, Kind, Loss, Thing, Trouble, Victim, Whose};
pub use instant::Instant;
pub use report::Row;
pub use run::{Options, Plan, run, run_quick};
