//! Volumes: folders that belong to an app and to nobody else.
//!
//! Promise: but for `purge`, which an operator asks for, no function here copies, moves or deletes a `data` folder;
//! forks of state are copied forward, and only pruning removes one. Nothing is made below a root that is not the board's own.
//! Trusts: paths from the definition, already parsed, and the folders that only root can write (the root,
//! `<app>/`, `state/`, `data/`). Distrusts: everything inside a volume (links, devices, depth, names), whose
//! writer may be hostile; and the disk, which may be full, read-only or gone.
//!
//! Arrows: of the other rooms only `store::durable`, the tree's one durable rename.
//!
//! Layout (DESIGN §5): `<root>/<app>/state/<fork>/<key>/`, beside it `<fork>.json` and markers
//! `<fork>.unfinished`, `<fork>.owning`, `<fork>.fetching`; `<root>/<app>/data/<key>/`, its markers
//! `<root>/<app>/data.<key>.{owning,seeding,seeded}`, which no key can clash with. `<app>/`, `state/` and `data/`
//! are root's, 0711, because what lies in them decides what runs; forks and volumes are 0700 and the app's.

mod attributes;
mod bytes;
mod copy;
mod error;
mod fetching;
mod files;
mod forks;
mod handle;
mod lock;
mod mounted;
mod notes;
mod own;
mod paths;
mod prune;
mod purge;
pub mod root;
mod seed;
mod size;
mod space;
#[cfg(test)]
#[path = "ground_tests.rs"]
mod testing;
mod tree;
mod uids;
mod unpack;

pub use copy::Copied;
pub use error::{Absence, MissingSource, VolumesError};
pub use handle::{QUICK_SECONDS_MAX, Volumes};
pub use mounted::Unmounted;
pub use notes::Notes;
pub use own::Owned;
pub use paths::{Mount, System, key};
pub use prune::Spared;
pub use root::{RootState, WhyMissing};
pub use seed::{Feeder, Seed, SeedStream, pipe};
pub use size::Size;
