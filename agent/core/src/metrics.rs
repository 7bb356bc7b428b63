//! Metrics: what a board feels like just now. Never retained, so here things may move by themselves.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::status::Disk;
use crate::time::{Millis, Timestamp};

/// `…/metrics`. What a board can't tell is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// 1.
    pub schema: u32,
    /// When it was read.
    pub at: Timestamp,
    /// Since the board's start.
    pub uptime_ms: Millis,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// Memory of the board.
    pub memory: Option<Memory>,
    /// Disks that matter.
    pub disks: Vec<Disk>,
    /// The processor's temperature in degrees Celsius.
    pub temperature_c: Option<f64>,
    /// Raspberry Pi: is its supply too weak right now, or was it since boot?
    pub under_voltage: Option<Flag>,
    /// Raspberry Pi: is the processor slowed down right now, or was it since boot?
    pub throttled: Option<Flag>,
    /// Resident memory of the agent itself.
    pub agent_memory_bytes: Option<u64>,
}

/// Memory of the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// In all.
    pub total_bytes: u64,
    /// What a new program could have.
    pub available_bytes: u64,
    /// Swap in use.
    pub swap_used_bytes: u64,
}

/// A fault of the supply or the cooling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    /// Right now.
    pub now: bool,
    /// At any time since boot.
    pub since_boot: bool,
}
