//! The loop: observe, decide, perform one step.

pub mod document;
pub mod probes;
pub mod words;
