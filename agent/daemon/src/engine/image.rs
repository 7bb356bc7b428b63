//! Images, by the agent's own tag: the only handle by which they are named.

use bollard::query_parameters::{RemoveImageOptions, TagImageOptions};
use serde::Deserialize;
use titania_core::digest::Digest;
use titania_core::names::{AppName, Generation};

use super::call::{ACT, Call, LIST_BYTES_MAX, encode};
use super::error::{EngineError, Refusal};
use super::inspect::Config;
use super::transport::act;
use super::{Engine, parse};

/// Host part of the agent's own tags. No registry: a pull of it fails, as it should.
pub(super) const HOST: &str = "titania-agent.local";

/// Path for an app whose name is no path component of a repository (`a..b`): its bytes in hex follow.
const ODD: &str = "odd/";

/// On an image that somebody else had brought here by its digest before the agent fetched it: it stays when the agent
/// needs it no longer. No app's name has such a path. A crash after the agent's last own tag is taken off leaves it.
const OTHERS: &str = "titania-agent.local/kept/others";

/// Digits of an image's id in that tag.
const OTHERS_DIGITS: usize = 32;

/// How Docker lists the name of an image without one, up to 24.
const NO_NAME: &str = "<none>";

/// Most images whose layers are looked at: each costs a question, and a board has a dozen.
const IMAGES_MAX: usize = 256;

/// One tag of the agent's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tagged {
    /// App.
    pub app: AppName,
    /// Generation.
    pub generation: Generation,
    /// Engine's id of the image: never compared across boards.
    pub image: String,
}

/// What the engine says of an image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageFacts {
    /// Engine's id: config digest on overlay2, manifest digest on the containerd store.
    pub id: String,
    /// Digests of its layers, unpacked: the one identity that all stores share.
    pub layers: Vec<String>,
    /// `amd64`, `arm`, `arm64`.
    pub architecture: String,
    /// `v7`; empty where there is none, and on Podman.
    pub variant: String,
    /// `linux`.
    pub os: String,
    /// USER; empty means root.
    pub user: String,
    /// ENTRYPOINT.
    pub entrypoint: Vec<String>,
    /// CMD.
    pub command: Vec<String>,
    /// ENV, as `KEY=value`.
    pub env: Vec<String>,
    /// Paths of its VOLUMEs.
    pub volumes: Vec<String>,
    /// EXPOSEd ports, `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// Command of its HEALTHCHECK; null when it has none, or NONE.
    pub healthcheck: Option<Vec<String>>,
    /// Bytes it takes: unpacked on overlay2, compressed on the containerd store.
    pub size_bytes: u64,
    /// Names it has, `repository:tag`.
    pub tags: Vec<String>,
    /// Names it has, `repository@digest`; may vanish.
    pub digests: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Told {
    id: String,
    repo_tags: Option<Vec<String>>,
    repo_digests: Option<Vec<String>>,
    architecture: Option<String>,
    variant: Option<String>,
    os: Option<String>,
    size: Option<i64>,
    #[serde(rename = "RootFS")]
    root_fs: Option<RootFs>,
    config: Option<Config>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RootFs {
    layers: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    pub(super) id: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    repo_digests: Option<Vec<String>>,
}

/// The agent's own tag: `titania-agent.local/<app>:g<generation>`.
pub fn local_tag(app: &AppName, generation: Generation) -> String {
    format!("{}:g{generation}", local_repository(app))
}

fn local_repository(app: &AppName) -> String {
    let name = app.as_str();
    let is_component =
        format!("{HOST}/{name}").parse::<titania_core::reference::Reference>().is_ok()
            && !name.contains(".-")
            && !name.contains("-.")
            && !name.contains("_-")
            && !name.contains("-_");
    if is_component {
        return format!("{HOST}/{name}");
    }
    let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{HOST}/{ODD}{hex}")
}

/// App and generation of one of the agent's own tags; null for any other name.
pub(super) fn read_local_tag(tag: &str) -> Option<(AppName, Generation)> {
    let (path, number) = tag.strip_prefix(HOST)?.strip_prefix('/')?.rsplit_once(":g")?;
    let name = match path.strip_prefix(ODD) {
        None => path.to_string(),
        Some(hex) => {
            let bytes = (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok());
            String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()?
        }
    };
    let generation = Generation(number.parse().ok()?);
    let app: AppName = name.parse().ok()?;
    (local_tag(&app, generation) == tag).then_some((app, generation))
}

impl Engine {
    /// Gives an image the agent's own tag, so that a plain `image prune` does not take it. Again is fine.
    ///
    /// # Errors
    /// [`Refusal::ImageMissing`] when there is no image of that name.
    pub async fn tag(
        &self,
        image: &str,
        app: &AppName,
        generation: Generation,
    ) -> Result<(), EngineError> {
        self.name(image, local_repository(app), format!("g{generation}")).await
    }

    /// Keeps in mind, by a tag, that an image is somebody else's. Again is fine.
    ///
    /// # Errors
    /// As [`Engine::tag`].
    pub async fn leave_to_others(&self, image: &ImageFacts) -> Result<(), EngineError> {
        let digits = image.id.trim_start_matches("sha256:").chars().take(OTHERS_DIGITS).collect();
        self.name(&image.id, OTHERS.to_owned(), digits).await
    }

    async fn name(&self, image: &str, repo: String, tag: String) -> Result<(), EngineError> {
        let docker = self.wire().docker().await?;
        let options = TagImageOptions { repo: Some(repo), tag: Some(tag) };
        let words = format!("tag {image}");
        act(&words, ACT, docker.tag_image(image, Some(options))).await
    }

    /// Takes the agent's own tag off, and with it the image where no other tag names it. Again is fine.
    ///
    /// A pull by digest leaves a second name, `repository@digest`, that would keep the image for ever: it goes first,
    /// unless somebody else had brought the image here.
    ///
    /// # Errors
    /// [`EngineError::Conflict`] while a container uses the image: tag and image stay.
    pub async fn untag(&self, app: &AppName, generation: Generation) -> Result<(), EngineError> {
        let tag = local_tag(app, generation);
        let Some(facts) = self.image_by_name(&tag).await? else {
            return Ok(());
        };
        // On the containerd store a digest's name stands among the tags as well.
        let is_other = |name: &&String| **name != tag && !name.contains('@');
        let others: Vec<&String> = facts.tags.iter().filter(is_other).collect();
        if others.is_empty() {
            for name in facts.digests.iter().filter(|name| !name.starts_with(HOST)) {
                match self.remove_name(name).await {
                    Ok(()) | Err(EngineError::Conflict { .. }) => {}
                    Err(other) => return Err(other),
                }
            }
        }
        self.remove_name(&tag).await?;
        let is_last = others.iter().all(|name| read_local_tag(name).is_none());
        match others.iter().find(|name| is_of_others(name)).filter(|_| is_last) {
            Some(kept) => self.remove_name(kept).await, // what they call it stays
            None => Ok(()),
        }
    }

    /// Ids of images that no name is left for. An engine that crashes while it removes one leaves such: it takes the
    /// name off first.
    pub async fn nameless(&self) -> Result<Vec<String>, EngineError> {
        let filters = serde_json::json!({ "dangling": ["true"] });
        let listed =
            self.list_images(&format!("?filters={}", encode(&filters.to_string()))).await?;
        let is_nameless = |image: &Listed| {
            let names = [&image.repo_tags, &image.repo_digests];
            names.into_iter().flatten().flatten().all(|name| name.starts_with(NO_NAME))
        };
        Ok(listed.into_iter().filter(is_nameless).map(|image| image.id).collect())
    }

    /// Removes an image that no name is left for. One that has a name (again), or that a container uses, stays.
    ///
    /// # Errors
    /// As the engine says.
    pub async fn remove_nameless(&self, id: &str) -> Result<(), EngineError> {
        let facts = self.image_by_name(id).await?;
        if facts.is_none_or(|facts| !facts.tags.is_empty() || !facts.digests.is_empty()) {
            return Ok(());
        }
        match self.remove_name(id).await {
            Err(EngineError::Conflict { .. }) => Ok(()),
            other => other,
        }
    }

    /// Of each image on the board, whoever brought it, the digests of its layers, unpacked, the lowest first; of
    /// [`IMAGES_MAX`] images at most.
    pub async fn contents(&self) -> Result<Vec<Vec<Digest>>, EngineError> {
        let mut held = Vec::new();
        for image in self.list_images("").await?.into_iter().take(IMAGES_MAX) {
            let facts = match self.image_by_name(&image.id).await {
                Ok(Some(facts)) => facts,
                Ok(None) => continue, // it went meanwhile
                // One that the engine can't read shares nothing; all others do.
                Err(error) if !error.is_unknown() && !error.is_away() => {
                    log::info!("image {}: {error}", image.id);
                    continue;
                }
                Err(error) => return Err(error),
            };
            // A layer that has no digest of the usual kind is none that can be compared.
            let layers = facts.layers.iter().map_while(|layer| layer.parse().ok());
            held.push(layers.collect());
        }
        Ok(held)
    }

    pub(super) async fn list_images(&self, query: &str) -> Result<Vec<Listed>, EngineError> {
        let call = Call {
            bytes_max: LIST_BYTES_MAX,
            ..Call::get("list images", format!("/images/json{query}"))
        };
        parse("list images", &self.wire().well(call).await?)
    }

    async fn remove_name(&self, name: &str) -> Result<(), EngineError> {
        let docker = self.wire().docker().await?;
        let words = format!("remove image {name}");
        match act(&words, ACT, docker.remove_image(name, None::<RemoveImageOptions>, None)).await {
            Ok(_) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// All tags of the agent's own.
    pub async fn tags(&self) -> Result<Vec<Tagged>, EngineError> {
        let filters =
            serde_json::json!({ "reference": [format!("{HOST}/*"), format!("{HOST}/*/*")] });
        let listed =
            self.list_images(&format!("?filters={}", encode(&filters.to_string()))).await?;
        let mut tags = Vec::new();
        for image in listed {
            for tag in image.repo_tags.unwrap_or_default() {
                tags.extend(read_local_tag(&tag).map(|(app, generation)| Tagged {
                    app,
                    generation,
                    image: image.id.clone(),
                }));
            }
        }
        tags.sort();
        Ok(tags)
    }

    /// The image under the agent's own tag; null when there is none.
    pub async fn image(
        &self,
        app: &AppName,
        generation: Generation,
    ) -> Result<Option<ImageFacts>, EngineError> {
        self.image_by_name(&local_tag(app, generation)).await
    }

    /// The image of that name or id; null when there is none.
    pub async fn image_by_name(&self, name: &str) -> Result<Option<ImageFacts>, EngineError> {
        let act = format!("inspect image {name}");
        // Slashes stay: Docker's router takes the whole rest of the path as the name.
        let path = name.split('/').map(encode).collect::<Vec<_>>().join("/");
        match self.wire().well(Call::get(&act, format!("/images/{path}/json"))).await {
            Ok(answer) => Ok(Some(ImageFacts::of(parse(&act, &answer)?))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(other) => Err(other),
        }
    }
}

fn is_of_others(tag: &str) -> bool {
    tag.strip_prefix(OTHERS).is_some_and(|rest| rest.starts_with(':'))
}

pub(super) fn is_missing(error: &EngineError) -> bool {
    matches!(error, EngineError::NoSuch { .. }) || error.refusal() == Some(Refusal::ImageMissing)
}

impl ImageFacts {
    /// Whether somebody else brought it here, as far as its names tell: none of them is the agent's own, or one says so.
    pub fn is_of_others(&self) -> bool {
        let is_own = |tag: &&String| tag.starts_with(HOST) && !tag.contains('@');
        let mut own = self.tags.iter().filter(is_own);
        own.clone().next().is_none() || own.any(|tag| is_of_others(tag))
    }

    fn of(told: Told) -> Self {
        let config = told.config.unwrap_or_default();
        let test = config.healthcheck.map(|check| check.test).unwrap_or_default();
        let has_test = !test.is_empty() && test.first().is_some_and(|word| word != "NONE");
        Self {
            id: told.id,
            layers: told.root_fs.and_then(|root| root.layers).unwrap_or_default(),
            architecture: told.architecture.unwrap_or_default(),
            variant: told.variant.unwrap_or_default(),
            os: told.os.unwrap_or_default(),
            user: config.user,
            entrypoint: config.entrypoint,
            command: config.cmd,
            env: config.env,
            volumes: config.volumes.into_keys().collect(),
            exposed_ports: config.exposed_ports.into_keys().collect(),
            healthcheck: has_test.then_some(test),
            size_bytes: told.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            tags: told.repo_tags.unwrap_or_default(),
            digests: told.repo_digests.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
