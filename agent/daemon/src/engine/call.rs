//! One question to the engine, and its answer.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};

use super::error::EngineError;

/// Longest wait for an answer to a question: a Pi with a busy SD card was seen to take some seconds.
pub(super) const READ: Duration = Duration::from_secs(20);

/// Longest wait for an act: start on a slow board mounts, makes a network, and writes its files.
pub(super) const ACT: Duration = Duration::from_secs(120);

/// Most bytes of one whole answer where a call says nothing else: inspect with labels, env and health log is some 10 KiB.
pub(super) const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Longest wait for the answer to a ping, which costs an engine nothing: one that needs longer hangs.
pub(super) const PING: Duration = Duration::from_secs(10);

/// Most bytes of a list: some 2 KiB an entry, so thousands of containers or images.
pub(super) const LIST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most bytes of an error's text that are read; the rest says nothing more.
pub(super) const ERROR_BYTES_MAX: usize = 64 * 1024;

/// One question.
pub(super) struct Call<'a> {
    /// What it is, in words for a person.
    pub act: &'a str,
    /// Method.
    pub method: Method,
    /// Path and query, without the version.
    pub path: String,
    /// JSON, where there is something to send.
    pub body: Option<Vec<u8>>,
    /// A header beside the usual ones.
    pub header: Option<(HeaderName, HeaderValue)>,
    /// Longest wait for the whole answer; of a stream, for its head.
    pub deadline: Duration,
    /// Most bytes of the answer.
    pub bytes_max: usize,
}

impl<'a> Call<'a> {
    /// A question with GET.
    pub fn get(act: &'a str, path: String) -> Self {
        Self {
            act,
            method: Method::GET,
            path,
            body: None,
            header: None,
            deadline: READ,
            bytes_max: ANSWER_BYTES_MAX,
        }
    }

    /// An act with POST.
    pub fn post(act: &'a str, path: String, body: Option<Vec<u8>>) -> Self {
        Self { method: Method::POST, body, deadline: ACT, ..Self::get(act, path) }
    }
}

/// A whole answer.
pub(super) struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers that matter.
    pub api_version: Option<String>,
    /// Does it call itself Podman?
    pub is_podman: bool,
    /// What the archive API's HEAD says of a path.
    pub path_stat: Option<String>,
    /// Body.
    pub body: Bytes,
}

/// Reads a body whole, at most `bytes_max`.
pub(super) async fn collect(
    act: &str,
    mut body: Incoming,
    bytes_max: usize,
) -> Result<Bytes, EngineError> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| unknown(act, detail(&error)))?;
        if let Ok(bytes) = frame.into_data() {
            if whole.len() + bytes.len() > bytes_max {
                return Err(garbled(act, format!("longer than {bytes_max} bytes")));
            }
            whole.extend_from_slice(&bytes);
        }
    }
    Ok(whole.into())
}

/// `text` with all but unreserved characters percent-encoded (RFC 3986, section 2.3).
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The whole chain of causes: hyper's own text hides the kernel's.
pub(super) fn detail(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// No whole answer came.
pub(super) fn unknown(act: &str, detail: impl Into<String>) -> EngineError {
    EngineError::Unknown { act: act.to_string(), detail: detail.into() }
}

/// An answer came that can't be read.
pub(super) fn garbled(act: &str, detail: impl Into<String>) -> EngineError {
    EngineError::Garbled { act: act.to_string(), detail: detail.into() }
}
