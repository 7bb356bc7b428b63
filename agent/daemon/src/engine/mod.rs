//! The engine: Docker Engine, or Podman through its Docker-compatible API, over its Unix socket.
//!
//! Promises: each call has a deadline and reads a bounded answer. A call that got no whole answer is
//! [`EngineError::Unknown`], never "failed": it may have happened, look again. A call that could not
//! even be sent is [`EngineError::Away`] or [`EngineError::Denied`]: nothing happened.
//! Acts and the create body go through bollard; what is read is parsed by narrow types of this
//! room that keep words they do not know.
//! Trusts: the definition, already parsed. Distrusts: every answer (it lies by omission), its size,
//! its spelling, and that the container is what was asked for.

mod about;
mod acts;
mod archive;
mod bounded;
mod call;
mod compare;
mod containerd;
mod error;
mod events;
mod exec;
mod image;
mod inspect;
mod layers;
mod lines;
mod network;
mod plan;
mod process;
mod publishers;
mod pull;
mod refusal;
mod seen;
mod throwaway;
mod transport;
mod trial;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;

pub use about::{About, Kind, Remap};
pub use acts::{Created, Started, Stopped};
pub use archive::{Archive, ArchiveReader};
pub use compare::{Difference, differences};
pub use containerd::{Containerd, Task};
pub use error::{EngineError, Refusal};
pub use events::{EngineEvent, Events, What};
pub use exec::Exec;
pub use image::{ImageFacts, Tagged, local_tag};
pub use inspect::Inspected;
pub use layers::{Holder, Made};
pub use plan::{Making, Mount, Plan, PlanError, plan};
pub use process::FirstProcess;
pub use pull::{Credentials, Progress, Pull};
pub use seen::{HealthCheck, Role, Seen};
pub use throwaway::{Lies, Throwaway};

use call::garbled;
use transport::Wire;

/// One engine, by its socket. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    wire: Arc<Wire>,
}

impl Engine {
    /// The engine behind `socket`; nothing is asked yet.
    pub fn new(socket: PathBuf) -> Self {
        Self { wire: Wire::new(socket) }
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        self.wire.socket()
    }

    /// A running container's process by its pid, where its end can be waited for; null where that can't be proven.
    pub fn first_process(&self, pid: u32) -> Option<FirstProcess> {
        process::first(self.wire.peer(), pid)
    }

    fn wire(&self) -> &Arc<Wire> {
        &self.wire
    }
}

/// Reads an answer. serde_json bounds its depth (128), the transport its size.
fn parse<T: DeserializeOwned>(act: &str, bytes: &[u8]) -> Result<T, EngineError> {
    serde_json::from_slice(bytes).map_err(|error| garbled(act, error.to_string()))
}

/// The first 12 characters of an id, as shown on a terminal; a name stays whole.
fn short(id: &str) -> &str {
    match id.get(..12) {
        Some(start) if id.len() == 64 => start,
        _ => id,
    }
}
