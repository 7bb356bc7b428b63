//! From a digest to the image for one board: index, manifest, config, each verified against the digest that named it.

use std::rc::Rc;

use titania_core::digest::Digest;
use titania_core::oci::{self, Descriptor, Document, ImageConfig, Index, Manifest};
use titania_core::platform::{Entry, Platform, choose};
use titania_core::reference::Repository;
use titania_core::release::{Release, Source};
use titania_core::track;

use super::client::{Answer, Host, malformed, named};
use super::error::RegistryError;
use super::redirect::verified;
use super::token::Auth;
use super::{Clock, Resolved, headers};

/// Indexes within indexes that are followed: none in the field needs more than two.
const INDEXES_MAX: usize = 3;

/// Most documents fetched for one candidate.
const FETCHES_MAX: usize = 16;

/// Longest version kept of a label, in characters.
const VERSION_MAX: usize = 128;

/// Platforms named in a message at most.
const OFFERED_MAX: usize = 16;

/// What a tag or a digest points at.
pub(super) struct Top {
    /// Its digest: of bytes read, or as the registry named it, to be verified.
    pub digest: Digest,
    answer: Option<Answer>,
}

impl Top {
    /// A digest; its bytes are not read yet.
    pub(super) fn named(digest: Digest) -> Self {
        Self { digest, answer: None }
    }

    /// Bytes read by tag, from a registry that answers no HEAD.
    pub(super) fn read(answer: Answer) -> Self {
        Self { digest: Digest::of(&answer.bytes), answer: Some(answer) }
    }
}

/// One candidate being looked up.
pub(super) struct Walk<'a> {
    pub host: &'a Host,
    pub auth: &'a mut Auth,
    pub clock: &'a Clock,
    pub repository: &'a Repository,
    /// In words.
    pub image: String,
    pub board: &'a Platform,
    /// What the tag pointed at before: what did not move is not fetched again.
    pub known: Option<Rc<Resolved>>,
    pub fetches: usize,
    /// Facts, filled in as they are found, so that a refusal names them.
    pub release: Release,
}

/// What the index says of a manifest.
struct Offer<'a> {
    platform: Option<&'a Platform>,
    version: Option<&'a str>,
    reason: &'a str,
}

impl Walk<'_> {
    /// Follows what a tag points at.
    pub(super) async fn start(&mut self, top: Top) -> Result<Resolved, RegistryError> {
        let digest = top.digest;
        // What it is is not known yet, but a refusal must be able to name it.
        self.release.index = Some(digest);
        let document = match top.answer {
            Some(answer) => {
                if let Some(said) = headers::content_digest(&answer.headers) {
                    verified(&answer.bytes, &said, &self.image)?;
                }
                self.parse(&answer, &self.image)?
            }
            None => self.fetch(&digest).await?,
        };
        match document {
            Document::Index(index) => {
                let known = self.known.clone();
                let mut found = self.descend(&index, 1).await?;
                let before = known.as_ref().and_then(|known| known.release.index);
                let same =
                    known.is_some_and(|known| known.release.manifest == found.release.manifest);
                found.index_before = before.filter(|before| same && *before != digest);
                Ok(found)
            }
            Document::Manifest(manifest) => {
                self.release.index = None;
                let offer = Offer { platform: None, version: None, reason: "" };
                self.image(&digest, manifest, &offer).await
            }
        }
    }

    /// The image for the board within an index.
    async fn descend(&mut self, index: &Index, depth: usize) -> Result<Resolved, RegistryError> {
        let choice =
            choose(&index.offers, self.board).map_err(|none| self.no_platform(none.offered))?;
        let mut offered = Vec::new();
        for place in std::iter::once(choice.place).chain(choice.further) {
            let (Some(entry), Some(offer)) = (index.entries.get(place), index.offers.get(place))
            else {
                continue;
            };
            if self.fetches >= FETCHES_MAX {
                break; // entries that name no platform, one after the other
            }
            match self.entry(index, entry, offer, depth, &choice.reason).await {
                Err(RegistryError::NoPlatform { offered: more, .. }) => offered.extend(more),
                other => return other,
            }
        }
        Err(self.no_platform(offered))
    }

    /// What one entry of an index points at.
    async fn entry(
        &mut self,
        index: &Index,
        entry: &Descriptor,
        offer: &Entry,
        depth: usize,
        reason: &str,
    ) -> Result<Resolved, RegistryError> {
        let offer =
            Offer { platform: offer.platform.as_ref(), version: index.version.as_deref(), reason };
        if let Some(known) = self.known_as(|known| known.manifest == Some(entry.digest)) {
            return Ok(self.again(&known, &offer));
        }
        match self.fetch(&entry.digest).await? {
            Document::Manifest(manifest) => self.image(&entry.digest, manifest, &offer).await,
            Document::Index(_) if depth == INDEXES_MAX => {
                Err(RegistryError::TooDeep { what: self.image.clone(), limit: INDEXES_MAX })
            }
            Document::Index(inner) => Box::pin(self.descend(&inner, depth + 1)).await,
        }
    }

    /// A manifest and its config.
    async fn image(
        &mut self,
        digest: &Digest,
        manifest: Manifest,
        offer: &Offer<'_>,
    ) -> Result<Resolved, RegistryError> {
        self.release.manifest = Some(*digest);
        self.release.config = Some(manifest.config.digest);
        self.release.download_bytes = Some(manifest.download_bytes());
        self.release.platform = offer.platform.map(ToString::to_string);
        let config = self.config(&manifest.config.digest).await?;
        let mut reason = offer.reason.to_owned();
        match offer.platform {
            Some(_) if self.board.accepts(&config.platform).is_none() => {
                reason.push_str(&format!("; its own config says {}", config.platform));
            }
            Some(_) => {}
            None => {
                let own = Entry { platform: Some(config.platform.clone()), ..Entry::default() };
                let choice = choose(std::slice::from_ref(&own), self.board)
                    .map_err(|none| self.no_platform(none.offered))?;
                reason = if reason.is_empty() {
                    choice.reason
                } else {
                    format!("{reason}: {}", choice.reason)
                };
                self.release.platform = Some(config.platform.to_string());
            }
        }
        self.release.created = config.created;
        let tag = self.release.tag.as_deref().filter(|tag| track::is_version(tag));
        self.release.version =
            [config.version.as_deref(), manifest.version.as_deref(), offer.version, tag]
                .into_iter()
                .flatten()
                .find(|version| !version.is_empty())
                .map(|version| {
                    version.chars().filter(|c| !c.is_control()).take(VERSION_MAX).collect()
                });
        self.release.source = Source::Registry;
        Ok(Resolved {
            release: self.release.clone(),
            facts: config.facts,
            layers: manifest.layers,
            platform_reason: reason,
            index_before: None,
        })
    }

    /// What is known already, under another index.
    fn again(&mut self, known: &Resolved, offer: &Offer<'_>) -> Resolved {
        self.release = Release {
            index: self.release.index,
            tag: self.release.tag.clone(),
            ..known.release.clone()
        };
        Resolved {
            release: self.release.clone(),
            platform_reason: if offer.platform.is_some() {
                offer.reason.to_owned()
            } else {
                known.platform_reason.clone()
            },
            ..known.clone()
        }
    }

    fn known_as(&self, is: impl Fn(&Release) -> bool) -> Option<Rc<Resolved>> {
        self.known.clone().filter(|known| is(&known.release))
    }

    async fn fetch(&mut self, digest: &Digest) -> Result<Document, RegistryError> {
        self.fetches += 1;
        let reference = digest.to_string();
        let what = named(self.repository, &reference);
        let answer = self.host.manifest(self.auth, self.repository, &reference, self.clock).await?;
        verified(&answer.bytes, digest, &what)?;
        self.parse(&answer, &what)
    }

    fn parse(&self, answer: &Answer, what: &str) -> Result<Document, RegistryError> {
        oci::document(&answer.bytes, headers::content_type(&answer.headers))
            .map_err(|error| malformed(what, error))
    }

    async fn config(&mut self, digest: &Digest) -> Result<ImageConfig, RegistryError> {
        self.fetches += 1;
        let limit = oci::CONFIG_BYTES_MAX;
        let bytes = self.host.blob(self.auth, self.repository, digest, limit, self.clock).await?;
        oci::config(&bytes)
            .map_err(|error| malformed(&named(self.repository, &digest.to_string()), error))
    }

    fn no_platform(&self, mut offered: Vec<String>) -> RegistryError {
        offered.dedup();
        let more = offered.len().saturating_sub(OFFERED_MAX);
        offered.truncate(OFFERED_MAX);
        if more > 0 {
            offered.push(format!("{more} more"));
        }
        RegistryError::NoPlatform {
            image: self.image.clone(),
            wanted: self.board.to_string(),
            offered,
        }
    }
}
