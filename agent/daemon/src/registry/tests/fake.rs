//! A registry in memory: what is put in is served as a registry would, and each test bends what it needs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use titania_core::digest::Digest;
use titania_core::oci::{
    DOCKER_CONFIG, DOCKER_LIST, DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST,
};

use super::server::{Reply, Request, Server};

/// A document that was put in.
#[derive(Clone, Debug)]
pub struct Put {
    pub digest: Digest,
    pub media_type: &'static str,
    pub size: usize,
    /// Digest of its config, of a manifest.
    pub config: Option<Digest>,
}

#[derive(Default)]
pub struct Store {
    blobs: BTreeMap<Digest, Vec<u8>>,
    documents: BTreeMap<Digest, (&'static str, Vec<u8>)>,
    tags: BTreeMap<String, Digest>,
}

pub struct Fake {
    pub store: Arc<Mutex<Store>>,
    pub server: Server,
}

/// `os`, `architecture`, `variant`.
pub type Words = (&'static str, &'static str, &'static str);

pub const ARM: Words = ("linux", "arm", "v7");
pub const AMD: Words = ("linux", "amd64", "");
pub const RISC: Words = ("linux", "riscv64", "");

impl Store {
    pub fn document(&mut self, media_type: &'static str, text: String) -> Put {
        let digest = Digest::of(text.as_bytes());
        let size = text.len();
        self.documents.insert(digest, (media_type, text.into_bytes()));
        Put { digest, media_type, size, config: None }
    }

    pub fn blob(&mut self, bytes: impl Into<Vec<u8>>) -> Digest {
        let bytes = bytes.into();
        let digest = Digest::of(&bytes);
        self.blobs.insert(digest, bytes);
        digest
    }

    /// An image whose config says `on`; `mark` tells it from others.
    pub fn image(&mut self, on: Words, mark: &str) -> Put {
        self.image_as(on, mark, OCI_MANIFEST, OCI_CONFIG)
    }

    pub fn docker_image(&mut self, on: Words, mark: &str) -> Put {
        self.image_as(on, mark, DOCKER_MANIFEST, DOCKER_CONFIG)
    }

    fn image_as(&mut self, on: Words, mark: &str, kind: &'static str, of: &str) -> Put {
        let layer = Digest::of(mark.as_bytes());
        let (os, architecture, variant) = on;
        let config = self.blob(format!(
            r#"{{"os":"{os}","architecture":"{architecture}","variant":"{variant}","created":"2026-11-23T21:00:00Z",
            "config":{{"User":"app","Env":["MARK={mark}"],"Volumes":{{"/data":{{}}}}}},
            "rootfs":{{"type":"layers","diff_ids":["{layer}"]}}}}"#
        ));
        let put = self.document(
            kind,
            format!(
                r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{{"mediaType":"{of}","digest":"{config}","size":1}},
                "layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{layer}","size":1000}}]}}"#
            ),
        );
        Put { config: Some(config), ..put }
    }

    /// An index of `entries`, each for a platform or for none.
    pub fn index(&mut self, entries: &[(Option<Words>, &Put)]) -> Put {
        self.index_as(OCI_INDEX, entries)
    }

    pub fn docker_list(&mut self, entries: &[(Option<Words>, &Put)]) -> Put {
        self.index_as(DOCKER_LIST, entries)
    }

    fn index_as(&mut self, kind: &'static str, entries: &[(Option<Words>, &Put)]) -> Put {
        let entries: Vec<String> = entries
            .iter()
            .map(|(on, put)| {
                let platform = on.map_or(String::new(), |(os, architecture, variant)| {
                    format!(
                        r#","platform":{{"os":"{os}","architecture":"{architecture}","variant":"{variant}"}}"#
                    )
                });
                format!(
                    r#"{{"mediaType":"{}","digest":"{}","size":{}{platform}}}"#,
                    put.media_type, put.digest, put.size
                )
            })
            .collect();
        self.document(
            kind,
            format!(
                r#"{{"schemaVersion":2,"mediaType":"{kind}","manifests":[{}]}}"#,
                entries.join(",")
            ),
        )
    }

    pub fn tag(&mut self, tag: &str, put: &Put) {
        self.tags.insert(tag.to_owned(), put.digest);
    }

    pub fn untag(&mut self, tag: &str) {
        self.tags.remove(tag);
    }

    /// Other bytes under the digest of a document.
    pub fn spoil(&mut self, put: &Put, bytes: &[u8]) {
        self.documents.insert(put.digest, (put.media_type, bytes.to_vec()));
    }

    /// Other bytes under the digest of a blob.
    pub fn spoil_blob(&mut self, digest: &Digest, bytes: &[u8]) {
        self.blobs.insert(*digest, bytes.to_vec());
    }

    /// The answer of an honest registry that has all this in each of its repositories.
    pub fn answer(&self, request: &Request) -> Reply {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        if let Some((_, reference)) = path.split_once("/manifests/") {
            let digest = reference.parse().ok().or(self.tags.get(reference).copied());
            return match digest.and_then(|digest| Some((digest, self.documents.get(&digest)?))) {
                Some((digest, (kind, bytes))) => Reply::new(200, bytes.clone())
                    .with("docker-content-digest", digest.to_string())
                    .with("content-type", *kind),
                None => Reply::new(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#),
            };
        }
        if let Some((_, digest)) = path.split_once("/blobs/") {
            return match digest.parse().ok().and_then(|digest| self.blobs.get(&digest)) {
                Some(bytes) => Reply::new(200, bytes.clone()),
                None => Reply::new(404, ""),
            };
        }
        if let Some((repository, _)) = path.split_once("/tags/list") {
            return self.page(repository, query);
        }
        Reply::new(404, "")
    }

    fn page(&self, repository: &str, query: &str) -> Reply {
        let field = |name: &str| {
            let mut fields = query.split('&').filter_map(|field| field.split_once('='));
            fields.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let size: usize = field("n").and_then(|n| n.parse().ok()).unwrap_or(100);
        let last = field("last").unwrap_or_default();
        let after: Vec<&String> = self.tags.keys().filter(|tag| tag.as_str() > last).collect();
        let page: Vec<String> = after.iter().take(size).map(|tag| format!("\"{tag}\"")).collect();
        let reply = Reply::new(200, format!(r#"{{"name":"x","tags":[{}]}}"#, page.join(",")));
        match after.get(size.saturating_sub(1)) {
            Some(last) if after.len() > size => reply.with(
                "link",
                format!("<{repository}/tags/list?last={last}&n={size}>; rel=\"next\""),
            ),
            _ => reply,
        }
    }
}

impl Fake {
    pub fn start() -> Self {
        Self::bent(|_| None)
    }

    /// A registry of which `bend` answers some requests otherwise.
    pub fn bent(bend: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let store = Arc::new(Mutex::new(Store::default()));
        let own = Arc::clone(&store);
        let server = Server::start(move |request| {
            bend(request)
                .unwrap_or_else(|| own.lock().expect("no test thread panicked").answer(request))
        });
        Self { store, server }
    }

    /// Changes what it has.
    pub fn put<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        change(&mut self.store.lock().expect("no test thread panicked"))
    }
}
