//! Tracks: which tag is wanted.

use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};

/// The rule that says which tag or digest is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Track {
    /// A tag that moves; the one in the reference (`latest` is never assumed).
    Tag(String),
    /// The highest tag within a range of semantic versions, as text that `semver::VersionReq` accepts.
    Semver(String),
    /// The digest in the reference, for ever.
    Pinned,
}

/// Whether `text` is a range of versions, as [`Track::Semver`] holds it.
///
/// # Errors
/// What is wrong with it, in the words of the `semver` crate.
pub fn range(text: &str) -> Result<(), String> {
    semver::VersionReq::parse(text).map(|_| ()).map_err(|error| error.to_string())
}

/// The highest tag that `range` accepts; `None` when there is none.
///
/// Tags may start with `v`. A build suffix counts nothing; a pre-release only matches a range that names one.
pub fn highest<'a>(range: &str, tags: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let range = semver::VersionReq::parse(range).ok()?;
    tags.into_iter()
        .filter_map(|tag| {
            let version = semver::Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()?;
            range.matches(&version).then_some((version, tag))
        })
        .max_by(|a, b| a.0.cmp_precedence(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, tag)| tag)
}

/// Whether `tag` is a version by itself, with or without a leading `v`.
pub fn is_version(tag: &str) -> bool {
    semver::Version::parse(tag.strip_prefix('v').unwrap_or(tag)).is_ok()
}

#[cfg(test)]
mod tests;
