//! The virtual board: a real kernel, systemd and engine in an emulator, with a disk that can lose
//! what was not flushed.
//!
//! Promise: a board is the child of the thread that made it and ends with it; its disk begins as the
//! image of `tests/board/make-image`, which is never written.

mod arch;
mod chance;
mod disk;
mod disk_server;
mod folder;
mod guest;
mod look;
mod machine;
mod nbd;
mod package;
mod promises;
mod rig;
mod ssh;
mod stand;

pub use arch::Arch;
pub use chance::Chance;
pub use disk::{Counts, Disk, Lost};
pub use disk_server::DiskServer;
pub use guest::Guest;
pub use look::{Act, Look, watch_boots};
pub use machine::{APP_PORT, Facts, Hardware, Machine, SSH_PORT};
pub use package::{newer, package_for};
pub use promises::{Known, at_rest, never_two, right_one_first, wanted};
pub use rig::{APP, HOST, Rig};
pub use ssh::{EXIT_NO_CONNECTION, EXIT_TIMEOUT, Ssh, Trap};
pub use stand::{Back, Stand, Timeline};
