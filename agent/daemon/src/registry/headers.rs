//! Headers of strangers, as far as they are used: pure, each with a bound.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, DATE, HeaderName, LINK, RETRY_AFTER};
use titania_core::digest::Digest;

use super::backoff::RETRY_AFTER_MAX;

/// Longest header value that is looked at, in bytes.
const VALUE_MAX: usize = 4096;

/// `Docker-Content-Digest`: what the registry says the digest is. Never trusted alone.
pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The text of a header, empty where it is absent, no text or too long.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers
        .get(name)
        .filter(|value| value.len() <= VALUE_MAX)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .trim()
}

/// `Docker-Content-Digest`, where it is one.
pub(super) fn content_digest(headers: &HeaderMap) -> Option<Digest> {
    text(headers, &CONTENT_DIGEST).parse().ok()
}

/// `Content-Type`.
pub(super) fn content_type(headers: &HeaderMap) -> &str {
    text(headers, &CONTENT_TYPE)
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a time. A time is taken relative to the answer's
/// own `Date`, so that the board's clock, which may be wrong, does not count.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, &RETRY_AFTER);
    let longest = Duration::from_millis(RETRY_AFTER_MAX.0);
    if !value.is_empty() && value.bytes().all(|c| c.is_ascii_digit()) {
        let seconds = value.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(longest));
    }
    let until = http_date(value)?;
    let sent = http_date(text(headers, &DATE))?;
    let seconds = u64::try_from(until.saturating_sub(sent)).unwrap_or(0);
    Some(Duration::from_secs(seconds).min(longest))
}

/// Seconds since 1970 of an HTTP date (RFC 9110, 5.6.7), its preferred form alone.
fn http_date(text: &str) -> Option<i64> {
    let time = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(time.timestamp().as_second())
}

/// Path and query of `Link: <…>; rel="next"` (RFC 8288), where it leads to `host` itself.
pub(super) fn next_page(headers: &HeaderMap, authority: &str) -> Option<String> {
    let value = text(headers, &LINK);
    let (before, after) = value.split_once('>')?;
    let target = before.strip_prefix('<')?;
    let is_next = after.split(';').any(|part| {
        let part = part.trim().trim_end_matches(',');
        part == "rel=\"next\"" || part == "rel=next"
    });
    if !is_next {
        return None;
    }
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.strip_prefix(authority)?,
        None => target,
    };
    path.starts_with("/v2/").then(|| path.to_owned())
}

/// `text` as a value in a query (RFC 3986): all but unreserved characters as `%XX`.
pub(super) fn query_value(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}
