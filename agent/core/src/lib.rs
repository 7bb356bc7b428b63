//! What is true of an app, and the one thing to do next.
//!
//! Promise: the same world gets the same answer. Nothing here reads a clock, a file or a socket;
//! time, randomness and what the engine said are fields of the world.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

pub mod api;
pub mod change;
pub mod decide;
pub mod definition;
pub mod digest;
pub mod event;
pub mod fork;
pub mod leak;
pub mod metrics;
pub mod names;
pub mod oci;
pub mod outcome;
pub mod platform;
pub mod probation;
pub mod prune;
pub mod published;
pub mod quarantine;
pub mod reason;
pub mod rebuild;
pub mod record;
pub mod reference;
pub mod release;
pub mod room;
pub mod spec;
pub mod status;
pub mod step;
pub mod target;
pub mod time;
pub mod track;
pub mod verbs;
pub mod window;
pub mod world;
