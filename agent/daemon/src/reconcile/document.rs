//! The status document: what is known of an app, made into what an operator sees.
//!
//! Promise: pure; the same view gives the same document, and two views that differ only in the time give
//! equal ones, so that nothing is published because a clock went on.

use titania_core::digest::Digest;
use titania_core::names::AppName;
use titania_core::reason::Reason;
use titania_core::status::{AppStatus, HealthState, Progress, Snapshot};
use titania_core::step::Decision;
use titania_core::time::{Moment, Timestamp};
use titania_core::world::World;

/// What is known of one app beside the world. The loop keeps it from round to round.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// Name.
    pub app: &'a AppName,
    /// The world of this round; while the engine is away the last one seen, with its `barrier`.
    pub world: &'a World,
    /// What `decide` said of it.
    pub decision: &'a Decision,
    /// Is what the world says of containers old, because the engine does not answer (or never did)?
    pub is_engine_away: bool,
    /// The definition's file; null when it is gone.
    pub file: Option<&'a str>,
    /// Hash of the definition in force.
    pub hash: Digest,
    /// Why the file as it is now does not count.
    pub error: Option<&'a Reason>,
    /// Restarts by the engine, of the container that is shown.
    pub restarts: u32,
    /// `uid:gid` of the container that is shown, as the engine tells it.
    pub user: Option<&'a str>,
    /// Health of the wanted container as the probes show it ([`super::probes::Probes::health`]).
    pub health: HealthState,
    /// Restarts too often, and since when: `crash_loop`.
    pub crash_loop: Option<&'a Reason>,
    /// Download under way.
    pub progress: Option<Progress>,
    /// Kept forks.
    pub snapshots: &'a [Snapshot],
    /// What is odd but stops nothing.
    pub warnings: &'a [Reason],
    /// When the registry is asked next; null for a pinned digest.
    pub next_poll: Option<Moment>,
    /// The document before this one.
    pub before: Option<&'a AppStatus>,
    /// Wall clock of `world.now`.
    pub at: Timestamp,
}

/// The app's part of the status document.
pub fn app(view: &View<'_>) -> AppStatus;
