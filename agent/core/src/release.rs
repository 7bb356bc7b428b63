//! What an app can run.

use alloc::string::String;
use core::cmp::Ordering;

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

    /// Whether it is older than `other`: by their versions where both have one, else, or where those are equal, by
    /// the time they were made. What can't be compared, or comes from another repository, is not older.
    pub fn is_older_than(&self, other: &Self) -> bool {
        if self.is(other) || self.repository != other.repository {
            return false;
        }
        let parse = |release: &Self| {
            let text = release.version.as_deref()?;
            semver::Version::parse(text.strip_prefix('v').unwrap_or(text)).ok()
        };
        let versions = match (parse(self), parse(other)) {
            (Some(own), Some(other)) => own.cmp_precedence(&other),
            _ => Ordering::Equal,
        };
        match (versions, self.created, other.created) {
            (Ordering::Less, ..) => true,
            (Ordering::Equal, Some(own), Some(other)) => own < other,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(config: u8, version: Option<&str>, created: Option<i64>) -> Release {
        Release {
            repository: Some("registry.local/app".into()),
            version: version.map(Into::into),
            config: Some(Digest::from_raw([config; 32])),
            created: created.map(Timestamp),
            ..Release::default()
        }
    }

    #[test]
    fn what_is_older_by_table() {
        let day = 86_400_000;
        for (new, current, want) in [
            ((Some("1.0.0"), None), (Some("1.1.0"), None), true),
            ((Some("1.2.0"), Some(1)), (Some("1.1.0"), Some(day)), false),
            ((Some("v1.0.0"), None), (Some("1.1.0"), None), true),
            ((Some("1.1.0-rc.1"), None), (Some("1.1.0"), None), true),
            ((Some("1.1.0+b"), None), (Some("1.1.0"), None), false),
            ((Some("1.1.0"), Some(1)), (Some("1.1.0"), Some(2)), true),
            ((Some("1.1.0"), Some(2)), (Some("1.1.0"), Some(2)), false),
            ((None, Some(1)), (None, Some(2)), true),
            ((None, Some(3)), (None, Some(2)), false),
            ((None, None), (None, Some(2)), false),
            ((Some("nightly"), Some(1)), (Some("1.0.0"), Some(2)), true),
            ((Some("nightly"), None), (Some("1.0.0"), None), false),
        ] {
            let (a, b) = (release(1, new.0, new.1), release(2, current.0, current.1));
            assert_eq!(a.is_older_than(&b), want, "{new:?} after {current:?}");
        }
        let (a, mut b) = (release(1, Some("1.0.0"), None), release(2, Some("2.0.0"), None));
        b.repository = Some("registry.local/other".into());
        assert!(!a.is_older_than(&b), "another repository has its own numbers");
        assert!(!a.is_older_than(&release(1, Some("2.0.0"), None)), "the same release");
    }
}
