//! Requests and bodies: connections that are kept, every wait with an end, every body with a limit.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::TokioExecutor;
use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout, timeout_at};

use super::credentials::contents;
use super::error::NoAnswer;
use super::settings::Timeouts;
use crate::trust;

/// How the agent names itself.
pub(super) const USER_AGENT: &str = concat!("titania-agent/", env!("CARGO_PKG_VERSION"));

/// Window of HTTP/2 for a stream and a connection: what a server may send before it was read.
const WINDOW_BYTES: u32 = 256 * 1024;

/// Largest set of headers of an answer.
const HEADER_BYTES_MAX: u32 = 32 * 1024;

/// A connection that was kept between two polls and died unseen is given up so soon after it was
/// written to: shorter than the wait for headers, so that a fresh one can still be tried.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(15);

type Out = Full<Bytes>;
/// One kind of client for both: each kind is a copy of all of hyper's code.
type Hyper = Client<HttpsConnector<HttpConnector>, Out>;

/// Why there is no answer, or no whole one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// None came.
    NoAnswer(NoAnswer, String),
    /// What came is no HTTP.
    NotHttp(String),
    /// More than `limit` bytes.
    TooLarge { limit: usize },
    /// The certificates that were to be trusted can't be read.
    Certificates(String),
}

/// Connections to all hosts that trust the same certificates.
pub(super) struct Transport {
    http: OnceCell<Hyper>,
    https: OnceCell<Hyper>,
    ca: Option<PathBuf>,
    timeouts: Timeouts,
    is_clock_synced: fn() -> bool,
}

impl Transport {
    /// Makes no connection and reads no file yet. `ca`: certificates trusted beside the system's.
    pub(super) fn new(
        ca: Option<PathBuf>,
        timeouts: Timeouts,
        is_clock_synced: fn() -> bool,
    ) -> Self {
        Self { http: OnceCell::new(), https: OnceCell::new(), ca, timeouts, is_clock_synced }
    }

    /// Sends a request and waits for the headers of its answer.
    pub(super) async fn send(&self, request: Request<Out>) -> Result<Response<Incoming>, Lost> {
        let is_https = is_https(request.uri());
        let client = if is_https { &self.https } else { &self.http };
        let client = client.get_or_try_init(|| self.client(is_https)).await?;
        match timeout(self.timeouts.header, client.request(request)).await {
            Ok(answer) => answer.map_err(|error| lost(&error, self.is_clock_synced)),
            Err(_) => Err(too_slow("headers", self.timeouts.header)),
        }
    }

    /// The client for plain http trusts nobody, and is given no address to speak TLS to.
    async fn client(&self, is_https: bool) -> Result<Hyper, Lost> {
        let roots = match is_https {
            true => roots(self.ca.clone()).await.map_err(Lost::Certificates)?,
            false => RootCertStore::empty(),
        };
        let tls = tls(roots).map_err(|error| Lost::Certificates(error.to_string()))?;
        let mut tcp = connector(self.timeouts);
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls);
        let connector = match is_https {
            true => connector.https_only(),
            false => connector.https_or_http(),
        };
        Ok(builder().build(connector.enable_all_versions().wrap_connector(tcp)))
    }

    /// Reads a whole body of at most `limit` bytes. A longer one is given up where it passes the
    /// limit, or before its first byte where its length is announced.
    pub(super) async fn body(&self, mut body: Incoming, limit: usize) -> Result<Vec<u8>, Lost> {
        let announced = body.size_hint().lower();
        if announced > limit as u64 {
            return Err(Lost::TooLarge { limit });
        }
        let end = Instant::now() + self.timeouts.body;
        // Memory that is not written to costs nothing: no growing by doubling where the length is known.
        let mut bytes = Vec::with_capacity(usize::try_from(announced).unwrap_or(limit).min(limit));
        loop {
            let pause = Instant::now() + self.timeouts.stall;
            let frame = match timeout_at(pause.min(end), body.frame()).await {
                Ok(Some(frame)) => frame.map_err(|error| broken(&error))?,
                Ok(None) => return Ok(bytes),
                Err(_) if pause < end => return Err(too_slow("next piece", self.timeouts.stall)),
                Err(_) => return Err(too_slow("whole body", self.timeouts.body)),
            };
            let Some(piece) = frame.data_ref() else {
                continue; // trailers
            };
            if bytes.len() + piece.len() > limit {
                return Err(Lost::TooLarge { limit });
            }
            bytes.extend_from_slice(piece);
        }
    }
}

/// Whether a request there is encrypted.
pub(super) fn is_https(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}

fn connector(timeouts: Timeouts) -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(timeouts.connect));
    connector.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
    connector.set_nodelay(true);
    connector
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_idle_timeout(None) // kept from poll to poll: a handshake costs more than ten polls
        .pool_max_idle_per_host(1)
        .http1_max_buf_size(HEADER_BYTES_MAX as usize)
        .http2_initial_stream_window_size(WINDOW_BYTES)
        .http2_initial_connection_window_size(WINDOW_BYTES)
        .http2_max_header_list_size(HEADER_BYTES_MAX);
    builder
}

/// The system's certificates, and those of `ca`.
async fn roots(ca: Option<PathBuf>) -> Result<RootCertStore, String> {
    let own = move |store: &mut RootCertStore| ca.map_or(Ok(()), |path| add(store, &path));
    trust::roots(own, |error| error.to_string()).await
}

fn add(store: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let text = contents(path)?;
    let mut found = 0;
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("{}: {error}", path.display()))?;
        store.add(certificate).map_err(|error| format!("{}: {error}", path.display()))?;
        found += 1;
    }
    if found == 0 {
        return Err(format!("{} has no certificate (PEM)", path.display()));
    }
    Ok(())
}

fn tls(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(8); // a few hosts
    Ok(config)
}

fn too_slow(what: &str, limit: Duration) -> Lost {
    Lost::NoAnswer(NoAnswer::Timeout, format!("{what}: nothing within {} s", limit.as_secs_f32()))
}

fn broken(error: &hyper::Error) -> Lost {
    Lost::NoAnswer(NoAnswer::Broken, deepest(error))
}

/// What an error of the client means. Its kinds are not public: the chain of causes tells them.
fn lost(error: &ClientError, is_clock_synced: fn() -> bool) -> Lost {
    let mut cause = if error.is_connect() { NoAnswer::Connect } else { NoAnswer::Broken };
    let mut text = deepest(error);
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(tls) = trust::find_tls(error) {
            let is_of_clock = trust::begins_later(tls) && !is_clock_synced();
            let cause = if is_of_clock { NoAnswer::Clock } else { NoAnswer::Tls };
            return Lost::NoAnswer(cause, tls.to_string());
        }
        if let Some(http) = error.downcast_ref::<hyper::Error>()
            && http.is_parse()
        {
            return Lost::NotHttp(deepest(http));
        }
        if let Some(io) = error.downcast_ref::<io::Error>()
            && io.kind() == io::ErrorKind::TimedOut
            && cause == NoAnswer::Connect
        {
            cause = NoAnswer::Timeout;
            text = "connecting took too long".to_owned();
        }
        // tokio-rustls's words for a server that hung up on a greeting it did not understand
        if error.to_string() == "tls handshake eof" {
            cause = NoAnswer::Tls;
        }
        // hyper-util's word for a failed look-up; a test holds it to that
        if error.to_string() == "dns error" {
            cause = NoAnswer::Dns;
        }
        next = error.source();
    }
    Lost::NoAnswer(cause, text)
}

fn deepest(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    titania_core::oci::excerpt(&last.to_string())
}
