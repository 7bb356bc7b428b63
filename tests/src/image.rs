//! Images made by hand around the program in `tests/app`.
//!
//! Promise: the same calls give the same bytes, so the same digests; nothing is fetched.

use crate::{binaries, gzip};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;

/// How a layer travels; its content, and so the release, stays the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    Plain,
    /// Gzip with blocks of this size, stored: nothing becomes smaller.
    Gzip(u16),
    /// Gzip as builders do it.
    Small,
}

/// Whose media types describe the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Docker's schema 2 and lists.
    Docker,
    /// OCI manifests and indexes.
    Oci,
}

/// `sha256:<hex>` of these bytes.
pub fn digest(bytes: &[u8]) -> String {
    let sum = Sha256::digest(bytes);
    let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[derive(Debug, Clone)]
struct Entry {
    path: String,
    mode: u32,
    owner: (u64, u64),
    /// None: a folder.
    bytes: Option<Vec<u8>>,
}

/// An image to be pushed.
#[derive(Debug, Clone)]
pub struct Image {
    entries: Vec<Entry>,
    /// What a layer below the others holds, in one file; empty: there is none.
    base: Vec<u8>,
    passwd: String,
    group: String,
    config: Map<String, Value>,
    platform: String,
    compression: Compression,
    dialect: Dialect,
}

impl Image {
    /// The program, saying that it is `version`, for this machine's platform, as root.
    pub fn version(version: &str) -> Self {
        let mut image = Self {
            entries: Vec::new(),
            base: Vec::new(),
            passwd: "root:x:0:0:root:/:/test-app\n".to_owned(),
            group: "root:x:0:\n".to_owned(),
            config: Map::new(),
            platform: "linux/amd64".to_owned(),
            compression: Compression::Gzip(u16::MAX),
            dialect: Dialect::Docker,
        };
        let program = binaries::test_app();
        let bytes = std::fs::read(&program).unwrap_or_else(|error| panic!("{program:?}: {error}"));
        image = image.file("/version.txt", version.as_bytes());
        image.add("/test-app", 0o755, (0, 0), Some(bytes));
        image.entrypoint(&["/test-app"])
    }

    fn add(&mut self, path: &str, mode: u32, owner: (u64, u64), bytes: Option<Vec<u8>>) {
        let path = path.trim_start_matches('/').to_owned();
        self.entries.push(Entry { path, mode, owner, bytes });
    }

    fn set(mut self, key: &str, value: Value) -> Self {
        self.config.insert(key.to_owned(), value);
        self
    }

    /// Tells the program what to do wrong: see `tests/app/src/behaviour.rs` for the words.
    #[must_use]
    pub fn behaviour(self, told: &str) -> Self {
        self.file("/behaviour.txt", told.as_bytes())
    }

    /// A file of root's, readable by all.
    #[must_use]
    pub fn file(self, path: &str, bytes: &[u8]) -> Self {
        self.file_owned(path, 0o644, (0, 0), bytes)
    }

    /// A layer below the others, with these bytes in a file: images with the same ones share it.
    #[must_use]
    pub fn base(mut self, bytes: &[u8]) -> Self {
        bytes.clone_into(&mut self.base);
        self
    }

    /// A file with mode, uid and gid.
    #[must_use]
    pub fn file_owned(mut self, path: &str, mode: u32, owner: (u64, u64), bytes: &[u8]) -> Self {
        self.add(path, mode, owner, Some(bytes.to_vec()));
        self
    }

    /// A folder with mode, uid and gid.
    #[must_use]
    pub fn folder(mut self, path: &str, mode: u32, owner: (u64, u64)) -> Self {
        self.add(path, mode, owner, None);
        self
    }

    /// One more line in the image's `/etc/passwd` and `/etc/group`.
    #[must_use]
    pub fn passwd(mut self, name: &str, uid: u32, gid: u32) -> Self {
        self.passwd += &format!("{name}:x:{uid}:{gid}:{name}:/:/test-app\n");
        self.group += &format!("{name}:x:{gid}:\n");
        self
    }

    /// `USER`.
    #[must_use]
    pub fn user(self, user: &str) -> Self {
        self.set("User", json!(user))
    }

    /// One more `ENV`.
    #[must_use]
    pub fn env(mut self, key: &str, value: &str) -> Self {
        let list = self.config.entry("Env").or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.push(json!(format!("{key}={value}")));
        }
        self
    }

    /// `CMD`, in exec form.
    #[must_use]
    pub fn cmd(self, words: &[&str]) -> Self {
        self.set("Cmd", json!(words))
    }

    /// `ENTRYPOINT`, in exec form; `/test-app` by default.
    #[must_use]
    pub fn entrypoint(self, words: &[&str]) -> Self {
        self.set("Entrypoint", json!(words))
    }

    /// One more `VOLUME`.
    #[must_use]
    pub fn volume(mut self, path: &str) -> Self {
        let map = self.config.entry("Volumes").or_insert_with(|| json!({}));
        map[path] = json!({});
        self
    }

    /// A label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        let map = self.config.entry("Labels").or_insert_with(|| json!({}));
        map[key] = json!(value);
        self
    }

    /// `HEALTHCHECK` with the program's own `health`, each second.
    #[must_use]
    pub fn healthcheck(self) -> Self {
        let second = 1_000_000_000_u64;
        self.set(
            "Healthcheck",
            json!({"Test": ["CMD", "/test-app", "health"], "Interval": second, "Timeout": second, "Retries": 2}),
        )
    }

    /// Any key of the config's inner `config` object.
    #[must_use]
    pub fn config(self, key: &str, value: Value) -> Self {
        self.set(key, value)
    }

    /// `os/architecture[/variant]`, as config and index will say; the program stays what it is.
    #[must_use]
    pub fn platform(mut self, platform: &str) -> Self {
        platform.clone_into(&mut self.platform);
        self
    }

    /// Another program in place of the one for this machine.
    #[must_use]
    pub fn program(mut self, program: &Path) -> Self {
        let bytes = std::fs::read(program).unwrap_or_else(|error| panic!("{program:?}: {error}"));
        self.entries.retain(|entry| entry.path != "test-app");
        self.add("/test-app", 0o755, (0, 0), Some(bytes));
        self
    }

    /// How its layer travels.
    #[must_use]
    pub fn compressed(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Whose media types it has.
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Its media types.
    pub fn spoken(&self) -> Dialect {
        self.dialect
    }

    /// The layers, unpacked, the lowest first.
    fn tars(&self) -> Vec<Vec<u8>> {
        let file = |path: &str, bytes: &[u8]| Entry {
            path: path.to_owned(),
            mode: 0o644,
            owner: (0, 0),
            bytes: Some(bytes.to_vec()),
        };
        let folder = Entry { path: "etc".to_owned(), mode: 0o755, owner: (0, 0), bytes: None };
        let users =
            [file("etc/passwd", self.passwd.as_bytes()), file("etc/group", self.group.as_bytes())];
        let top = [folder].into_iter().chain(users).chain(self.entries.iter().cloned());
        let base = (!self.base.is_empty()).then(|| tar(&[file("base", &self.base)]));
        base.into_iter().chain([tar(&top.collect::<Vec<_>>())]).collect()
    }

    /// The layers as they travel, the lowest first.
    pub fn layers(&self) -> Vec<Vec<u8>> {
        let travel = |tar: Vec<u8>| match self.compression {
            Compression::Plain => tar,
            Compression::Gzip(block) => gzip::store(&tar, block),
            Compression::Small => gzip::compress(&tar),
        };
        self.tars().into_iter().map(travel).collect()
    }

    /// The topmost layer as it travels.
    pub fn layer(&self) -> Vec<u8> {
        self.layers().pop().unwrap_or_default()
    }

    /// The config, whose digest is the release.
    pub fn config_bytes(&self) -> Vec<u8> {
        let mut config = self.platform_json();
        config["created"] = json!("2026-01-01T00:00:00Z");
        config["config"] = Value::Object(self.config.clone());
        let contents: Vec<String> = self.tars().iter().map(|tar| digest(tar)).collect();
        let made = json!({"created": "2026-01-01T00:00:00Z", "created_by": "tests"});
        config["history"] = json!(vec![made; contents.len()]);
        config["rootfs"] = json!({"type": "layers", "diff_ids": contents});
        config.to_string().into_bytes()
    }

    /// Digest of the config: what identifies the release.
    pub fn release(&self) -> String {
        digest(&self.config_bytes())
    }

    /// Its platform as an object of an index.
    pub fn platform_json(&self) -> Value {
        let parts: Vec<&str> = self.platform.split('/').collect();
        let mut object = json!({"os": parts[0], "architecture": parts.get(1)});
        if let Some(variant) = parts.get(2) {
            object["variant"] = json!(variant);
        }
        object
    }

    /// The manifest and its media type.
    pub fn manifest(&self) -> (String, Vec<u8>) {
        let gzipped = self.compression != Compression::Plain;
        let (kind, config_kind, layer_kind) = match self.dialect {
            Dialect::Docker => (
                "application/vnd.docker.distribution.manifest.v2+json",
                "application/vnd.docker.container.image.v1+json",
                match gzipped {
                    true => "application/vnd.docker.image.rootfs.diff.tar.gzip",
                    false => "application/vnd.docker.image.rootfs.diff.tar",
                },
            ),
            Dialect::Oci => (
                "application/vnd.oci.image.manifest.v1+json",
                "application/vnd.oci.image.config.v1+json",
                match gzipped {
                    true => "application/vnd.oci.image.layer.v1.tar+gzip",
                    false => "application/vnd.oci.image.layer.v1.tar",
                },
            ),
        };
        let part = |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "size": bytes.len(), "digest": digest(bytes)});
        let layers: Vec<Value> =
            self.layers().iter().map(|layer| part(layer_kind, layer)).collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": kind,
            "config": part(config_kind, &self.config_bytes()),
            "layers": layers,
        });
        (kind.to_owned(), manifest.to_string().into_bytes())
    }
}

fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        let content = entry.bytes.as_deref().unwrap_or_default();
        header.set_entry_type(match entry.bytes {
            Some(_) => tar::EntryType::Regular,
            None => tar::EntryType::Directory,
        });
        header.set_size(content.len() as u64);
        header.set_mode(entry.mode);
        header.set_uid(entry.owner.0);
        header.set_gid(entry.owner.1);
        header.set_mtime(1_767_225_600);
        builder
            .append_data(&mut header, &entry.path, content)
            .unwrap_or_else(|error| panic!("{}: {error}", entry.path));
    }
    builder.into_inner().expect("a tar in memory")
}
