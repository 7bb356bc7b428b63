//! The engine's Unix socket: one connection a call, a bound on what it may send, a deadline.
//!
//! Promise: a failure before the first byte is sent is `Away` or `Denied`; after it, `Unknown`. Paths
//! carry the API version that was agreed upon. A connection a call costs some 50 µs on a Unix socket
//! and tells these two apart, which a pool with its stale connections can't.
//! Distrusts: the length of every answer.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

use bollard::{BollardRequest, Docker};
use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::bounded::Bounded;
use super::call::{
    ACT, Answer, Call, ERROR_BYTES_MAX, PING, READ, collect, detail, garbled, unknown,
};
use super::error::EngineError;
use super::refusal;

/// Newest API this agent knows (Docker Engine 28): the dialect its types were tested with.
pub(super) const API_MINOR_MAX: u32 = 51;

/// Oldest API this agent speaks (Docker Engine 18.05): older ones drop fields of the create body silently.
pub(super) const API_MINOR_MIN: u32 = 37;

/// Longest wait for the socket to take a connection: a live engine takes it at once.
const CONNECT: Duration = Duration::from_secs(5);

/// Most bytes of an answer that bollard may read: create and exec answer with an id and some warnings.
const ACT_BYTES_MAX: u64 = 1024 * 1024;

/// The way to one engine.
#[derive(Debug)]
pub(super) struct Wire {
    socket: PathBuf,
    /// Minor API version agreed upon; 0: not asked yet.
    minor: AtomicU32,
    /// Pid of the engine as the kernel sees it from here; 0: not known, or in another pid namespace.
    peer: AtomicI32,
    /// Held by the one that looks for the agent's network and makes it.
    networks: tokio::sync::Mutex<()>,
}

impl Wire {
    /// The way through `socket`; nothing is asked yet.
    pub fn new(socket: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            socket,
            minor: AtomicU32::new(0),
            peer: AtomicI32::new(0),
            networks: tokio::sync::Mutex::new(()),
        })
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Waits until nobody else of this agent makes networks.
    pub async fn alone_with_networks(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.networks.lock().await
    }

    /// Pid of the engine as seen from here; null when it is not known or in another pid namespace.
    pub fn peer(&self) -> Option<u32> {
        u32::try_from(self.peer.load(Ordering::Relaxed)).ok().filter(|pid| *pid > 0)
    }

    /// Forgets the API version: another engine may answer next time.
    pub fn forget(&self) {
        self.minor.store(0, Ordering::Relaxed);
    }

    /// Minor API version agreed upon: the lower of the engine's and this agent's newest.
    pub async fn minor(&self) -> Result<u32, EngineError> {
        match self.minor.load(Ordering::Relaxed) {
            0 => {
                let ping = self.ping().await?;
                let api = ping.api_version.unwrap_or_default();
                let minor = agree(&api)?;
                self.minor.store(minor, Ordering::Relaxed);
                Ok(minor)
            }
            minor => Ok(minor),
        }
    }

    /// Asks for the engine's newest API version; the one path without a version.
    pub async fn ping(&self) -> Result<Answer, EngineError> {
        let call = Call { deadline: PING, ..Call::get("ping", "/_ping".to_string()) };
        self.whole(&call, call.path.clone()).await
    }

    /// The whole answer, whatever its status.
    pub async fn ask(&self, call: Call<'_>) -> Result<Answer, EngineError> {
        let path = format!("/v1.{}{}", self.minor().await?, call.path);
        self.whole(&call, path).await
    }

    /// The whole answer of a call that succeeded; else the refusal, classified.
    pub async fn well(&self, call: Call<'_>) -> Result<Bytes, EngineError> {
        let act = call.act.to_string();
        let answer = self.ask(call).await?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        Err(refusal::of(&act, answer.status.as_u16(), &refusal::message(&answer.body)))
    }

    /// The head of a stream that succeeded, its body unbounded: whoever reads it bounds it.
    pub async fn stream(&self, call: Call<'_>) -> Result<Incoming, EngineError> {
        let path = format!("/v1.{}{}", self.minor().await?, call.path);
        let unknown = |detail: String| unknown(call.act, detail);
        let response = timeout(call.deadline, self.send(&call, path, u64::MAX))
            .await
            .map_err(|_| unknown(format!("no answer in {} s", call.deadline.as_secs())))??;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let body = timeout(READ, collect(call.act, response.into_body(), ERROR_BYTES_MAX))
            .await
            .unwrap_or(Ok(Bytes::new()))
            .unwrap_or_default();
        Err(refusal::of(call.act, status.as_u16(), &refusal::message(&body)))
    }

    async fn whole(&self, call: &Call<'_>, path: String) -> Result<Answer, EngineError> {
        let answer = async {
            // Headers come on top of the body; hyper bounds them by itself.
            let bound = (call.bytes_max as u64).saturating_add(ACT_BYTES_MAX);
            let response = self.send(call, path, bound).await?;
            let header = |name: &str| {
                let value = response.headers().get(name)?;
                value.to_str().ok().map(ToString::to_string)
            };
            let api_version = header("api-version");
            let is_podman = header("libpod-api-version").is_some();
            let path_stat = header("x-docker-container-path-stat");
            let status = response.status();
            let bytes_max = if status.is_success() { call.bytes_max } else { ERROR_BYTES_MAX };
            let body = collect(call.act, response.into_body(), bytes_max).await?;
            Ok(Answer { status, api_version, is_podman, path_stat, body })
        };
        timeout(call.deadline, answer).await.unwrap_or_else(|_| {
            Err(unknown(call.act, format!("no answer in {} s", call.deadline.as_secs())))
        })
    }

    async fn send(
        &self,
        call: &Call<'_>,
        path: String,
        bound: u64,
    ) -> Result<Response<Incoming>, EngineError> {
        let body = Full::new(Bytes::from(call.body.clone().unwrap_or_default()));
        let mut request = Request::new(body);
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = path
            .parse::<Uri>()
            .map_err(|error| garbled(call.act, format!("{path} is no path: {error}")))?;
        if call.body.is_some() {
            request
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some((name, value)) = &call.header {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        self.exchange(call.act, request, bound).await
    }

    /// One request on a connection of its own; the connection lives as long as the answer's body.
    async fn exchange<B>(
        &self,
        act: &str,
        mut request: Request<B>,
        bound: u64,
    ) -> Result<Response<Incoming>, EngineError>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let stream = self.connect().await?;
        let io = TokioIo::new(Bounded::new(stream, bound));
        let (mut sender, connection) =
            http1::handshake(io).await.map_err(|error| unknown(act, error.to_string()))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                log::debug!("engine: a connection ended early: {error}");
            }
        });
        // Go's server refuses HTTP/1.1 without it; what it says does not matter on a Unix socket.
        request.headers_mut().insert(HOST, HeaderValue::from_static("engine"));
        sender.send_request(request).await.map_err(|error| unknown(act, detail(&error)))
    }

    async fn connect(&self) -> Result<UnixStream, EngineError> {
        let away = |detail: String| EngineError::Away { socket: self.socket.clone(), detail };
        match timeout(CONNECT, UnixStream::connect(&self.socket)).await {
            Ok(Ok(stream)) => {
                let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
                self.peer.store(pid.unwrap_or(0), Ordering::Relaxed);
                Ok(stream)
            }
            Ok(Err(error)) => {
                self.forget();
                match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        Err(EngineError::Denied { socket: self.socket.clone() })
                    }
                    _ => Err(away(error.to_string())),
                }
            }
            Err(_) => Err(away(format!("it takes no connection in {} s", CONNECT.as_secs()))),
        }
    }

    /// bollard over this way, for one act: it builds the paths without a version, so that is put before them.
    pub async fn docker(self: &Arc<Self>) -> Result<Docker, EngineError> {
        let minor = self.minor().await?;
        let wire = Arc::clone(self);
        let transport = move |request: BollardRequest| {
            let wire = Arc::clone(&wire);
            async move {
                let (mut head, body) = request.into_parts();
                let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
                head.uri = format!("/v1.{minor}{path}").parse()?;
                let request = Request::from_parts(head, body);
                wire.exchange("act", request, ACT_BYTES_MAX)
                    .await
                    .map_err(|error| bollard::errors::Error::from(io::Error::other(error)))
            }
        };
        // The version given here is for bollard's own checks alone; ours stands in the path.
        Docker::connect_with_custom_transport(
            transport,
            Some("http://engine"),
            ACT.as_secs(),
            bollard::API_DEFAULT_VERSION,
        )
        .map_err(|error| garbled("connect", error.to_string()))
    }
}

/// Waits for an act of bollard's, at most `deadline`, and tells what its failure means.
pub(super) async fn act<T>(
    act: &str,
    deadline: Duration,
    call: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, EngineError> {
    use bollard::errors::Error;
    match timeout(deadline, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(Error::DockerResponseServerError { status_code, message })) => {
            Err(refusal::of(act, status_code, &message))
        }
        Ok(Err(Error::IOError { err })) => Err(match err.downcast::<EngineError>() {
            Ok(EngineError::Unknown { detail, .. }) => unknown(act, detail),
            Ok(ours) => ours,
            Err(other) => unknown(act, other.to_string()),
        }),
        Ok(Err(other)) => Err(unknown(act, other.to_string())),
        Err(_) => Err(unknown(act, format!("no answer in {} s", deadline.as_secs()))),
    }
}

/// The minor version to speak with an engine whose newest is `api`.
fn agree(api: &str) -> Result<u32, EngineError> {
    let unsupported =
        |why: String| EngineError::Unsupported { version: format!("with API {api:?}"), why };
    let minor = match api.split_once('.') {
        Some(("1", minor)) => minor.parse::<u32>().ok(),
        _ => None,
    };
    match minor {
        Some(minor) if minor >= API_MINOR_MIN => Ok(minor.min(API_MINOR_MAX)),
        Some(minor) => {
            Err(unsupported(format!("its API 1.{minor} is older than 1.{API_MINOR_MIN}")))
        }
        None => Err(unsupported("it names no API version of the form 1.N".to_string())),
    }
}
