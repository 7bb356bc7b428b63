//! Pull by manifest digest. The engine answers 200 and tells a failure in the stream: every line is read.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use titania_core::digest::Digest;
use titania_core::reference::Repository;

use super::Engine;
use super::call::{Call, encode, garbled};
use super::error::EngineError;
use super::lines::Lines;
use super::refusal::{self, shorten};

/// Longest silence in a pull: extracting one large layer to an SD card says nothing for minutes.
const SILENCE: Duration = Duration::from_secs(15 * 60);

/// Longest wait for the stream to begin: the engine asks the registry first, which may be slow or away.
const BEGIN: Duration = Duration::from_secs(300);

/// Most layers that are counted: more than any engine mounts (overlay2: 128).
const LAYERS_MAX: usize = 256;

const ACT: &str = "pull";

/// What is pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// Where from.
    pub repository: Repository,
    /// Digest of the platform's manifest, never of an index: then no store chooses by itself.
    pub manifest: Digest,
    /// Who asks; null for nobody.
    pub credentials: Option<Credentials>,
}

/// Who asks a registry. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub user: String,
    /// Password or token of that user.
    pub password: String,
    /// Identity token, instead of a password; empty where there is none.
    pub identity_token: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, …)", self.user)
    }
}

/// How far a pull is, in bytes of the layers that have begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are here.
    pub done_bytes: u64,
    /// Bytes announced so far; the sum of all layers is in the manifest.
    pub total_bytes: u64,
}

impl Pull {
    /// The name under which the engine knows the image after the pull: `repository@digest`. May vanish with `prune -a`.
    pub fn name(&self) -> String {
        format!("{}@{}", self.repository, self.manifest)
    }

    fn header(&self) -> Result<Option<(HeaderName, HeaderValue)>, EngineError> {
        let Some(who) = &self.credentials else {
            return Ok(None);
        };
        let mut auth = serde_json::json!({
            "username": who.user, "password": who.password, "serveraddress": self.repository.host,
        });
        if !who.identity_token.is_empty() {
            auth = serde_json::json!({
                "identitytoken": who.identity_token, "serveraddress": self.repository.host,
            });
        }
        let mut value = HeaderValue::from_str(&URL_SAFE.encode(auth.to_string()))
            .map_err(|error| garbled(ACT, error.to_string()))?;
        value.set_sensitive(true);
        Ok(Some((HeaderName::from_static("x-registry-auth"), value)))
    }
}

impl Engine {
    /// Pulls, and tells on the way how far it is, at most once a line. Dropping the future stops the pull.
    ///
    /// The stream's success is no proof: look at the image under [`Pull::name`], and tag it at once.
    ///
    /// # Errors
    /// [`EngineError::Refused`] with the registry's or the disk's fault; [`EngineError::Unknown`] when the stream broke.
    pub async fn pull(
        &self,
        pull: &Pull,
        mut on_progress: impl FnMut(Progress),
    ) -> Result<(), EngineError> {
        let path = format!(
            "/images/create?fromImage={}&tag={}",
            encode(&pull.repository.to_string()),
            encode(&pull.manifest.to_string())
        );
        let call = Call {
            method: Method::POST,
            header: pull.header()?,
            deadline: BEGIN,
            ..Call::get(ACT, path)
        };
        let body = self.wire().stream(call).await.map_err(blame)?;
        let mut lines = Lines::new(ACT, body, Some(SILENCE));
        let mut layers = Layers::default();
        while let Some(line) = lines.next().await? {
            if let Some(progress) = layers.read(&line)? {
                on_progress(progress);
            }
        }
        Ok(())
    }
}

/// What an error before the stream means in a pull: there the registry's words count.
fn blame(error: EngineError) -> EngineError {
    match error {
        EngineError::NoSuch { act, message }
        | EngineError::Conflict { act, message }
        | EngineError::Refused { act, message, .. } => {
            EngineError::Refused { refusal: refusal::of_pull(&message), act, message }
        }
        other => other,
    }
}

/// One line of the stream.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    status: Option<String>,
    id: Option<String>,
    #[serde(rename = "progressDetail")]
    progress: Option<Detail>,
    error: Option<serde_json::Value>,
    #[serde(rename = "errorDetail")]
    error_detail: Option<Fault>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail {
    current: Option<i64>,
    total: Option<i64>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    message: Option<String>,
}

/// Bytes of each layer: here, announced.
#[derive(Default)]
struct Layers(BTreeMap<String, (u64, u64)>);

impl Layers {
    /// Takes in one line; tells the sums when they changed.
    fn read(&mut self, line: &[u8]) -> Result<Option<Progress>, EngineError> {
        let line: Line =
            serde_json::from_slice(line).map_err(|error| garbled(ACT, error.to_string()))?;
        if let Some(message) = fault(&line) {
            return Err(EngineError::Refused {
                act: ACT.to_string(),
                refusal: refusal::of_pull(&message),
                message: shorten(&message),
            });
        }
        let (Some(status), Some(id)) = (line.status, line.id) else {
            return Ok(None);
        };
        if !self.0.contains_key(&id) && self.0.len() >= LAYERS_MAX {
            return Ok(None);
        }
        let detail = line.progress.unwrap_or_default();
        let bytes = |number: Option<i64>| number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        let before = self.0.get(&id).copied();
        let layer = match (status.as_str(), before) {
            ("Downloading", _) => {
                let (done, total) = (bytes(detail.current), bytes(detail.total));
                (done, total.max(done))
            }
            ("Download complete" | "Verifying Checksum" | "Pull complete", Some((_, total))) => {
                (total, total)
            }
            _ => return Ok(None),
        };
        self.0.insert(id, layer);
        let sums = self.0.values().fold(Progress::default(), |sums, (done, total)| Progress {
            done_bytes: sums.done_bytes.saturating_add(*done),
            total_bytes: sums.total_bytes.saturating_add(*total),
        });
        Ok((before != Some(layer)).then_some(sums))
    }
}

/// The failure that a line tells, in whichever of its two ways.
fn fault(line: &Line) -> Option<String> {
    let told = line.error_detail.as_ref().map(|fault| fault.message.clone().unwrap_or_default());
    let plain = line.error.as_ref().map(|error| match error {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    match (told, plain) {
        (Some(told), plain) if told.is_empty() => {
            Some(plain.unwrap_or_else(|| "it does not say why".to_string()))
        }
        (Some(told), _) => Some(told),
        (None, plain) => plain,
    }
}

#[cfg(test)]
#[path = "pull_tests.rs"]
mod tests;
