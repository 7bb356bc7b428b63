//! Where the broker is, and as whom it is spoken to. The text was parsed by the
//! configuration; the files named here are read at each connection.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where the broker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Name or address, an IPv6 one without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `mqtts`?
    pub tls: bool,
}

impl Address {
    /// The host as it stands before `:port`.
    pub(super) fn host_in_url(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        write!(f, "{scheme}://{}:{}", self.host_in_url(), self.port)
    }
}

/// How long is waited between two tries to connect: from `first`, doubling to `longest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// Never longer.
    pub longest: Duration,
}

impl Default for Backoff {
    /// DESIGN §5: from 10 s, doubling to 15 min.
    fn default() -> Self {
        Self { first: Duration::from_secs(10), longest: Duration::from_secs(15 * 60) }
    }
}

/// Everything the connection needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttSettings {
    /// Where the broker is.
    pub address: Address,
    /// Board id: the client id is made of it, so that two agents of one board can't be connected at once.
    pub board: String,
    /// All of the topics' beginning, board id included, no slash at its end: `titania/<board>`.
    pub prefix: String,
    /// User name.
    pub user: Option<String>,
    /// File whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// Certificates that are trusted beside the system's (PEM).
    pub ca: Option<PathBuf>,
    /// The board's own certificate (PEM).
    pub client_cert: Option<PathBuf>,
    /// Its key (PEM).
    pub client_key: Option<PathBuf>,
    /// Between two messages on `metrics`; zero: none.
    pub metrics: Duration,
    /// Between two tries to connect.
    pub backoff: Backoff,
}
