//! What authorises a request: a password, or a token that a password (or nothing) is changed for.
//!
//! Source: distribution, "Token Authentication Specification" and "OAuth2 Token Authentication".

use std::collections::BTreeMap;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use serde::Deserialize;

use titania_core::oci;
use titania_core::time::{Millis, Moment};

use super::Clock;
use super::challenge::{Bearer, Challenge, challenge};
use super::client::Host;
use super::credentials::Credentials;
use super::error::RegistryError;
use super::headers::query_value;
use super::transport;

/// Largest answer of a token endpoint, in bytes; honest tokens have up to some 5 KiB.
const TOKEN_BYTES_MAX: usize = 64 * 1024;

/// Most tokens kept for one host: one for each repository that apps follow, and a stranger's whims have an end.
const TOKENS_MAX: usize = 64;

/// Life of a token that names none, and the shortest that is believed (the specification's number).
const LIFE_MIN: Millis = Millis::seconds(60);

/// Longest life believed.
const LIFE_MAX: Millis = Millis::seconds(24 * 3600);

/// A token is fresh until so long before its end: a request must arrive, too.
const LIFE_SPARED: Millis = Millis::seconds(10);

/// How requests to one host are authorised.
#[derive(Default)]
pub(super) struct Auth {
    /// The host asked for a password.
    basic: bool,
    /// What each repository asked for.
    challenges: BTreeMap<String, Bearer>,
    tokens: BTreeMap<Bearer, Token>,
}

struct Token {
    header: HeaderValue,
    until: Moment,
}

#[derive(Deserialize)]
struct RawToken {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Auth {
    /// Value of `Authorization` for a request about `repository`, as far as is known what the host
    /// wants: a token is fetched when the last one is over. `None`: ask without.
    pub(super) async fn header(
        &mut self,
        host: &Host,
        repository: &str,
        clock: &Clock,
    ) -> Result<Option<HeaderValue>, RegistryError> {
        // A scope that names no repository is for all of them.
        let common = |bearer: &&Bearer| !bearer.scope.contains("repository:");
        let known = self.challenges.get(repository);
        let Some(bearer) = known.or(self.challenges.values().find(common)).cloned() else {
            let basic = host.credentials().filter(|_| self.basic).and_then(Credentials::basic);
            return Ok(basic.and_then(|value| HeaderValue::from_str(&value).ok()));
        };
        if let Some(token) = self.tokens.get(&bearer)
            && token.until > clock.now()
        {
            return Ok(Some(token.header.clone()));
        }
        match fetch(host, &bearer, repository, clock).await {
            Ok(token) => {
                let header = token.header.clone();
                self.keep(bearer, token);
                Ok(Some(header))
            }
            Err(error) => {
                // The endpoint may have moved: the registry is asked again where it is.
                self.challenges.retain(|_, other| *other != bearer);
                Err(error)
            }
        }
    }

    /// Takes note of an answer of 401 to a request sent with `sent`. Whether to ask again.
    pub(super) fn challenged(
        &mut self,
        host: &Host,
        repository: &str,
        headers: &HeaderMap,
        sent: Option<&HeaderValue>,
    ) -> bool {
        match challenge(headers) {
            Some(Challenge::Bearer(bearer)) => {
                if self.tokens.get(&bearer).is_some_and(|token| Some(&token.header) == sent) {
                    self.tokens.remove(&bearer);
                }
                self.challenges.insert(repository.to_owned(), bearer);
                true
            }
            Some(Challenge::Basic) => {
                let was = std::mem::replace(&mut self.basic, true);
                self.challenges.remove(repository);
                let known = host.credentials().and_then(Credentials::basic).is_some();
                known && !(was && sent.is_some())
            }
            None => false,
        }
    }

    fn keep(&mut self, bearer: Bearer, token: Token) {
        self.tokens.insert(bearer, token);
        while self.tokens.len() > TOKENS_MAX {
            let first = self.tokens.iter().min_by_key(|(_, token)| token.until);
            let Some(bearer) = first.map(|(bearer, _)| bearer.clone()) else {
                return;
            };
            self.tokens.remove(&bearer);
        }
    }
}

/// Asks a token endpoint.
async fn fetch(
    host: &Host,
    bearer: &Bearer,
    repository: &str,
    clock: &Clock,
) -> Result<Token, RegistryError> {
    let what = format!("a token for {}/{repository}", host.name);
    let request = request(host, bearer, &what)?;
    let uri = request.uri().clone();
    let asked = clock.now();
    let answer =
        host.transport().send(request).await.map_err(|lost| host.lost(lost, &uri, &what))?;
    let (head, body) = answer.into_parts();
    let bytes = host
        .transport()
        .body(body, TOKEN_BYTES_MAX)
        .await
        .map_err(|lost| host.lost(lost, &uri, &what))?;
    if head.status != StatusCode::OK {
        let text = oci::complaint(&bytes);
        return Err(host.refused(head.status, &head.headers, &what, text));
    }
    // serde's message could quote the token
    let raw: RawToken =
        serde_json::from_slice(&bytes).map_err(|_| host.against(&what, "no JSON with a token"))?;
    let text = raw.token.or(raw.access_token).unwrap_or_default();
    if text.is_empty() {
        return Err(host.against(&what, "no token in it"));
    }
    // Not marked as sensitive: HTTP/2 then sends it once a connection, and one byte from then on.
    let header = HeaderValue::from_str(&format!("Bearer {text}"))
        .map_err(|_| host.against(&what, "a token with characters that no header has"))?;
    let life = raw.expires_in.unwrap_or(0).saturating_mul(1000);
    let life = life.clamp(LIFE_MIN.0, LIFE_MAX.0) - LIFE_SPARED.0;
    Ok(Token { header, until: asked.after(Millis(life)) })
}

fn request(
    host: &Host,
    bearer: &Bearer,
    what: &str,
) -> Result<Request<Full<Bytes>>, RegistryError> {
    let realm = realm(host, &bearer.realm, what)?;
    let mut fields = Vec::new();
    for (name, value) in [("service", &bearer.service), ("scope", &bearer.scope)] {
        if !value.is_empty() {
            fields.push(format!("{name}={}", query_value(value)));
        }
    }
    let mut request = Request::builder().header(USER_AGENT, transport::USER_AGENT);
    let mut form = String::new();
    if let Some(Credentials::IdentityToken { token, .. }) = host.credentials() {
        fields.push("grant_type=refresh_token".to_owned());
        fields.push("client_id=titania-agent".to_owned());
        fields.push(format!("refresh_token={}", query_value(token)));
        form = fields.join("&");
        request = request
            .method(Method::POST)
            .uri(realm)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    } else {
        let text = realm.to_string();
        let joint = if text.contains('?') { '&' } else { '?' };
        request = request.uri(format!("{text}{joint}{}", fields.join("&")));
        if let Some(basic) = host.credentials().and_then(Credentials::basic) {
            request = request.header(AUTHORIZATION, basic);
        }
    }
    request
        .body(Full::from(form))
        .map_err(|_| host.against(what, "a token endpoint that is no address"))
}

/// The token endpoint, if credentials may go there: over TLS, or where the settings say that
/// unencrypted will do.
fn realm(host: &Host, text: &str, what: &str) -> Result<Uri, RegistryError> {
    let shown = oci::excerpt(text);
    let uri: Uri = text
        .parse()
        .map_err(|_| host.against(what, &format!("token endpoint \"{shown}\" is no address")))?;
    let authority = uri.authority().map(|a| a.as_str()).unwrap_or_default();
    let allowed = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => host.is_plain(authority),
        _ => false,
    };
    if !allowed || authority.is_empty() || authority.contains('@') {
        return Err(host.against(
            what,
            &format!("token endpoint \"{shown}\" is not over https, and no plain_http host"),
        ));
    }
    Ok(uri)
}
