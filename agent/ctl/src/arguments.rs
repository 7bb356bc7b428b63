//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Shows what the agent keeps running on this board, and tells it what to do.
#[derive(Debug, Parser)]
#[command(
    name = "agentctl",
    version,
    after_help = "Exit codes: 0 well, 1 failed, 2 usage, 3 (status) an app is degraded, blocked or \
                  unknown, or the engine is not ready, 4 the agent is not reachable."
)]
pub(crate) struct Arguments {
    /// The agent's control socket, else TITANIA_SOCKET, else the one in the settings ([paths] socket)
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// The settings, /etc/titania-agent/agent.toml where none is named; agent.d lies beside them
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What runs, since when, what comes next, what went wrong and what to do about it
    Status {
        /// One app, with more about it
        app: Option<String>,
        /// The whole document
        #[arg(long)]
        json: bool,
    },
    /// Ask the registry at once, and take what is there
    Update {
        /// One app; all of them where none is named
        app: Option<String>,
        #[command(flatten)]
        wait: Wait,
    },
    /// Go back to the previous release
    Rollback {
        /// Which app
        app: String,
        /// With the state as the previous release left it; today's is kept as a snapshot
        #[arg(long, conflicts_with = "keep_state")]
        old_state: bool,
        /// With a copy of today's state
        #[arg(long)]
        keep_state: bool,
        #[command(flatten)]
        wait: Wait,
    },
    /// Forget that a release failed, and try it again
    Retry {
        /// Which app
        app: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Stop an app and keep it stopped, over restarts of the board too
    Stop {
        /// Which app
        app: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Start an app that was stopped
    Start {
        /// Which app
        app: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Settle whose board this is, when state folder and volumes disagree
    Adopt {
        #[command(flatten)]
        wait: Wait,
    },
    /// The copies of an app's state that are kept: of which release, how large, why, and which one is in use
    Snapshots {
        /// One app; all of them where none is named
        app: Option<String>,
        /// The whole document
        #[arg(long)]
        json: bool,
    },
    /// Keep an app's state as it is now: the app is stopped, and goes on with a copy
    ///
    /// A state is whole only while nobody writes to it. So the app goes through an update to the release it has: it is
    /// stopped, its state is copied, and it is started on the copy, on which it must prove itself like a new release;
    /// otherwise it goes back. It is down for as long as in an update. What it had is kept, untouched, as one of the
    /// [disk] keep copies, newest first.
    Snapshot {
        /// Which app
        app: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Run an app on a copy of a kept state
    ///
    /// The release stays the one that it has. It is stopped and started on a new copy of that state, and must prove
    /// itself there like a new release; otherwise it goes back. The kept state is only read. The one that the app has
    /// now is kept as well: agentctl restore with its number goes back to it.
    Restore {
        /// Which app
        app: String,
        /// Number of the fork, as agentctl snapshots shows it
        fork: u64,
        #[command(flatten)]
        wait: Wait,
    },
    /// Delete an app's containers, images, state and data for good
    ///
    /// Only of an app that is stopped or has no definition. Folders of others that it mounts stay (source of a data
    /// volume, mounts). An app that is still defined stays stopped; agentctl start installs it anew.
    Purge {
        /// Which app
        app: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        wait: Wait,
    },
    /// What updates there were and how they ended, newest first
    History {
        /// One app; all of them where none is named
        app: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// The whole document
        #[arg(long)]
        json: bool,
    },
    /// Look for what keeps the agent from its work, whether it runs or not, and say what to do about it
    Doctor {
        /// The whole document
        #[arg(long)]
        json: bool,
    },
    /// Check the settings and all definitions, without the agent
    Check,
}

/// Whether to wait.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Wait {
    /// Return as soon as the agent has taken it
    #[arg(long)]
    pub(crate) no_wait: bool,
}
