//! The shells around the core: each room does one kind of IO, and only `reconcile` knows them all.
//!
//! Arrows allowed: `reconcile` → every other room; `report` and `control` → the status document alone;
//! `volumes` → `store::durable`, the tree's one durable rename; `store` and `volumes` → `workers`, `registry` and `report` →
//! `trust`, which know none.

pub mod board;
pub mod control;
pub mod engine;
pub mod reconcile;
pub mod registry;
pub mod report;
pub mod store;
pub mod trust;
pub mod volumes;
pub mod workers;

#[cfg(test)]
#[path = "sample_tests.rs"]
mod sample;
#[cfg(test)]
#[path = "scratch_tests.rs"]
mod scratch;
