//! Against Debian's `docker-registry`, where it is installed: what the protocol is in practice.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use titania_core::digest::Digest;
use titania_core::oci::{OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};

use super::tls::certificate;
use super::*;

const BINARY: &str = "/usr/bin/docker-registry";

/// Longest wait for the registry to do anything.
const DEADLINE: Duration = Duration::from_secs(30);

struct RealRegistry {
    child: Child,
    folder: PathBuf,
    authority: String,
    /// Lines of its access log.
    log: Receiver<String>,
}

impl Drop for RealRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl RealRegistry {
    /// `None` where the program is not installed.
    async fn start(name: &str, tls: bool) -> Option<Self> {
        if !Path::new(BINARY).exists() {
            return None;
        }
        let folder = std::env::temp_dir().join(format!("titania-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let authority = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            listener.local_addr().expect("its address").to_string()
        };
        let tls = if tls {
            format!(
                "  tls:\n    certificate: {}\n    key: {}\n",
                certificate("server.pem").display(),
                certificate("server.key").display()
            )
        } else {
            String::new()
        };
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {authority}\n{tls}",
            folder.join("storage").display()
        );
        let file = folder.join("config.yml");
        std::fs::write(&file, config).expect("a file");
        let mut child = Command::new(BINARY)
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(File::create(folder.join("errors")).expect("a file"))
            .spawn()
            .expect("it starts");
        let (send, log) = channel();
        let out = BufReader::new(child.stdout.take().expect("it is piped"));
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = send.send(line); // the test is over: nobody reads on
            }
        });
        let registry = Self { child, folder, authority, log };
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(&registry.authority).await.is_err() {
            assert!(begun.elapsed() < DEADLINE, "it does not listen");
            tokio::task::yield_now().await;
        }
        Some(registry)
    }

    /// Access lines up to the one that has `last` in it, that one too.
    fn lines_until(&self, last: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.log.recv_timeout(DEADLINE).expect("a line of the access log");
            let is_last = line.contains(last);
            if line.contains("HTTP/") {
                lines.push(line);
            }
            if is_last {
                return lines;
            }
        }
    }
}

/// Puts images in over the registry's own API.
struct Pusher {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
}

impl Pusher {
    async fn send(&self, method: Method, url: &str, kind: &str, body: &[u8]) -> hyper::HeaderMap {
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header("content-type", kind)
            .body(Full::from(body.to_vec()))
            .expect("a request");
        let answer = self.client.request(request).await.expect("an answer");
        let (head, body) = answer.into_parts();
        let text = body.collect().await.expect("a body").to_bytes();
        assert!(head.status.is_success(), "{url}: {} {text:?}", head.status);
        assert_ne!(head.status, StatusCode::NO_CONTENT, "{url}");
        head.headers
    }

    async fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let start = format!("{}/blobs/uploads/", self.base);
        let headers = self.send(Method::POST, &start, "", b"").await;
        let place = headers.get("location").expect("a place").to_str().expect("text");
        let url = format!("{place}&digest={digest}");
        self.send(Method::PUT, &url, "application/octet-stream", bytes).await;
        digest
    }

    async fn manifest(&self, reference: &str, kind: &str, text: &str) -> Digest {
        let url = format!("{}/manifests/{reference}", self.base);
        self.send(Method::PUT, &url, kind, text.as_bytes()).await;
        Digest::of(text.as_bytes())
    }

    /// An image for arm within an index, under `tag`.
    async fn image(&self, tag: &str, mark: &str) -> Digest {
        let layer = self.blob(mark.as_bytes()).await;
        let config = self
            .blob(
                format!(
                    r#"{{"os":"linux","architecture":"arm","variant":"v7","config":{{"User":"{mark}"}},
                    "rootfs":{{"type":"layers","diff_ids":["{layer}"]}}}}"#
                )
                .as_bytes(),
            )
            .await;
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{{"mediaType":"{OCI_CONFIG}","digest":"{config}","size":1}},
            "layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer}","size":1}}]}}"#
        );
        let manifest = Digest::of(text.as_bytes());
        self.manifest(&manifest.to_string(), OCI_MANIFEST, &text).await;
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{{"mediaType":"{OCI_MANIFEST}","digest":"{manifest}","size":{},
            "platform":{{"os":"linux","architecture":"arm","variant":"v7"}}}}]}}"#,
            text.len()
        );
        self.manifest(tag, OCI_INDEX, &index).await;
        config
    }
}

#[tokio::test]
async fn p9_an_idle_poll_of_a_real_registry_is_one_head() {
    let Some(registry) = RealRegistry::start("plain", false).await else {
        eprintln!("not run: {BINARY} is not installed");
        return;
    };
    let host = &registry.authority;
    let pusher = Pusher {
        client: Client::builder(TokioExecutor::new()).build_http(),
        base: format!("http://{host}/v2/app"),
    };
    let config = pusher.image("v1.0.0", "one").await;
    pusher.image("v0.9.0", "older").await;
    let mut board = Board::of(host);
    let moving = Track::Tag("v1.0.0".to_owned());
    let image = format!("{host}/app");
    let first = board.resolve(&image, &moving).await.expect("resolved");
    assert_eq!(first.release.config, Some(config));
    assert_eq!(first.facts.user, "one");
    for _ in 0..3 {
        board.next();
        let (one, two) =
            tokio::join!(board.resolve(&image, &moving), board.resolve(&image, &moving));
        assert_eq!(one, Ok(Rc::clone(&first)));
        assert_eq!(two, one);
    }
    board.next();
    let highest = board.resolve(&image, &range(">=0.9")).await.expect("resolved");
    assert!(highest.release.is(&first.release));
    let moved = pusher.image("v1.0.0", "two").await;
    board.next();
    let second = board.resolve(&image, &moving).await.expect("resolved");
    assert_eq!(second.release.config, Some(moved));
    assert!(board.error(host, "no-such-tag").await.to_string().ends_with("does not exist"));

    let lines = registry.lines_until("no-such-tag");
    let agents: Vec<&String> =
        lines.iter().filter(|line| line.contains("titania-agent/")).collect();
    let count = |what: &str| agents.iter().filter(|line| line.contains(what)).count();
    // First time, three idle polls, the highest of the list, the moved one, the one that is not there.
    assert_eq!(count("HEAD /v2/app/manifests/"), 1 + 3 + 1 + 1 + 1, "{agents:#?}");
    assert_eq!(count("GET /v2/app/tags/list"), 1, "{agents:#?}");
    assert_eq!(count("GET /v2/app/manifests/"), 2 + 2, "{agents:#?}");
    assert_eq!(count("GET /v2/app/blobs/"), 1 + 1, "{agents:#?}");
    assert_eq!(agents.len(), 7 + 1 + 4 + 2, "{agents:#?}");
}

#[tokio::test]
async fn a_real_registry_over_tls_is_asked_in_http_2_on_one_connection() {
    let Some(registry) = RealRegistry::start("tls", true).await else {
        eprintln!("not run: {BINARY} is not installed");
        return;
    };
    let host = &registry.authority;
    let settings = HostSettings {
        host: host.clone(),
        ca: Some(certificate("ca.pem")),
        ..HostSettings::default()
    };
    let mut board = Board::with(&[settings], PATIENT);
    for tag in ["first", "second", "last"] {
        let error = board.error(host, tag).await;
        assert!(matches!(error, RegistryError::NotFound { .. }), "{error:?}");
        board.next();
    }
    let lines = registry.lines_until("/last");
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert!(lines.iter().all(|line| line.contains("HTTP/2.0")), "{lines:#?}");
    // Its error log names the port that each request came from.
    let errors = std::fs::read_to_string(registry.folder.join("errors")).expect("a log");
    let ports: BTreeSet<&str> = errors
        .split("http.request.remoteaddr=")
        .skip(1)
        .filter_map(|rest| rest.split(' ').next())
        .collect();
    assert_eq!(ports.len(), 1, "{errors}");
}
