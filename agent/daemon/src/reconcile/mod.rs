//! The loop: observe, decide, perform one step.
//!
//! Promise: `decide` alone says what is done; here is what it sees, and what its steps do to the world. After a crash,
//! a restart or an engine's return everything is looked at and decided anew: there is no other recovery.
//! Trusts: `decide`, and what a room answers within its own promise. Distrusts: its own memory, which is evidence and
//! no record, and every answer that did not come.
//!
//! The one room that knows all others (DESIGN §8).

mod agent;
mod app;
mod apps;
mod backoff;
mod candidate;
mod confined;
mod contact;
mod disks;
pub mod document;
mod ends;
mod evidence;
mod exits;
mod fault;
mod gates;
mod hearing;
mod inside;
mod kept;
mod leaks;
mod leftovers;
mod limits;
mod news;
mod observe;
mod orphans;
mod outlet;
mod perform;
mod polls;
pub mod probes;
mod publish;
mod requests;
mod room;
mod round;
mod run;
pub mod setup;
mod users;
mod wiring;
pub mod words;

pub use run::run;
pub use setup::{Ended, Setup};
