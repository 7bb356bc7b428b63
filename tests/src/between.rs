//! Proxies of a board: between the agent and its engine, and before its registry.
//!
//! Promise: the agent is led past the engine's proxy, straight to the engine, unless [`Between::lead`] says
//! otherwise: whether a socket takes connections is then the engine's own doing. Pushes go past the registry's.

use crate::proxy::{Proxy, Side};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Both proxies.
pub struct Between {
    link: PathBuf,
    direct: PathBuf,
    engine: Proxy,
    registry: Proxy,
}

impl Between {
    pub(crate) fn start(folder: &Path, engine: PathBuf, registry: (u16, u16)) -> Self {
        let link = folder.join("engine-link.sock");
        symlink(&engine, &link).expect("a link can be made on the board");
        let front = Side::Unix(folder.join("engine-proxy.sock"));
        let [front_port, back_port] =
            [registry.0, registry.1].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        Self {
            link,
            direct: engine.clone(),
            engine: Proxy::start(front, Side::Unix(engine)),
            registry: Proxy::start(Side::Tcp(front_port), Side::Tcp(back_port)),
        }
    }

    /// The path of the engine's socket for the agent's settings.
    pub(crate) fn socket(&self) -> &Path {
        &self.link
    }

    /// Leads the agent's next calls through the engine's proxy, or past it.
    pub fn lead(&self, through: bool) {
        let to = if through { self.engine.socket() } else { None };
        let fresh = self.link.with_extension("new");
        let _ = std::fs::remove_file(&fresh);
        symlink(to.unwrap_or(&self.direct), &fresh).expect("a link can be made on the board");
        rustix::fs::rename(&fresh, &self.link).expect("a link can take another's place");
    }

    /// The proxy before the engine.
    pub fn engine(&self) -> &Proxy {
        &self.engine
    }

    /// The proxy before the registry, for engine and agent.
    pub fn registry(&self) -> &Proxy {
        &self.registry
    }
}
