//! Image references as the field writes them.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// A repository with its host: `docker.io/library/alpine` (distribution-spec, "name").
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Repository {
    /// Registry host with optional port; `docker.io` where none was written.
    pub host: String,
    /// Path below it, `library/` filled in for docker.io.
    pub path: String,
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

/// `repository[:tag][@digest]`, normalised. A bare repository keeps `tag` and `digest` empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    /// Host and path.
    pub repository: Repository,
    /// Tag, where one was written.
    pub tag: Option<String>,
    /// Digest, where one was written.
    pub digest: Option<Digest>,
}

/// Why a text is no reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceError {
    /// Nothing there.
    Empty,
    /// Longer than any registry takes.
    TooLong(usize),
    /// The path has a bad component.
    Path(String),
    /// The host has a bad character.
    Host(String),
    /// The tag has a bad character or length.
    Tag(String),
    /// The digest is none.
    Digest(crate::digest::DigestError),
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an image reference is missing"),
            Self::TooLong(n) => {
                write!(f, "a repository name has at most 255 characters, this one {n}")
            }
            Self::Path(part) => write!(
                f,
                "\"{part}\" is no part of a repository: lower-case letters, digits, single '.', '_', '-' between them"
            ),
            Self::Host(host) => write!(f, "\"{host}\" is no registry host"),
            Self::Tag(tag) => write!(
                f,
                "\"{tag}\" is no tag: letters, digits, '_', '.', '-', at most 128, not starting with '.' or '-'"
            ),
            Self::Digest(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ReferenceError {}

/// Whether `text` is a tag (distribution-spec: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`).
pub fn is_tag(text: &str) -> bool {
    let word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|c| word(c) || c == b'.' || c == b'-')
}

/// distribution-spec: letters and digits, between them one `.`, one or two `_`, or any number of `-`.
fn is_component(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separator = |part: &str| {
        matches!(part, "." | "_" | "__") || (!part.is_empty() && part.bytes().all(|c| c == b'-'))
    };
    let edge = |c: Option<char>| c.is_some_and(letter);
    edge(text.chars().next())
        && edge(text.chars().last())
        && text.split(letter).all(|part| part.is_empty() || separator(part))
}

/// `name[:port]` or `[v6 address][:port]`.
fn is_host(text: &str) -> bool {
    let (name, port, is_v6) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => (address, port, true),
            None => return false,
        },
        None => match text.split_once(':') {
            Some((name, port)) => (name, text.get(name.len()..).unwrap_or(port), false),
            None => (text, "", false),
        },
    };
    let is_port = |port: &str| {
        let digits = port.bytes().all(|c| c.is_ascii_digit());
        digits && port.parse::<u16>().is_ok_and(|n| n > 0)
    };
    let label = |part: &str| {
        let edge = |c: Option<&u8>| c.is_some_and(u8::is_ascii_alphanumeric);
        let inner = |c: &u8| c.is_ascii_alphanumeric() || *c == b'-';
        let bytes = part.as_bytes();
        edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner)
    };
    let good_name = if is_v6 {
        name.parse::<core::net::Ipv6Addr>().is_ok()
    } else {
        name.split('.').all(label)
    };
    good_name && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

impl FromStr for Reference {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse().map_err(ReferenceError::Digest)?)),
            None => (text, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (name, None),
        };
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(ReferenceError::Tag(tag.chars().take(140).collect()));
        }
        let (host, path) = match name.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => {
                (first, rest)
            }
            _ => ("docker.io", name),
        };
        let host = match host {
            "index.docker.io" => "docker.io",
            other => other,
        };
        // Docker Hub alone has repositories without a name before them: its own.
        let path = if host == "docker.io" && !path.contains('/') {
            alloc::format!("library/{path}")
        } else {
            path.to_string()
        };
        if !is_host(host) {
            return Err(ReferenceError::Host(host.chars().take(140).collect()));
        }
        if host.len() + 1 + path.len() > 255 {
            return Err(ReferenceError::TooLong(host.len() + 1 + path.len()));
        }
        if let Some(bad) = path.split('/').find(|part| !is_component(part)) {
            return Err(ReferenceError::Path(bad.to_string()));
        }
        Ok(Self {
            repository: Repository { host: host.to_string(), path },
            tag: tag.map(ToString::to_string),
            digest,
        })
    }
}

impl TryFrom<String> for Reference {
    type Error = ReferenceError;
    fn try_from(text: String) -> Result<Self, ReferenceError> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.repository.fmt(f)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests;
