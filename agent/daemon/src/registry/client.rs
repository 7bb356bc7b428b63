//! One registry: its address, its credentials, and the few requests that are made of it.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use tokio::sync::Mutex;

use titania_core::digest::Digest;
use titania_core::oci::{self, OciError};
use titania_core::reference::Repository;

use super::Clock;
use super::backoff::Backoff;
use super::credentials::{self, Credentials};
use super::error::{NoAnswer, RegistryError};
use super::headers;
use super::settings::HostSettings;
use super::state::State;
use super::token::Auth;
use super::transport::{self, Lost, Transport};

/// Largest body of a refusal that is read for its words, in bytes.
const COMPLAINT_BYTES_MAX: usize = 16 * 1024;

/// A registry.
pub(super) struct Host {
    /// As references name it: `docker.io`.
    pub name: String,
    /// Where its API is: `registry-1.docker.io`.
    pub authority: String,
    /// Http instead of https?
    pub plain: bool,
    /// When it is to be left alone.
    pub backoff: Cell<Backoff>,
    /// What is remembered of it; held while it is asked, so that nothing is asked twice.
    pub state: Mutex<State>,
    transport: Rc<Transport>,
    credentials: Option<Credentials>,
    problem: Option<String>,
    plain_hosts: Rc<BTreeSet<String>>,
}

/// A request.
pub(super) struct Ask<'a> {
    /// GET or HEAD.
    pub method: Method,
    /// Where.
    pub uri: Uri,
    /// What is asked for, in words.
    pub what: &'a str,
    /// Path of the repository, which tokens are for.
    pub repository: &'a str,
    /// Media types wanted.
    pub accept: Option<&'static str>,
}

/// An answer, read whole.
pub(super) struct Answer {
    /// Its body.
    pub bytes: Vec<u8>,
    /// Its headers.
    pub headers: HeaderMap,
}

impl Host {
    pub(super) fn new(
        settings: &HostSettings,
        transport: Rc<Transport>,
        plain_hosts: Rc<BTreeSet<String>>,
    ) -> Self {
        let (credentials, problem) = match credentials::read(settings) {
            Ok(found) => (found, None),
            Err(problem) => (None, Some(problem)),
        };
        let authority = match settings.host.as_str() {
            "docker.io" => "registry-1.docker.io",
            other => other,
        };
        Self {
            name: settings.host.clone(),
            authority: authority.to_owned(),
            plain: settings.plain_http,
            backoff: Cell::default(),
            state: Mutex::default(),
            transport,
            credentials,
            problem,
            plain_hosts,
        }
    }

    pub(super) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Whether `authority` may be spoken to without encryption: only what the settings say so of.
    pub(super) fn is_plain(&self, authority: &str) -> bool {
        self.plain_hosts.contains(authority)
    }

    /// Credentials that can't be used.
    pub(super) fn problem(&self) -> Option<RegistryError> {
        self.problem
            .as_ref()
            .map(|text| RegistryError::Settings { host: self.name.clone(), text: text.clone() })
    }

    /// Address of `path` in the registry's API.
    pub(super) fn uri(&self, path: &str, what: &str) -> Result<Uri, RegistryError> {
        let scheme = if self.plain { "http" } else { "https" };
        format!("{scheme}://{}{path}", self.authority)
            .parse()
            .map_err(|_| RegistryError::NoReference { image: what.to_owned() })
    }

    /// HEAD of a manifest: its digest as the registry names it, `None` where it names none.
    pub(super) async fn head(
        &self,
        auth: &mut Auth,
        repository: &Repository,
        reference: &str,
        clock: &Clock,
    ) -> Result<Option<Digest>, RegistryError> {
        let what = named(repository, reference);
        let ask = Ask {
            method: Method::HEAD,
            uri: self.uri(&manifest_path(repository, reference), &what)?,
            what: &what,
            repository: &repository.path,
            accept: Some(oci::ACCEPT),
        };
        let mut answer = self.ask(auth, &ask, clock).await;
        if is_broken(&answer) {
            answer = self.ask(auth, &ask, clock).await; // a kept connection that was no more
        }
        let answer = answer?;
        match answer.status() {
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Ok(None),
            _ => {
                let headers = self.accepted(answer, &ask).await?.headers().clone();
                Ok(headers::content_digest(&headers))
            }
        }
    }

    /// GET of a manifest or index by tag or digest, at most [`oci::DOCUMENT_BYTES_MAX`] bytes.
    pub(super) async fn manifest(
        &self,
        auth: &mut Auth,
        repository: &Repository,
        reference: &str,
        clock: &Clock,
    ) -> Result<Answer, RegistryError> {
        let what = named(repository, reference);
        let ask = Ask {
            method: Method::GET,
            uri: self.uri(&manifest_path(repository, reference), &what)?,
            what: &what,
            repository: &repository.path,
            accept: Some(oci::ACCEPT),
        };
        self.get(auth, &ask, oci::DOCUMENT_BYTES_MAX, clock).await
    }

    /// GET, read whole; once more where the connection broke.
    pub(super) async fn get(
        &self,
        auth: &mut Auth,
        ask: &Ask<'_>,
        limit: usize,
        clock: &Clock,
    ) -> Result<Answer, RegistryError> {
        let first = self.get_once(auth, ask, limit, clock).await;
        if is_broken(&first) {
            return self.get_once(auth, ask, limit, clock).await;
        }
        first
    }

    async fn get_once(
        &self,
        auth: &mut Auth,
        ask: &Ask<'_>,
        limit: usize,
        clock: &Clock,
    ) -> Result<Answer, RegistryError> {
        let answer = self.ask(auth, ask, clock).await?;
        let answer = self.accepted(answer, ask).await?;
        self.read(answer, ask, limit).await
    }

    /// Reads an answer's body.
    pub(super) async fn read(
        &self,
        answer: Response<Incoming>,
        ask: &Ask<'_>,
        limit: usize,
    ) -> Result<Answer, RegistryError> {
        let (head, body) = answer.into_parts();
        let bytes = self
            .transport
            .body(body, limit)
            .await
            .map_err(|lost| self.lost(lost, &ask.uri, ask.what))?;
        Ok(Answer { bytes, headers: head.headers })
    }

    /// Sends a request with what authorises it; once more when the registry asks for that, or for something fresher.
    pub(super) async fn ask(
        &self,
        auth: &mut Auth,
        ask: &Ask<'_>,
        clock: &Clock,
    ) -> Result<Response<Incoming>, RegistryError> {
        let sent = auth.header(self, ask.repository, clock).await?;
        let answer = self.send(ask, sent.as_ref()).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        if !auth.challenged(self, ask.repository, answer.headers(), sent.as_ref()) {
            return Ok(answer);
        }
        let fresh = auth.header(self, ask.repository, clock).await?;
        self.send(ask, fresh.as_ref()).await
    }

    /// Sends a request as it is.
    pub(super) async fn send(
        &self,
        ask: &Ask<'_>,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response<Incoming>, RegistryError> {
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(ask.uri.clone())
            .header(USER_AGENT, transport::USER_AGENT);
        if let Some(accept) = ask.accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        let request = request
            .body(Full::default())
            .map_err(|error| self.against(ask.what, &error.to_string()))?;
        self.transport.send(request).await.map_err(|lost| self.lost(lost, &ask.uri, ask.what))
    }

    /// The answer, if it is a yes.
    pub(super) async fn accepted(
        &self,
        answer: Response<Incoming>,
        ask: &Ask<'_>,
    ) -> Result<Response<Incoming>, RegistryError> {
        let status = answer.status();
        if status == StatusCode::OK {
            return Ok(answer);
        }
        let (head, body) = answer.into_parts();
        let text = match self.transport.body(body, COMPLAINT_BYTES_MAX).await {
            Ok(bytes) => oci::complaint(&bytes),
            Err(_) => String::new(), // only words: the status is what counts
        };
        Err(self.refused(status, &head.headers, ask.what, text))
    }

    /// What a status other than 200 means.
    pub(super) fn refused(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        what: &str,
        text: String,
    ) -> RegistryError {
        let host = self.name.clone();
        let what = what.to_owned();
        let retry_after = headers::retry_after(headers);
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                self.problem().unwrap_or(RegistryError::Denied {
                    host,
                    what,
                    status: status.as_u16(),
                    signed_in: self.credentials.is_some(),
                    text,
                })
            }
            StatusCode::NOT_FOUND => RegistryError::NotFound { what },
            StatusCode::TOO_MANY_REQUESTS => RegistryError::RateLimited { host, retry_after },
            StatusCode::SERVICE_UNAVAILABLE if retry_after.is_some() => {
                RegistryError::RateLimited { host, retry_after }
            }
            _ => RegistryError::Server { host, what, status: status.as_u16(), text },
        }
    }

    /// An answer that never came whole.
    pub(super) fn lost(&self, lost: Lost, uri: &Uri, what: &str) -> RegistryError {
        let host = match uri.authority() {
            Some(asked) if asked.as_str() != self.authority => asked.to_string(),
            _ => self.name.clone(),
        };
        match lost {
            Lost::NoAnswer(cause, text) => RegistryError::Unreachable { host, cause, text },
            Lost::NotHttp(text) => RegistryError::Protocol { host, what: what.to_owned(), text },
            Lost::TooLarge { limit } => RegistryError::TooLarge { what: what.to_owned(), limit },
            Lost::Certificates(text) => RegistryError::Settings { host, text },
        }
    }

    /// An answer against the protocol.
    pub(super) fn against(&self, what: &str, text: &str) -> RegistryError {
        RegistryError::Protocol {
            host: self.name.clone(),
            what: what.to_owned(),
            text: oci::excerpt(text),
        }
    }
}

/// A document that can't be read.
pub(super) fn malformed(what: &str, error: OciError) -> RegistryError {
    RegistryError::Malformed { what: what.to_owned(), error }
}

/// `host/path:tag` or `host/path@digest`.
pub(super) fn named(repository: &Repository, reference: &str) -> String {
    let mark = if reference.contains(':') { '@' } else { ':' };
    format!("{repository}{mark}{reference}")
}

fn manifest_path(repository: &Repository, reference: &str) -> String {
    format!("/v2/{}/manifests/{reference}", repository.path)
}

fn is_broken<T>(answer: &Result<T, RegistryError>) -> bool {
    matches!(answer, Err(RegistryError::Unreachable { cause: NoAnswer::Broken, .. }))
}
