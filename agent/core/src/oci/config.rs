//! The image config: what a release is, and what it asks for.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

use super::json::{self, Bounded, Keys};
use super::{CONFIG_BYTES_MAX, ITEMS_MAX, LAYERS_MAX, OciError, digest};
use crate::digest::Digest;
use crate::platform::Platform;
use crate::time::Timestamp;

/// What an image asks for by itself (OCI image-spec, config).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// `USER`, as written; empty: root.
    pub user: String,
    /// Paths of its `VOLUME`s, in order.
    pub volumes: Vec<String>,
    /// Digests of its layers, unpacked, the lowest first: the one identity that all stores of engines share.
    pub diff_ids: Vec<Digest>,
    /// `ENV`, `KEY=value` each.
    pub env: Vec<String>,
    /// `CMD`.
    pub cmd: Vec<String>,
    /// `ENTRYPOINT`.
    pub entrypoint: Vec<String>,
    /// `WORKDIR`; empty where there is none.
    pub working_dir: String,
    /// Ports it says it listens on, `80/tcp`, in order.
    pub exposed: Vec<String>,
    /// Has it a HEALTHCHECK of its own?
    pub healthcheck: bool,
}

/// An image config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageConfig {
    /// What it says it runs on.
    pub platform: Platform,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// `org.opencontainers.image.version` of its labels.
    pub version: Option<String>,
    /// What it asks for.
    pub facts: ImageFacts,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default)]
    created: Option<String>,
    #[serde(default)]
    config: Option<RawRun>,
    rootfs: RawRoot,
}

#[derive(Deserialize)]
struct RawRoot {
    #[serde(default)]
    diff_ids: Bounded<String, LAYERS_MAX>,
}

type Words = Bounded<String, ITEMS_MAX>;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RawRun {
    user: Option<String>,
    volumes: Keys<ITEMS_MAX>,
    env: Words,
    cmd: Words,
    entrypoint: Words,
    working_dir: Option<String>,
    exposed_ports: Keys<ITEMS_MAX>,
    healthcheck: Option<RawCheck>,
    labels: Option<RawLabels>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawCheck {
    #[serde(default)]
    test: Words,
}

#[derive(Deserialize)]
struct RawLabels {
    #[serde(default, rename = "org.opencontainers.image.version")]
    version: Option<String>,
}

/// Reads an image config.
///
/// # Errors
/// [`OciError`] says what is wrong with it.
pub fn config(bytes: &[u8]) -> Result<ImageConfig, OciError> {
    let raw: Raw = json::read(bytes, CONFIG_BYTES_MAX)?;
    let run = raw.config.unwrap_or_default();
    let healthcheck = run
        .healthcheck
        .is_some_and(|check| check.test.0.first().is_some_and(|word| word != "NONE"));
    let diff_ids = raw.rootfs.diff_ids.0;
    Ok(ImageConfig {
        platform: Platform::of(
            &raw.os,
            &raw.architecture,
            raw.variant.as_deref().unwrap_or_default(),
        ),
        created: raw.created.and_then(|time| time.parse().ok()),
        version: run.labels.and_then(|labels| labels.version),
        facts: ImageFacts {
            user: run.user.unwrap_or_default(),
            volumes: run.volumes.0,
            diff_ids: diff_ids.iter().map(|text| digest(text)).collect::<Result<_, _>>()?,
            env: run.env.0,
            cmd: run.cmd.0,
            entrypoint: run.entrypoint.0,
            working_dir: run.working_dir.unwrap_or_default(),
            exposed: run.exposed_ports.0,
            healthcheck,
        },
    })
}
