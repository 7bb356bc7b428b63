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

fn is_component(text: &str) -> bool {
    let letter = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let bytes = text.as_bytes();
    let edges =
        bytes.first().copied().is_some_and(letter) && bytes.last().copied().is_some_and(letter);
    let known = bytes.iter().all(|c| letter(*c) || matches!(c, b'.' | b'_' | b'-'));
    // Separators are one '.', one or two '_', any number of '-'.
    edges
        && known
        && !text.contains("..")
        && !text.contains("___")
        && !text.contains("._")
        && !text.contains("_.")
}

fn is_host(text: &str) -> bool {
    let (name, port) = text.rsplit_once(':').map_or((text, None), |(n, p)| (n, Some(p)));
    let good = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'[' | b']' | b':');
    !name.is_empty()
        && name.bytes().all(good)
        && port.is_none_or(|p| p.parse::<u16>().is_ok_and(|n| n > 0))
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
                (first, rest.to_string())
            }
            Some(_) => ("docker.io", name.to_string()),
            None => ("docker.io", alloc::format!("library/{name}")),
        };
        let host = if host == "index.docker.io" { "docker.io" } else { host };
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
