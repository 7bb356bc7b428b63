//! `WWW-Authenticate`: how a registry wants to be asked (RFC 9110, 11.6.1; distribution, "token authentication").

use hyper::HeaderMap;
use hyper::header::WWW_AUTHENTICATE;

/// Longest challenge that is read, in bytes, and most of them in one answer.
const CHALLENGE_MAX: usize = 4096;
const CHALLENGES_MAX: usize = 8;

/// Where tokens come from, and for what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bearer {
    /// Address of the token endpoint.
    pub realm: String,
    /// Name the registry has there; empty where it gives none.
    pub service: String,
    /// What is to be allowed: `repository:library/alpine:pull`; empty where it gives none.
    pub scope: String,
}

/// What an answer of 401 asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A token.
    Bearer(Bearer),
    /// User and password.
    Basic,
}

/// The challenge that is met: a token before a password, `None` when there is neither.
pub(super) fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let mut basic = None;
    for value in headers.get_all(WWW_AUTHENTICATE).iter().take(CHALLENGES_MAX) {
        let Some(text) = value.to_str().ok().filter(|text| text.len() <= CHALLENGE_MAX) else {
            continue;
        };
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            if let Some(bearer) = bearer(rest) {
                return Some(Challenge::Bearer(bearer));
            }
        } else if scheme.eq_ignore_ascii_case("basic") {
            basic = Some(Challenge::Basic);
        }
    }
    basic
}

fn bearer(text: &str) -> Option<Bearer> {
    let mut found = Bearer { realm: String::new(), service: String::new(), scope: String::new() };
    let mut rest = text.trim_start();
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = value(after)?;
        match name.trim().to_ascii_lowercase().as_str() {
            "realm" => found.realm = value,
            "service" => found.service = value,
            "scope" => found.scope = value,
            _ => {}
        }
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    (!found.realm.is_empty()).then_some(found)
}

/// A token or a quoted string, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        let (value, after) = text.split_at_checked(end)?;
        return Some((value.to_owned(), after));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((place, c)) = chars.next() {
        match c {
            '"' => return Some((value, quoted.get(place + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(c),
        }
    }
    None // never closed
}
