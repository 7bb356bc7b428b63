//! A board for one test case: its own network, engine, registry, broker, agent and images.
//!
//! Promise: a [`Board`] shares nothing with the machine or with another board but the kernel, and
//! leaves nothing behind. A case waits for facts with a deadline ([`wait_until`]), never for time.
//! Trusts the machine's programs (dockerd, containerd, docker-registry, mosquitto); what they say is
//! compared with what the agent says.
//!
//! ```no_run
//! use harness::{Board, Image};
//! let board = Board::start();
//! let v1 = board.registry().push("wallet", "1.0.0", &Image::version("1.0.0"));
//! let wallet = board.app("wallet").image(&v1.tagged()).state("/state").define();
//! board.agent().start();
//! wallet.wait_version("1.0.0");
//! ```

mod agent;
mod app;
mod between;
mod binaries;
mod board;
mod broker;
mod certificates;
mod container;
mod definition;
mod disks;
mod engine;
mod gzip;
mod hostile;
mod http;
mod image;
mod kept;
mod mapping;
mod mute;
mod namespace;
mod process;
mod proxy;
mod registry;
mod sweep;
mod toml_text;
pub mod torture;
mod tree;
pub mod vm;
mod wait;
mod watchdog;

pub use agent::{Agent, OTHER_USER, Said};
pub use app::App;
pub use between::Between;
pub use binaries::{agentd, test_app_with_database, use_release};
pub use board::{Board, Disks, Settings};
pub use broker::{Broker, Listener, Message};
pub use certificates::Certificates;
pub use container::Container;
pub use definition::Definition;
pub use disks::{Frozen, SmallDisk};
pub use engine::Engine;
pub use hostile::{Hostile, Reply};
pub use http::{Place, Response, ask, ask_within};
pub use image::{Compression, Dialect, Image, digest};
pub use kept::Kept;
pub use mapping::{MAPPED_GID, MAPPED_UID};
pub use mute::Mute;
pub use process::{Process, run};
pub use proxy::{Fate, Meddling, Proxy, Side};
pub use registry::{Entry, LOGIN, Pushed, Registry};
pub use toml_text::Document;
pub use tree::Tree;
pub use wait::{Seen, wait_between, wait_until};
pub use watchdog::Watchdog;

use std::time::Duration;

/// Time in which anything that a case waits for must have come, unless the case says another:
/// generous, since several boards share two cores.
pub const SOON: Duration = Duration::from_secs(60);
