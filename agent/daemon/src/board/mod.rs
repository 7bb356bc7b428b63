//! The board: clocks, identity, userland, sensors, the service manager, and the files that a
//! person writes.
//!
//! Promise: every call here is short and bounded; nothing is written. What a board does not have
//! (a sensor, a serial number, systemd) is `None`, never an error.
//! Trusts: the kernel's own files. Distrusts: configuration files, bounded in size and count.

pub mod clock;
pub mod confinement;
pub mod files;
pub mod identity;
pub mod logging;
pub mod neighbour;
pub mod sensors;
pub mod service;
pub mod unit;
pub mod userland;
