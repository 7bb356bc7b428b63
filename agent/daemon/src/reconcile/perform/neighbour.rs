//! After a start: the unanswered entry of the container's address goes from the kernel's table of neighbours
//! (DESIGN §4, "start"), else the app runs and can't be reached for up to a second.
//!
//! Promise: no start fails or waits long for it. Where the agent may not change the table, and no service of the
//! package does it for it, that is a line at level `debug` and nothing else.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::Act;
use crate::board::neighbour::{self, Helper};
use crate::engine::Kind;
use crate::workers::Worker;

/// Longest wait for all of it; it takes some milliseconds. After a second the kernel asks again by itself.
const LIMIT: Duration = Duration::from_secs(1);

/// Who takes the entry away.
pub(super) enum Forgetting {
    /// The agent.
    Itself,
    /// The package's service, called already: it starts while the engine starts the container.
    Helper(Helper),
    /// Nobody.
    Skipped,
}

impl Act<'_> {
    /// Right before a start.
    pub(super) async fn prepare_forgetting(&self) -> Forgetting {
        let kind = self.agent.shared.borrow().about.as_ref().map(|about| about.kind);
        if kind != Some(Kind::Docker) {
            return Forgetting::Skipped; // Podman gives each container an address of its own
        }
        if neighbour::may_forget() {
            return Forgetting::Itself;
        }
        let Some(folder) = self.agent.runtime_folder() else {
            return Forgetting::Skipped;
        };
        let socket = folder.join(neighbour::SOCKET);
        match tokio::time::timeout(LIMIT, Helper::call(&socket)).await {
            Ok(Ok(helper)) => Forgetting::Helper(helper),
            Ok(Err(error)) => self.skipped(&format!("{}: {error}", socket.display())),
            Err(_) => self.skipped(&format!("{} does not answer", socket.display())),
        }
    }

    fn skipped(&self, why: &str) -> Forgetting {
        log::debug!("{}: no neighbour is forgotten, without CAP_NET_ADMIN: {why}", self.app.name);
        Forgetting::Skipped
    }

    /// Right after it.
    pub(super) async fn forget_neighbours(&self, forgetting: Forgetting, id: &str) {
        if matches!(forgetting, Forgetting::Skipped) {
            return;
        }
        let app = &self.app.name;
        let done = async {
            let addresses = self.agent.engine.addresses(id).await.map_err(io::Error::other)?;
            let Some(address) = addresses.first().copied() else {
                return Ok(None); // the board's own network, or none
            };
            forgetting.forget(address).await.map(|said| Some((address, said)))
        };
        match tokio::time::timeout(LIMIT, done).await {
            Ok(Ok(Some((address, said)))) => log::debug!("{app}: neighbour {address}: {said}"),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => log::debug!("{app}: no neighbour is forgotten: {error}"),
            Err(_) => log::debug!("{app}: no neighbour is forgotten within {LIMIT:?}"),
        }
    }
}

impl Forgetting {
    async fn forget(self, address: IpAddr) -> io::Result<String> {
        match self {
            Self::Itself => {
                // Not on the loop: the engine may hold the kernel's lock of all interfaces just now.
                let worker = Worker::start("neighbour")?;
                let done = worker.run(move |_| neighbour::forget(address)).await;
                let is_gone = done.map_err(|_| io::ErrorKind::BrokenPipe)??;
                Ok(neighbour::said(is_gone).to_owned())
            }
            Self::Helper(helper) => helper.forget(address).await,
            Self::Skipped => Ok(String::new()),
        }
    }
}
