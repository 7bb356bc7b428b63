//! Blobs: the one kind of answer that may come from elsewhere.

use hyper::header::LOCATION;
use hyper::{Method, StatusCode, Uri};

use titania_core::digest::Digest;
use titania_core::oci;
use titania_core::reference::Repository;

use super::Clock;
use super::client::{Ask, Host, named};
use super::error::{NoAnswer, RegistryError};
use super::headers;
use super::token::Auth;

/// Most redirects followed. Registries send to a storage, which may send once more.
const REDIRECTS_MAX: usize = 3;

impl Host {
    /// GET of a blob of at most `limit` bytes, verified. Redirects are followed, over TLS (or http
    /// from a host that the settings say may be asked so), and without credentials to other hosts.
    pub(super) async fn blob(
        &self,
        auth: &mut Auth,
        repository: &Repository,
        digest: &Digest,
        limit: usize,
        clock: &Clock,
    ) -> Result<Vec<u8>, RegistryError> {
        let what = named(repository, &digest.to_string());
        let mut answer = self.blob_once(auth, repository, digest, limit, clock, &what).await;
        if let Err(RegistryError::Unreachable { cause: NoAnswer::Broken, .. }) = answer {
            answer = self.blob_once(auth, repository, digest, limit, clock, &what).await;
        }
        let bytes = answer?;
        verified(&bytes, digest, &what)?;
        Ok(bytes)
    }

    async fn blob_once(
        &self,
        auth: &mut Auth,
        repository: &Repository,
        digest: &Digest,
        limit: usize,
        clock: &Clock,
        what: &str,
    ) -> Result<Vec<u8>, RegistryError> {
        let path = format!("/v2/{}/blobs/{digest}", repository.path);
        let mut ask = Ask {
            method: Method::GET,
            uri: self.uri(&path, what)?,
            what,
            repository: &repository.path,
            accept: None,
        };
        let mut answer = self.ask(auth, &ask, clock).await?;
        for _ in 0..REDIRECTS_MAX {
            if !is_redirect(answer.status()) {
                let answer = self.accepted(answer, &ask).await?;
                return Ok(self.read(answer, &ask, limit).await?.bytes);
            }
            let target = headers::text(answer.headers(), &LOCATION);
            let next = self.target(&ask.uri, target, what)?;
            let own = if self.plain { "http" } else { "https" };
            let is_own = next.scheme_str() == Some(own)
                && next.authority().map(|a| a.as_str()) == Some(self.authority.as_str());
            ask.uri = next;
            answer = if is_own {
                self.ask(auth, &ask, clock).await?
            } else {
                self.send(&ask, None).await?
            };
        }
        if is_redirect(answer.status()) {
            return Err(self.against(what, &format!("more than {REDIRECTS_MAX} redirects")));
        }
        let answer = self.accepted(answer, &ask).await?;
        Ok(self.read(answer, &ask, limit).await?.bytes)
    }

    /// Where a redirect leads, if it may be followed.
    fn target(&self, from: &Uri, text: &str, what: &str) -> Result<Uri, RegistryError> {
        let wrong = || self.against(what, &format!("a redirect to \"{}\"", oci::excerpt(text)));
        let whole = if text.starts_with('/') && !text.starts_with("//") {
            let scheme = from.scheme_str().unwrap_or("https");
            let authority = from.authority().map(|a| a.as_str()).unwrap_or_default();
            format!("{scheme}://{authority}{text}")
        } else {
            text.to_owned()
        };
        let uri: Uri = whole.parse().map_err(|_| wrong())?;
        let authority = uri.authority().map(|a| a.as_str()).unwrap_or_default();
        let allowed = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => self.plain,
            _ => false,
        };
        if allowed && !authority.is_empty() && !authority.contains('@') {
            Ok(uri)
        } else {
            Err(wrong())
        }
    }
}

/// Whether `bytes` are those of `digest`.
pub(super) fn verified(bytes: &[u8], digest: &Digest, what: &str) -> Result<(), RegistryError> {
    let found = Digest::of(bytes);
    if found == *digest {
        return Ok(());
    }
    Err(RegistryError::DigestMismatch { what: what.to_owned(), wanted: *digest, found })
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}
