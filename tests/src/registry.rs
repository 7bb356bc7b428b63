//! A registry of the board's own: Debian's docker-registry on loopback, and what a publisher does
//! with it over the distribution API.
//!
//! Promise: its access log is complete, so that requests can be counted.

use crate::certificates::Certificates;
use crate::http::{Place, Response, ask};
use crate::image::{Dialect, Image, digest};
use crate::process::{Process, find};
use crate::wait::wait_until;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Its port: the network is the board's own, so it is always free.
const PORT: u16 = 5000;
/// Its port when a proxy has the other.
const PORT_BEHIND: u16 = 5001;
/// Its port for TLS.
const SECURED_PORT: u16 = 5443;
/// User and password of a registry that wants a login.
pub const LOGIN: (&str, &str) = ("reader", "secret");
/// The same as the registry keeps it: bcrypt.
const LOGIN_FILE: &str = "reader:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";
/// The same as a client sends it (RFC 7617).
const LOGIN_HEADER: &str = "Basic cmVhZGVyOnNlY3JldA==";
/// Time to start or stop.
const TURN_TIME: Duration = Duration::from_secs(20);

/// All that a client of today takes: without it this registry answers in the first schema.
const ACCEPT: &str = "application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";

/// The server; see [`Registry::push`].
pub struct Registry {
    folder: PathBuf,
    wants_login: bool,
    /// Where it listens itself.
    port: u16,
    process: RefCell<Option<Process>>,
    secured: RefCell<Option<Process>>,
}

/// What a push made.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// With host and port.
    pub repository: String,
    /// The tag that points at it.
    pub tag: String,
    /// What the tag points at: digest of the manifest, or of the index.
    pub digest: String,
    /// Digest of the config: the release. Empty for an index.
    pub release: String,
}

impl Pushed {
    /// `repository:tag`.
    pub fn tagged(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }

    /// `repository@digest`.
    pub fn pinned(&self) -> String {
        format!("{}@{}", self.repository, self.digest)
    }
}

/// One entry of an index.
pub enum Entry<'a> {
    /// An image under its own platform.
    Image(&'a Image),
    /// An image that the index gives another platform than its config has.
    As(&'a Image, Value),
    /// What builders add beside an image: `unknown/unknown`, about the manifest of that image.
    Attestation(&'a Image),
    /// Any descriptor: a nested index, a hostile one.
    Raw(Value),
}

impl Registry {
    /// `is_behind`: a proxy will listen at [`Registry::host`], see [`Registry::ports`].
    pub(crate) fn new(folder: &Path, wants_login: bool, is_behind: bool) -> Self {
        let folder = folder.join("registry");
        std::fs::create_dir_all(&folder).expect("a folder for the registry");
        let port = if is_behind { PORT_BEHIND } else { PORT };
        let (process, secured) = (RefCell::new(None), RefCell::new(None));
        Self { folder, wants_login, port, process, secured }
    }

    /// Host and port, as in a reference.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{PORT}")
    }

    /// Port of its address, and the one where it listens itself.
    pub(crate) fn ports(&self) -> (u16, u16) {
        (PORT, self.port)
    }

    fn place(&self) -> Place<'static> {
        Place::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))
    }

    /// The same, where it listens with TLS.
    pub fn secured_host(&self) -> String {
        format!("127.0.0.1:{SECURED_PORT}")
    }

    fn serve(&self, config: &str, address: &str, more: &str) -> Process {
        let config = self.folder.join(config);
        let mut text = format!(
            "version: 0.1\nlog:\n  level: warn\n  accesslog:\n    disabled: false\n\
             storage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\n\
             http:\n  addr: {address}\n{more}",
            self.folder.join("storage").display(),
        );
        if self.wants_login {
            let file = self.folder.join("htpasswd");
            std::fs::write(&file, LOGIN_FILE).expect("the registry's users can be written");
            text += "auth:\n  htpasswd:\n    realm: tests\n";
            text += &format!("    path: {}\n", file.display());
        }
        std::fs::write(&config, text).expect("the registry's config can be written");
        let arguments = ["serve".to_owned(), config.to_string_lossy().into_owned()];
        let log = self.folder.join("log");
        Process::start(&find("docker-registry"), &arguments, &self.access_log(), &log)
    }

    /// Serves the same images with TLS besides, with HTTP/2 for those who ask for it.
    pub(crate) fn start_secured(&self, certificates: &Certificates) {
        let more = format!(
            "  tls:\n    certificate: {}\n    key: {}\n",
            certificates.certificate().display(),
            certificates.key().display(),
        );
        let process = self.serve("secured.yml", &self.secured_host(), &more);
        *self.secured.borrow_mut() = Some(process);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, SECURED_PORT));
        wait_until(TURN_TIME, "the registry to accept", || TcpStream::connect(address));
    }

    /// Starts it and waits until it answers.
    pub fn start(&self) {
        let process = self.serve("config.yml", &format!("127.0.0.1:{}", self.port), "");
        *self.process.borrow_mut() = Some(process);
        wait_until(TURN_TIME, "the registry to answer", || {
            ask(self.place(), "GET", "/v2/", &[], b"")
        });
    }

    /// Stops it; nothing listens at its address then.
    pub fn stop(&self) {
        if let Some(mut process) = self.process.borrow_mut().take() {
            process.stop(TURN_TIME);
        }
    }

    fn access_log(&self) -> PathBuf {
        self.folder.join("access.log")
    }

    /// Every request so far, one a line, in the combined log format.
    pub fn access(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.access_log()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How many requests there were with this method and a path that begins so.
    pub fn count(&self, method: &str, path: &str) -> usize {
        let wanted = format!("\"{method} {path}");
        let lines = self.access();
        lines.iter().filter(|line| line.contains(&wanted)).count()
    }

    /// How many HEADs asked for this tag (or digest) of a repository.
    pub fn heads(&self, repository: &str, tag: &str) -> usize {
        self.count("HEAD", &format!("/v2/{repository}/manifests/{tag} "))
    }

    /// Asks the distribution API anything.
    pub fn api(&self, method: &str, target: &str, kind: &str, body: &[u8]) -> Response {
        let mut headers = vec![("Content-Type", kind), ("Accept", ACCEPT)];
        if self.wants_login {
            headers.push(("Authorization", LOGIN_HEADER));
        }
        ask(self.place(), method, target, &headers, body)
            .unwrap_or_else(|error| panic!("registry: {method} {target}: {error}"))
    }

    /// Uploads a blob and returns its digest.
    pub fn put_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = digest(bytes);
        let there = self.api("HEAD", &format!("/v2/{repository}/blobs/{digest}"), "", b"");
        if there.status == 200 {
            return digest;
        }
        let uploads = format!("/v2/{repository}/blobs/uploads/");
        let opened = self.api("POST", &uploads, "", b"").well("open an upload");
        let place = opened.header("location").expect("a place to upload to");
        let target = place.find("/v2/").map_or(place, |at| &place[at..]);
        let target = format!("{target}&digest={digest}");
        self.api("PUT", &target, "application/octet-stream", bytes).well("upload a blob");
        digest
    }

    /// Puts a manifest or an index, any bytes, under a tag or digest; returns its digest.
    pub fn put_manifest(
        &self,
        repository: &str,
        reference: &str,
        kind: &str,
        bytes: &[u8],
    ) -> String {
        let target = format!("/v2/{repository}/manifests/{reference}");
        self.api("PUT", &target, kind, bytes).well("put a manifest");
        digest(bytes)
    }

    /// Deletes a manifest by its digest, and so every tag that points at it.
    pub fn delete_manifest(&self, repository: &str, digest: &str) {
        let target = format!("/v2/{repository}/manifests/{digest}");
        self.api("DELETE", &target, "", b"").well("delete a manifest");
    }

    /// Pushes an image; a tag that is there moves to it.
    pub fn push(&self, repository: &str, tag: &str, image: &Image) -> Pushed {
        for layer in image.layers() {
            self.put_blob(repository, &layer);
        }
        self.put_blob(repository, &image.config_bytes());
        let (kind, manifest) = image.manifest();
        Pushed {
            repository: format!("{}/{repository}", self.host()),
            tag: tag.to_owned(),
            digest: self.put_manifest(repository, tag, &kind, &manifest),
            release: image.release(),
        }
    }

    /// Pushes an index (or Docker's list) and the images that it names.
    pub fn push_index(
        &self,
        repository: &str,
        tag: &str,
        dialect: Dialect,
        entries: &[Entry],
    ) -> Pushed {
        let list: Vec<Value> =
            entries.iter().map(|entry| self.describe(repository, entry)).collect();
        let kind = match dialect {
            Dialect::Docker => "application/vnd.docker.distribution.manifest.list.v2+json",
            Dialect::Oci => "application/vnd.oci.image.index.v1+json",
        };
        let index = json!({"schemaVersion": 2, "mediaType": kind, "manifests": list});
        Pushed {
            repository: format!("{}/{repository}", self.host()),
            tag: tag.to_owned(),
            digest: self.put_manifest(repository, tag, kind, index.to_string().as_bytes()),
            release: String::new(),
        }
    }

    fn describe(&self, repository: &str, entry: &Entry) -> Value {
        let descriptor = |image: &Image, platform: Value| {
            let (kind, bytes) = image.manifest();
            let digest = digest(&bytes);
            self.push(repository, &digest, image);
            json!({"mediaType": kind, "size": bytes.len(), "digest": digest, "platform": platform})
        };
        match entry {
            Entry::Image(image) => descriptor(image, image.platform_json()),
            Entry::As(image, platform) => descriptor(image, platform.clone()),
            Entry::Raw(value) => value.clone(),
            Entry::Attestation(about) => {
                let unknown = json!({"os": "unknown", "architecture": "unknown"});
                let statement =
                    (*about).clone().platform("unknown/unknown").label("about", &about.release());
                let mut value = descriptor(&statement, unknown);
                value["annotations"] = json!({
                    "vnd.docker.reference.type": "attestation-manifest",
                    "vnd.docker.reference.digest": digest(&about.manifest().1),
                });
                value
            }
        }
    }
}
