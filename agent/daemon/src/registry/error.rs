//! What can go wrong between here and a registry: values for the program, words for a person.

use std::fmt;
use std::time::Duration;

use titania_core::digest::Digest;
use titania_core::oci::OciError;
use titania_core::reason::{Class, Code, Reason};
use titania_core::release::Release;
use titania_core::time::{Millis, SET_CLOCK, Timestamp};

/// Why no answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The name has no address.
    Dns,
    /// No connection.
    Connect,
    /// No agreement on encryption, or a certificate that is not trusted.
    Tls,
    /// A certificate that begins later than now, by the board's clock, which was not set.
    Clock,
    /// Too slow.
    Timeout,
    /// The connection ended in the middle.
    Broken,
}

/// Why a registry's answer is none, or none that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryError {
    /// No answer came from `host`; `text` is what the network said.
    Unreachable { host: String, cause: NoAnswer, text: String },
    /// 401 or 403.
    Denied {
        host: String,
        what: String,
        status: u16,
        /// Were credentials sent?
        signed_in: bool,
        /// What the registry said.
        text: String,
    },
    /// 429, or 503 with a time.
    RateLimited {
        host: String,
        /// From the answer, at most a day.
        retry_after: Option<Duration>,
    },
    /// The tag or digest is not there.
    NotFound { what: String },
    /// No tag of the repository is within the range.
    NoTag {
        repository: String,
        range: String,
        /// How many tags were looked at.
        tags: usize,
    },
    /// The reference has neither tag nor digest that its track needs.
    NoReference { image: String },
    /// Nothing there for this board.
    NoPlatform { image: String, wanted: String, offered: Vec<String> },
    /// The bytes are not those that were asked for.
    DigestMismatch { what: String, wanted: Digest, found: Digest },
    /// More bytes than any honest answer has.
    TooLarge { what: String, limit: usize },
    /// Indexes within indexes.
    TooDeep { what: String, limit: usize },
    /// A document that can't be read.
    Malformed { what: String, error: OciError },
    /// An answer outside the protocol.
    Protocol { host: String, what: String, text: String },
    /// Another status than the protocol foresees.
    Server { host: String, what: String, status: u16, text: String },
    /// Settings or credentials of `host` that can't be used.
    Settings { host: String, text: String },
}

/// An error, and what was known of the release when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub error: RegistryError,
    /// Facts known so far; all null when nothing was.
    pub release: Release,
}

impl Failure {
    /// Nothing is known of the release.
    pub(super) fn without_release(error: RegistryError) -> Self {
        Self { error, release: Release::default() }
    }

    /// Whether the registry answered and what the track points at can't be taken: a refused
    /// candidate. Else nothing is known of the candidate, and what was known stays.
    pub fn refuses(&self) -> bool {
        let named = self.release.index.is_some() || self.release.manifest.is_some();
        named
            && matches!(
                self.error,
                RegistryError::NoPlatform { .. }
                    | RegistryError::DigestMismatch { .. }
                    | RegistryError::TooLarge { .. }
                    | RegistryError::TooDeep { .. }
                    | RegistryError::Malformed { .. }
            )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "its name was not found",
            Self::Connect => "no connection",
            Self::Tls => "no trusted TLS connection",
            Self::Clock => "its certificate is not valid yet by the board's clock",
            Self::Timeout => "no answer in time",
            Self::Broken => "the connection broke",
        })
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { host, cause, text } => {
                write!(f, "{host} can't be reached: {cause}")?;
                more(f, text)
            }
            Self::Denied { host, what, status, signed_in, text } => {
                let who = if *signed_in {
                    "with the credentials of the settings"
                } else {
                    "without credentials"
                };
                write!(f, "{host} denies {what} {who} ({status})")?;
                more(f, text)
            }
            Self::RateLimited { host, retry_after } => {
                write!(f, "{host} says there were too many requests")?;
                retry_after
                    .map_or(Ok(()), |wait| write!(f, "; it wants none for {} s", wait.as_secs()))
            }
            Self::NotFound { what } => write!(f, "{what} does not exist"),
            Self::NoTag { repository, range, tags } => {
                write!(f, "none of the {tags} tags of {repository} is a version within \"{range}\"")
            }
            Self::NoReference { image } => {
                write!(f, "{image} names no tag or digest that could be asked for")
            }
            Self::NoPlatform { image, wanted, offered } => {
                write!(f, "{image} has no image for {wanted}; it offers ")?;
                if offered.is_empty() {
                    return f.write_str("none at all");
                }
                f.write_str(&offered.join(", "))
            }
            Self::DigestMismatch { what, wanted, found } => {
                write!(f, "{what} should be {wanted}, but its bytes are {found}")
            }
            Self::TooLarge { what, limit } => {
                write!(f, "{what} is larger than {limit} bytes, the most that is read of one")
            }
            Self::TooDeep { what, limit } => {
                write!(f, "{what} has indexes nested more than {limit} deep")
            }
            Self::Malformed { what, error } => write!(f, "{what} can't be read: {error}"),
            Self::Protocol { host, what, text } => {
                write!(f, "{host} answered {what} against the protocol: {text}")
            }
            Self::Server { host, what, status, text } => {
                write!(f, "{host} answered {what} with status {status}")?;
                more(f, text)
            }
            Self::Settings { host, text } => write!(f, "settings of registry {host}: {text}"),
        }
    }
}

fn more(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    if text.is_empty() {
        return Ok(());
    }
    write!(f, ": {text}")
}

impl std::error::Error for RegistryError {}

impl RegistryError {
    /// The same, as it stands in a status document. `file` in a hint is the app's definition.
    pub fn reason(&self, at: Timestamp) -> Reason {
        let (code, class) = self.code();
        Reason::new(code, class, self.to_string(), self.hint(), at)
    }

    fn code(&self) -> (Code, Class) {
        match self {
            // The clock was not set, and a certificate begins later: the clock first.
            Self::Unreachable { cause: NoAnswer::Clock, .. } => {
                (Code::ClockUnsynced, Class::Environment)
            }
            Self::Unreachable { .. } | Self::Protocol { .. } | Self::Server { .. } => {
                (Code::RegistryUnreachable, Class::Environment)
            }
            Self::Denied { .. } => (Code::RegistryDenied, Class::Config),
            Self::RateLimited { .. } => (Code::RateLimited, Class::Environment),
            Self::NotFound { .. } | Self::NoTag { .. } => (Code::ImageMissing, Class::Config),
            Self::NoReference { .. } | Self::Settings { .. } => {
                (Code::ConfigInvalid, Class::Config)
            }
            Self::NoPlatform { .. } => (Code::NoPlatform, Class::Release),
            // Bytes on their way here were changed: by whom can't be told, the release is not condemned for it.
            Self::DigestMismatch { .. } => (Code::DigestMismatch, Class::Environment),
            Self::TooLarge { .. } | Self::TooDeep { .. } | Self::Malformed { .. } => {
                (Code::ImageDamaged, Class::Release)
            }
        }
    }

    /// What a person can do about it; empty where there is nothing to do but wait.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreachable { host, cause, text } => unreachable_hint(host, *cause, text),
            Self::Denied {
                host, signed_in, ..
            } => {
                if *signed_in {
                    format!(
                        "in agent.toml, [[registry]] host = \"{host}\": check the credentials and what they may read; a repository that does not exist is denied as well"
                    )
                } else {
                    format!(
                        "in agent.toml, add [[registry]] host = \"{host}\" with auth = \"/path/of/config.json\", or user and password_file; a repository that does not exist is denied as well"
                    )
                }
            }
            Self::RateLimited { host, .. } => format!(
                "it is asked again by itself; with credentials for {host} or a longer poll in agent.toml this is rarer"
            ),
            Self::NotFound { .. } => {
                "in apps.d/<app>.toml, check image; or push that tag".to_owned()
            }
            Self::NoTag { repository, .. } => format!(
                "in apps.d/<app>.toml, check track.semver; or push a tag such as {repository}:1.2.3"
            ),
            Self::NoReference { .. } => {
                "in apps.d/<app>.toml, write image = \"repository:tag\" or \"repository@sha256:…\", or a bare repository with track".to_owned()
            }
            Self::NoPlatform { wanted, .. } => format!(
                "in apps.d/<app>.toml, name an image or tag that has {wanted}; or have its makers push one for {wanted}"
            ),
            Self::DigestMismatch { .. } => {
                "a proxy or the registry's storage changed it on the way: push the image again, or look at what lies between; it is asked again by itself".to_owned()
            }
            Self::TooLarge { .. } | Self::TooDeep { .. } | Self::Malformed { .. } => {
                "it is no container image that an engine could run: push it again with docker push or skopeo copy".to_owned()
            }
            Self::Protocol { host, .. } | Self::Server { host, .. } => format!(
                "see whether {host} is a registry (distribution API v2) and not a web page or a proxy; it is asked again by itself"
            ),
            Self::Settings { host, .. } => {
                format!("in agent.toml, [[registry]] host = \"{host}\"")
            }
        }
    }

    /// How long the registry wants to be left alone.
    pub fn retry_after(&self) -> Option<Millis> {
        match self {
            Self::RateLimited { retry_after, .. } => {
                retry_after.map(|wait| Millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
            }
            _ => None,
        }
    }

    /// Whether the board's clock is at fault: that may be set any moment.
    pub fn is_of_clock(&self) -> bool {
        matches!(self, Self::Unreachable { cause: NoAnswer::Clock, .. })
    }

    /// Whether it follows from bytes that were verified, so that it stays until the tag moves.
    pub(super) fn is_of_content(&self) -> bool {
        matches!(self, Self::NoPlatform { .. } | Self::TooDeep { .. } | Self::Malformed { .. })
    }

    /// Whether the host as a whole is out of order, so that asking it for something else is no use now.
    pub(super) fn is_of_host(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::RateLimited { .. } => true,
            Self::Server { status, .. } => *status >= 500,
            _ => false,
        }
    }
}

fn unreachable_hint(host: &str, cause: NoAnswer, text: &str) -> String {
    match cause {
        NoAnswer::Dns => {
            format!("check the board's network and name servers; or the spelling of {host}")
        }
        NoAnswer::Clock => SET_CLOCK.to_owned(),
        NoAnswer::Tls if text.contains("xpired") => {
            format!("check the board's clock, then the certificate of {host}")
        }
        NoAnswer::Tls
            if text.contains("handshake eof")
                || text.contains("InvalidContentType")
                || text.contains("corrupt message") =>
        {
            format!(
                "it does not seem to speak TLS: in agent.toml, [[registry]] host = \"{host}\", plain_http = true, if it lies on a network of your own"
            )
        }
        NoAnswer::Tls => format!(
            "in agent.toml, [[registry]] host = \"{host}\", ca = \"/path/of/ca.pem\" names the certificate that signed its own"
        ),
        NoAnswer::Connect | NoAnswer::Timeout | NoAnswer::Broken => {
            format!(
                "check the board's network and whether {host} runs; it is asked again by itself"
            )
        }
    }
}
