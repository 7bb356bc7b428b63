//! The loop: observe, decide, perform one step.

pub mod document;
pub mod probes;
pub mod setup;
pub mod words;

pub use setup::{Ended, Setup};

/// The agent's loop. Returns when it is asked to stop, or when settings that were unusable can be used.
///
/// # Errors
/// What makes running impossible: the control socket can't be made, the state folder is locked by another agent.
pub async fn run(setup: Setup<'_>) -> std::io::Result<Ended>;
