//! What containers there are, and what the engine says of each.

use std::net::IpAddr;

use titania_core::digest::Digest;
use titania_core::names::{AppName, Generation, StartedAt};
use titania_core::status::ContainerState;

/// One container with this board's instance label, as inspect shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Engine's id.
    pub id: String,
    /// Its name, without the slash.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// State; a word this agent does not know is `Unknown`.
    pub state: ContainerState,
    /// Is there a process of its pid? False only on proof: a container called running whose process is gone.
    pub alive: bool,
    /// Pid on the board; null when there is none.
    pub pid: Option<u32>,
    /// When it was last started, as the engine wrote it; null: never.
    pub started_at: Option<StartedAt>,
    /// When it last ended, as the engine wrote it; null: never.
    pub finished_at: Option<String>,
    /// Exit code of its last run, or what a refused start left (126, 127, 128); means nothing after an engine crash.
    pub exit_code: i64,
    /// What the engine says went wrong; empty when nothing.
    pub error: String,
    /// Did the kernel kill it for memory?
    pub oom_killed: bool,
    /// Has it the restart policy of a committed one, `unless-stopped`?
    pub armed: bool,
    /// Restarts by the engine since its own start.
    pub restarts: u64,
    /// `uid:gid` it runs as.
    pub user: String,
    /// Address in each network; empty unless it runs on a network of its own.
    pub addresses: Vec<(String, IpAddr)>,
    /// `NetworkMode`: `titania`, `host`, `none`, a name.
    pub network: String,
    /// Answer of the image's HEALTHCHECK; null unless it runs and has one.
    pub health: Option<HealthCheck>,
    /// Image id it was made from.
    pub image: String,
}

/// What a container of this board is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// One generation of an app.
    App {
        /// App.
        app: AppName,
        /// Generation.
        generation: Generation,
        /// Config digest of its release; null when the label is none.
        config: Option<Digest>,
        /// Hash of its definition; null when the label is none.
        definition: Option<Digest>,
    },
    /// A throw-away one, `<app>-probe`: instance label alone. One that is left over is to be removed.
    Throwaway,
    /// App or generation label can't be read: left alone.
    Unreadable,
}

/// Answer of the image's HEALTHCHECK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HealthCheck {
    /// Not known yet.
    Starting,
    /// Passed.
    Healthy,
    /// Failed so many times in a row.
    Unhealthy,
}
