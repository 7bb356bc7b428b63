//! What the settings say of a registry, and how long anything may take.

use std::path::PathBuf;
use std::time::Duration;

/// One `[[registry]]` of the settings. A host without one is asked over https, without credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostSettings {
    /// Host with optional port, as references name it: `docker.io`, `registry.local:5000`.
    pub host: String,
    /// A Docker `config.json` with credentials.
    pub auth: Option<PathBuf>,
    /// User name; needs `password_file`. Wins over `auth`.
    pub user: Option<String>,
    /// File whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// PEM file with certificates that are trusted beside the system's.
    pub ca: Option<PathBuf>,
    /// Speak http to it, unencrypted.
    pub plain_http: bool,
}

/// How long each part of a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP connection to one address of the host. A board behind a slow modem needs seconds, not minutes.
    pub connect: Duration,
    /// From the request to the headers of its answer; look-up, connection and TLS are in it.
    pub header: Duration,
    /// Longest pause between two pieces of a body.
    pub stall: Duration,
    /// A whole body: 4 MiB at 35 kB/s.
    pub body: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            header: Duration::from_secs(30),
            stall: Duration::from_secs(30),
            body: Duration::from_secs(120),
        }
    }
}
