//! What an app can run.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::time::Timestamp;

/// Where a release came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A registry.
    #[default]
    Registry,
    /// An archive that a person brought.
    Archive,
}

/// A release. Its identity is the config digest; all else are facts about it, null where unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Release {
    /// Repository with its host, `docker.io/library/x`.
    pub repository: Option<String>,
    /// Tag that pointed at it.
    pub tag: Option<String>,
    /// `org.opencontainers.image.version`, or the tag where that is a version.
    pub version: Option<String>,
    /// Config digest: the identity. Null only for a candidate refused before it was known.
    pub config: Option<Digest>,
    /// Digest of the platform's manifest.
    pub manifest: Option<Digest>,
    /// Digest of the index it was chosen from.
    pub index: Option<Digest>,
    /// `os/arch[/variant]` of the chosen entry.
    pub platform: Option<String>,
    /// Creation time of the image config.
    pub created: Option<Timestamp>,
    /// Bytes of its compressed layers, as the manifest says.
    pub download_bytes: Option<u64>,
    /// Where it came from.
    pub source: Source,
}

impl Release {
    /// Whether both are the same release: equal, known config digests.
    pub fn is(&self, other: &Self) -> bool {
        self.config.is_some() && self.config == other.config
    }
}
