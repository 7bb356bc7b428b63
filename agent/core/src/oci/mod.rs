//! Indexes, manifests and configs as a registry sends them: bytes in, value out.
//!
//! Promise: never panics, whatever the bytes; what is kept of a document is bounded by the
//! constants here, so that a few megabytes of brackets can't become hundreds in memory.
//! Trusts: nothing. Whether bytes are those of a digest is for the caller to check first.
//! Source: OCI image-spec 1.1 (image-index, manifest, config), Docker's "image manifest v2, schema 2".

mod config;
mod document;
mod json;
mod tags;

#[cfg(test)]
mod tests;

use alloc::string::String;
use core::fmt;

use crate::digest::Digest;

pub use config::{ImageConfig, ImageFacts, config};
pub use document::{Descriptor, Document, Index, Manifest, document};
pub use json::{Bounded, Keys};
pub use tags::{complaint, tags};

/// Largest index or manifest read, in bytes: the limit that registries themselves keep.
pub const DOCUMENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Largest image config read, in bytes. Honest ones have up to some 100 KiB; 8 MiB is what containerd takes.
pub const CONFIG_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Deepest nesting of JSON. The formats need 6; a parser's stack stays small.
pub const NESTING_MAX: usize = 64;

/// Most entries of an index. The largest official images have some 40, attestations included.
pub const ENTRIES_MAX: usize = 1024;

/// Most layers of a manifest, and diff ids of a config. Engines take 127.
pub const LAYERS_MAX: usize = 1024;

/// Most items of each list in a config (environment, command, labels, volumes).
pub const ITEMS_MAX: usize = 4096;

/// Largest page of a tag list read, in bytes: 1,000 tags are asked for, some registries send all they have.
pub const TAGS_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Most tags of one page.
pub const TAGS_MAX: usize = 50_000;

/// Longest word kept of a stranger's document for a message, in characters.
const EXCERPT_MAX: usize = 120;

/// Media types that are asked for, all in one `Accept`: a registry then sends what it has, unconverted.
pub const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

/// OCI index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Docker's manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// OCI manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Docker's manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Config of an OCI image.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Config of a Docker image.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// Why bytes are no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OciError {
    /// More bytes than are read.
    TooLarge { bytes: usize, limit: usize },
    /// Brackets within brackets.
    TooDeep { limit: usize },
    /// No JSON, or not of this shape; `text` says where.
    Json { text: String },
    /// Both an index and a manifest: readers would disagree about what it is (GHSA-77vh-xpmg-72qh).
    Ambiguous,
    /// Neither an index nor a manifest.
    Neither { media_type: String },
    /// Docker's schema 1, of before 2016.
    Schema1,
    /// A manifest of something else than a container image.
    NotAnImage { media_type: String },
    /// The digest of what is needed is none that can be checked.
    Digest { text: String },
}

impl fmt::Display for OciError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes, limit } => write!(f, "{bytes} bytes, {limit} are read at most"),
            Self::TooDeep { limit } => write!(f, "JSON nested more than {limit} deep"),
            Self::Json { text } => write!(f, "not of the expected form: {text}"),
            Self::Ambiguous => f.write_str("it claims to be an index and a manifest at once"),
            Self::Neither { media_type } if media_type.is_empty() => {
                f.write_str("neither an index nor a manifest")
            }
            Self::Neither { media_type } => {
                write!(f, "\"{media_type}\" is neither an index nor a manifest")
            }
            Self::Schema1 => f.write_str("a manifest of schema 1, of before 2016"),
            Self::NotAnImage { media_type } => {
                write!(f, "its config is \"{media_type}\", not that of a container image")
            }
            Self::Digest { text } => {
                write!(f, "\"{text}\" is no digest that can be checked (sha256)")
            }
        }
    }
}

impl core::error::Error for OciError {}

/// The start of a stranger's text, without what could move a cursor.
pub fn excerpt(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(EXCERPT_MAX).collect()
}

/// The digest in a stranger's descriptor.
fn digest(text: &str) -> Result<Digest, OciError> {
    text.parse().map_err(|_| OciError::Digest { text: excerpt(text) })
}
