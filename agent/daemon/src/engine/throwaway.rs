//! A container in which nothing of its image is ever run: the way to look into the image, and to have the engine's word
//! for a port.
//!
//! It has no mounts, since the archive API reads through binds, and answers 404 for every path while a
//! source is missing. Its only label of ours is the instance, so that one left by a crash is found and removed.

use std::collections::HashMap;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{CreateContainerOptions, RemoveContainerOptions};
use hyper::{Method, StatusCode};
use serde::Deserialize;
use titania_core::names::{AppName, InstanceId};

use super::archive::Archive;
use super::call::{ACT, Call, encode, garbled};
use super::error::EngineError;
use super::seen::{LABEL_APP, LABEL_INSTANCE};
use super::transport::act;
use super::{Engine, short};

/// Links followed until a file is given up: as Linux does (path_resolution(7): 40), but no image needs more than a few.
const LINKS_MAX: usize = 8;

/// What tar adds to one file: its head, long names, times, the padding and the end.
const TAR_BYTES: u64 = 16 * 1024;

/// A container `<app>-probe`.
#[derive(Clone, Debug)]
pub struct Throwaway {
    engine: Engine,
    id: String,
}

/// What lies at a path of an image; the last part of the path is not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lies {
    /// Nothing.
    Nothing,
    /// A file of so many bytes, with these rights.
    File {
        /// Its size.
        bytes: u64,
        /// Its mode, without the type.
        mode: u32,
    },
    /// A link to there.
    Link(String),
    /// Something else.
    Other,
}

/// Header of the archive API's HEAD, as Go writes it (docker, `types.ContainerPathStat`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PathStat {
    #[serde(default)]
    size: u64,
    #[serde(default)]
    mode: u32,
    #[serde(default)]
    link_target: String,
}

/// Bits of Go's `FileMode` that say what it is; a file has none of them.
const MODE_TYPE: u32 = 0x8f28_0000;
/// The one of a link.
const MODE_LINK: u32 = 0x0800_0000;

/// What a file's own bytes say of it.
enum Entry {
    File(Vec<u8>),
    Link(String),
    Other,
}

impl Engine {
    /// Makes `<app>-probe` from `image`, with no mounts. One that was left over is removed first.
    ///
    /// # Errors
    /// [`EngineError::Conflict`] when the name is taken by a container that is not ours.
    pub async fn throwaway(
        &self,
        app: &AppName,
        instance: &InstanceId,
        image: &str,
    ) -> Result<Throwaway, EngineError> {
        self.throwaway_of(app, instance, body(instance, image)).await
    }

    pub(super) async fn throwaway_of(
        &self,
        app: &AppName,
        instance: &InstanceId,
        body: ContainerCreateBody,
    ) -> Result<Throwaway, EngineError> {
        let name = format!("{app}-probe");
        let id = match self.make_throwaway(&name, body.clone()).await {
            Err(EngineError::Conflict { act, message }) => {
                let old = self.inspect(&name).await?;
                let labels = &old.config.labels;
                let is_ours = labels.get(LABEL_INSTANCE) == Some(&instance.0)
                    && !labels.contains_key(LABEL_APP);
                if !is_ours {
                    return Err(EngineError::Conflict { act, message });
                }
                self.remove_throwaway(&old.id).await?;
                self.make_throwaway(&name, body).await?
            }
            other => other?,
        };
        Ok(Throwaway { engine: self.clone(), id })
    }

    async fn make_throwaway(
        &self,
        name: &str,
        body: ContainerCreateBody,
    ) -> Result<String, EngineError> {
        let docker = self.wire().docker().await?;
        let options = CreateContainerOptions {
            name: Some(name.to_string()),
            ..CreateContainerOptions::default()
        };
        let words = format!("create {name}");
        Ok(act(&words, ACT, docker.create_container(Some(options), body)).await?.id)
    }

    /// Removes a throw-away container, with the volumes that the engine made for its image's VOLUMEs. Gone already is fine.
    pub async fn remove_throwaway(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptions { v: true, force: true, link: false };
        self.remove_with(id, options).await
    }
}

impl Throwaway {
    /// Engine's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Removes it. One that is only dropped stays until it is found by its label.
    pub async fn remove(self) -> Result<(), EngineError> {
        self.engine.remove_throwaway(&self.id).await
    }

    /// What lies at `path`, without its content.
    ///
    /// # Errors
    /// [`EngineError::Garbled`] when the engine says it in no known way.
    pub async fn look(&self, path: &str) -> Result<Lies, EngineError> {
        let words = format!("look at {path} in {}", short(&self.id));
        let call = Call {
            method: Method::HEAD,
            ..Call::get(&words, format!("/containers/{}/archive?path={}", self.id, encode(path)))
        };
        let answer = self.engine.wire().ask(call).await?;
        match (answer.status, answer.path_stat) {
            (StatusCode::NOT_FOUND, _) => Ok(Lies::Nothing),
            (status, Some(stat)) if status.is_success() => read_stat(&stat)
                .ok_or_else(|| garbled(&words, "its path-stat header can't be read")),
            (status, _) => Err(garbled(&words, format!("status {status} and no path-stat header"))),
        }
    }

    /// What lies at `path`: tar of the file, or of the folder with all in it under the folder's own name.
    /// Null when there is nothing. A link as the last part of the path is not followed.
    pub async fn archive(
        &self,
        path: &str,
        bytes_max: u64,
    ) -> Result<Option<Archive>, EngineError> {
        let words = format!("read {path} in {}", short(&self.id));
        let call = Call {
            deadline: ACT,
            ..Call::get(&words, format!("/containers/{}/archive?path={}", self.id, encode(path)))
        };
        match self.engine.wire().stream(call).await {
            Ok(body) => Ok(Some(Archive::new(words, body, bytes_max))),
            Err(EngineError::NoSuch { message, .. }) if !message.contains("No such container") => {
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    /// The first bytes of a file, `bytes_max` at most; none where there is no file. A link as the last part of the path is
    /// not followed.
    ///
    /// # Errors
    /// The engine's, or it sends what is no tar.
    pub async fn head(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>, EngineError> {
        let Some(archive) = self.archive(path, u64::MAX).await? else {
            return Ok(Vec::new());
        };
        let tar_max = bytes_max.saturating_add(TAR_BYTES as usize);
        let tar = archive.start(tar_max).await?;
        let words = format!("read {path} in {}", short(&self.id));
        match first(&tar).map_err(|error| garbled(&words, error.to_string()))? {
            Entry::File(mut bytes) => {
                bytes.truncate(bytes_max);
                Ok(bytes)
            }
            Entry::Link(_) | Entry::Other => Ok(Vec::new()),
        }
    }

    /// The content of a small file, links followed inside the image; null when there is none.
    ///
    /// # Errors
    /// [`EngineError::Garbled`] when it is longer than `bytes_max`, no file, or a link to itself.
    pub async fn file(&self, path: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, EngineError> {
        let mut path = path.to_string();
        for _ in 0..LINKS_MAX {
            let words = format!("read {path} in {}", short(&self.id));
            let tar_max = (bytes_max as u64).saturating_add(TAR_BYTES);
            let Some(archive) = self.archive(&path, tar_max).await? else {
                return Ok(None);
            };
            match first(&archive.whole().await?)
                .map_err(|error| garbled(&words, error.to_string()))?
            {
                Entry::File(bytes) if bytes.len() <= bytes_max => return Ok(Some(bytes)),
                Entry::File(_) => {
                    return Err(garbled(&words, format!("longer than {bytes_max} bytes")));
                }
                Entry::Link(target) => path = follow(&path, &target),
                Entry::Other => return Err(garbled(&words, "it is no file")),
            }
        }
        Err(garbled("read a file of the image", format!("{path}: more than {LINKS_MAX} links")))
    }
}

pub(super) fn body(instance: &InstanceId, image: &str) -> ContainerCreateBody {
    let network_mode = Some("none".to_string());
    ContainerCreateBody {
        image: Some(image.to_string()),
        // Never run; an image without a command of its own is refused otherwise.
        entrypoint: Some(vec!["/never-started".to_string()]),
        labels: Some(HashMap::from([(LABEL_INSTANCE.to_string(), instance.0.clone())])),
        host_config: Some(HostConfig { network_mode, ..HostConfig::default() }),
        ..ContainerCreateBody::default()
    }
}

/// What the header of HEAD says. Never panics, whatever the bytes. Podman names each path as its own target, so
/// the mode tells a link.
fn read_stat(header: &str) -> Option<Lies> {
    let bytes = STANDARD.decode(header.trim()).ok()?;
    let stat: PathStat = serde_json::from_slice(&bytes).ok()?;
    Some(match stat.mode & MODE_TYPE {
        0 => Lies::File { bytes: stat.size, mode: stat.mode & 0o777 },
        MODE_LINK => Lies::Link(stat.link_target),
        _ => Lies::Other,
    })
}

/// The first entry of a tar. Never panics, whatever the bytes.
fn first(tar: &[u8]) -> std::io::Result<Entry> {
    let mut archive = tar::Archive::new(tar);
    let Some(entry) = archive.entries()?.next() else {
        return Ok(Entry::Other);
    };
    let mut entry = entry?;
    let kind = entry.header().entry_type();
    if kind.is_symlink() {
        let target = entry.link_name_bytes().unwrap_or_default();
        return Ok(Entry::Link(String::from_utf8_lossy(&target).into_owned()));
    }
    if !kind.is_file() {
        return Ok(Entry::Other);
    }
    let mut bytes = Vec::new();
    // A head that promises more than there is must not make room for it.
    entry.by_ref().take(tar.len() as u64).read_to_end(&mut bytes)?;
    Ok(Entry::File(bytes))
}

/// Where a link at `path` points to; the engine resolves `..` inside the image's root.
fn follow(path: &str, target: &str) -> String {
    if target.starts_with('/') {
        return target.to_string();
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{folder}/{target}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar(kind: tar::EntryType, content: &[u8], link: &str) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        if link.is_empty() {
            builder.append_data(&mut header, "passwd", content).unwrap();
        } else {
            builder.append_link(&mut header, "passwd", link).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn what_lies_at_a_path_is_told_by_the_mode() {
        let stat = |mode: u32, link: &str| {
            let text = format!(
                "{{\"name\":\"app\",\"size\":686792,\"mode\":{mode},\"mtime\":\"\",\"linkTarget\":\"{link}\"}}"
            );
            read_stat(&STANDARD.encode(text))
        };
        for (mode, link, want) in [
            (0o755, "", Lies::File { bytes: 686_792, mode: 0o755 }),
            (0o755, "/app", Lies::File { bytes: 686_792, mode: 0o755 }), // Podman
            (0o644 | 0x0080_0000, "", Lies::File { bytes: 686_792, mode: 0o644 }), // setuid
            (0o777 | MODE_LINK, "/bin/dash", Lies::Link("/bin/dash".to_string())),
            (0o755 | 0x8000_0000, "", Lies::Other), // a folder
            (0o666 | 0x0420_0000, "", Lies::Other), // /dev/null
        ] {
            assert_eq!(stat(mode, link), Some(want), "{mode:o}");
        }
        for garbage in ["", "%", "bm9uZQ==", "e30"] {
            assert_eq!(read_stat(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn the_first_entry_is_a_file_or_a_link() {
        let file = first(&tar(tar::EntryType::Regular, b"root:x:0", "")).unwrap();
        assert!(matches!(file, Entry::File(bytes) if bytes == b"root:x:0"));
        let link = first(&tar(tar::EntryType::Symlink, b"", "../x")).unwrap();
        assert!(matches!(link, Entry::Link(target) if target == "../x"));
        let folder = first(&tar(tar::EntryType::Directory, b"", "")).unwrap();
        assert!(matches!(folder, Entry::Other));
        assert!(matches!(first(b"").unwrap(), Entry::Other));
    }

    #[test]
    fn garbage_and_cut_tars_are_errors_not_panics() {
        let whole = tar(tar::EntryType::Regular, &[7; 3000], "");
        for length in 1..whole.len().min(3584) {
            let cut = first(whole.get(..length).unwrap());
            assert!(
                !matches!(cut, Ok(Entry::File(bytes)) if bytes.len() == 3000 && length < 3512),
                "cut at {length}"
            );
        }
        assert!(first(&[0xff; 2048]).is_err());
    }

    #[test]
    fn links_are_followed_inside_the_image() {
        assert_eq!(follow("/etc/passwd", "/usr/etc/passwd"), "/usr/etc/passwd");
        assert_eq!(follow("/etc/passwd", "../run/passwd"), "/etc/../run/passwd");
        assert_eq!(follow("/passwd", "x"), "/x");
    }
}
