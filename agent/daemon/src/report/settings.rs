//! Where the broker is, and as whom it is spoken to. Parsed once; the files named here are read at each connection.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Port of MQTT (OASIS MQTT 3.1.1, §4.2).
const PORT_PLAIN: u16 = 1883;
/// Port of MQTT over TLS (OASIS MQTT 3.1.1, §4.2).
const PORT_TLS: u16 = 8883;

/// `mqtt://host[:port]` or `mqtts://host[:port]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Name or address; an IPv6 address in its brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `mqtts`?
    pub tls: bool,
}

/// Why a text is no address of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// Neither `mqtt://` nor `mqtts://`.
    Scheme(String),
    /// No host, or characters that no host has.
    Host(String),
    /// No number between 1 and 65535.
    Port(String),
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme(url) => write!(
                f,
                "\"{url}\" is no broker's address: write mqtt://host:port or mqtts://host:port"
            ),
            Self::Host(host) => write!(
                f,
                "\"{host}\" is no host: write mqtt://host:port, user and password have keys of their own"
            ),
            Self::Port(port) => write!(f, "\"{port}\" is no port: 1 to 65535"),
        }
    }
}

impl std::error::Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(url: &str) -> Result<Self, AddressError> {
        let shown = |text: &str| text.chars().take(80).collect::<String>();
        let (tls, rest) = match (url.strip_prefix("mqtt://"), url.strip_prefix("mqtts://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            (None, None) => return Err(AddressError::Scheme(shown(url))),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // Past the brackets of an IPv6 address the last colon is the port's.
        let from = rest.rfind(']').unwrap_or(0);
        let (host, port) = match rest.get(from..).and_then(|tail| tail.rfind(':')) {
            Some(colon) => rest.split_at(from + colon),
            None => (rest, ""),
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => match digits.parse::<u16>() {
                Ok(port) if port > 0 => port,
                _ => return Err(AddressError::Port(shown(digits))),
            },
            None if tls => PORT_TLS,
            None => PORT_PLAIN,
        };
        let inner = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let is_host = match inner {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                (1..=253).contains(&host.len())
                    && host
                        .bytes()
                        .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_'))
            }
        };
        if !is_host {
            return Err(AddressError::Host(shown(host)));
        }
        Ok(Self {
            host: host.to_string(),
            port,
            tls,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
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
        Self {
            first: Duration::from_secs(10),
            longest: Duration::from_secs(15 * 60),
        }
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
    /// File that holds the password; one newline at its end is not part of it.
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
