//! What a tag or a digest points at: an index of manifests, or one manifest.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::json::{self, Bounded};
use super::{
    DOCKER_CONFIG, DOCKER_LIST, DOCKER_MANIFEST, DOCUMENT_BYTES_MAX, ENTRIES_MAX, LAYERS_MAX,
    OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, OciError, digest, excerpt,
};
use crate::digest::Digest;
use crate::platform::{Entry, Platform};

/// Most `os.features` of an entry; only Windows has any.
const FEATURES_MAX: usize = 16;

/// A pointer to other bytes (OCI image-spec, descriptor).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// What they are; empty where it does not say.
    pub media_type: String,
    /// Their digest.
    pub digest: Digest,
    /// How many there are.
    pub size: u64,
}

/// An OCI index or a Docker manifest list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its entries, in its order. One whose digest is no sha256 is left out: it can't be checked.
    pub entries: Vec<Descriptor>,
    /// What each entry is for: as many, in the same order.
    pub offers: Vec<Entry>,
    /// `org.opencontainers.image.version` of its annotations.
    pub version: Option<String>,
}

/// An OCI or Docker manifest of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The image config: its digest is the release's identity.
    pub config: Descriptor,
    /// Layers, the lowest first.
    pub layers: Vec<Descriptor>,
    /// `org.opencontainers.image.version` of its annotations.
    pub version: Option<String>,
}

/// What `manifests/<reference>` answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// Several images to choose from.
    Index(Index),
    /// One image.
    Manifest(Manifest),
}

impl Descriptor {
    /// Whether it points at another index.
    pub fn is_index(&self) -> bool {
        matches!(self.media_type.as_str(), OCI_INDEX | DOCKER_LIST)
    }
}

impl Manifest {
    /// Bytes of its compressed layers.
    pub fn download_bytes(&self) -> u64 {
        self.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.size))
    }
}

#[derive(Deserialize)]
struct RawPlatform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default, rename = "os.features")]
    os_features: Bounded<String, FEATURES_MAX>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDescriptor {
    #[serde(default)]
    media_type: Option<String>,
    digest: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    platform: Option<RawPlatform>,
    #[serde(default)]
    annotations: Option<Annotations>,
}

#[derive(Default, Deserialize)]
struct Annotations {
    #[serde(default, rename = "org.opencontainers.image.version")]
    version: Option<String>,
    #[serde(default, rename = "vnd.docker.reference.type")]
    reference_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    #[serde(default)]
    schema_version: Option<u64>,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    manifests: Option<Bounded<RawDescriptor, ENTRIES_MAX>>,
    #[serde(default)]
    config: Option<RawDescriptor>,
    #[serde(default)]
    layers: Option<Bounded<RawDescriptor, LAYERS_MAX>>,
    #[serde(default)]
    fs_layers: Option<IgnoredAny>,
    #[serde(default)]
    annotations: Option<Annotations>,
}

/// Reads what `manifests/<reference>` answered. `media_type` is its Content-Type, which has to
/// agree with what the document says of itself, where both speak.
///
/// # Errors
/// [`OciError`] says what is wrong with it.
pub fn document(bytes: &[u8], media_type: &str) -> Result<Document, OciError> {
    let raw: Raw = json::read(bytes, DOCUMENT_BYTES_MAX)?;
    if raw.fs_layers.is_some() || raw.schema_version == Some(1) {
        return Err(OciError::Schema1);
    }
    let said = raw.media_type.as_deref().unwrap_or_default();
    let claims = [kind_of(media_type), kind_of(said)];
    let version = raw.annotations.and_then(|notes| notes.version);
    match (raw.manifests, raw.config, raw.layers) {
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => Err(OciError::Ambiguous),
        (Some(_), None, None) if claims.contains(&Some(Kind::Manifest)) => Err(OciError::Ambiguous),
        (Some(entries), None, None) => {
            let (entries, offers) = entries.0.into_iter().filter_map(entry).unzip();
            Ok(Document::Index(Index { entries, offers, version }))
        }
        (None, Some(_), Some(_)) if claims.contains(&Some(Kind::Index)) => Err(OciError::Ambiguous),
        (None, Some(config), Some(layers)) => manifest(config, layers.0, version),
        (None, _, _) => Err(OciError::Neither {
            media_type: excerpt(if said.is_empty() { media_type } else { said }),
        }),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Index,
    Manifest,
}

fn kind_of(media_type: &str) -> Option<Kind> {
    let word = media_type.split(';').next().unwrap_or_default().trim();
    match word {
        OCI_INDEX | DOCKER_LIST => Some(Kind::Index),
        OCI_MANIFEST | DOCKER_MANIFEST => Some(Kind::Manifest),
        _ => None, // registries answer application/json, text/plain and worse
    }
}

/// An entry of an index. One that nobody can check is no choice, but no reason to refuse the others.
fn entry(mut raw: RawDescriptor) -> Option<(Descriptor, Entry)> {
    let platform = raw.platform.take();
    let notes = raw.annotations.take();
    let entry = descriptor(raw).ok()?;
    let offer = Entry {
        platform: platform.as_ref().map(|platform| {
            let variant = platform.variant.as_deref().unwrap_or_default();
            Platform::of(&platform.os, &platform.architecture, variant)
        }),
        is_index: entry.is_index(),
        reference_type: notes.and_then(|notes| notes.reference_type).unwrap_or_default(),
        os_features: platform.map(|platform| platform.os_features.0).unwrap_or_default(),
    };
    Some((entry, offer))
}

fn descriptor(raw: RawDescriptor) -> Result<Descriptor, OciError> {
    Ok(Descriptor {
        digest: digest(&raw.digest)?,
        media_type: raw.media_type.unwrap_or_default(),
        size: raw.size,
    })
}

fn manifest(
    config: RawDescriptor,
    layers: Vec<RawDescriptor>,
    version: Option<String>,
) -> Result<Document, OciError> {
    let config = descriptor(config)?;
    if !matches!(config.media_type.as_str(), OCI_CONFIG | DOCKER_CONFIG) {
        return Err(OciError::NotAnImage { media_type: excerpt(&config.media_type) });
    }
    Ok(Document::Manifest(Manifest {
        config,
        layers: layers.into_iter().map(descriptor).collect::<Result<_, _>>()?,
        version,
    }))
}
