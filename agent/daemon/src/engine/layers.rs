//! Who else holds the layers of an image. A layer that another image needs stays when one of them is removed, and is
//! not fetched again with it: an engine takes what it has for what was sent.

use std::collections::BTreeMap;

use bollard::query_parameters::RemoveImageOptions;
use serde::Deserialize;
use titania_core::names::AppName;

use super::call::{ACT, Call, LIST_BYTES_MAX};
use super::error::EngineError;
use super::image::{HOST, ImageFacts, Tagged, is_missing, read_local_tag};
use super::seen::{LABEL_APP, LABEL_INSTANCE};
use super::transport::act;
use super::{Engine, parse};

/// Most images that are asked about, one question each: a board has some dozens.
const IMAGES_MAX: usize = 1000;

/// An image with layers of another, or the very same one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Engine's id.
    pub image: String,
    /// How many layers, from the lowest on, lie on the disk once for both.
    pub layers: usize,
    /// The agent's own tags on it.
    pub tags: Vec<Tagged>,
    /// Names that others gave it.
    pub names: Vec<String>,
    /// Containers made from it.
    pub containers: Vec<Made>,
}

/// A container made from an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its name.
    pub name: String,
    /// The app it is of, by its label.
    pub app: Option<AppName>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedContainer {
    #[serde(rename = "ImageID", default)]
    image: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

impl ListedContainer {
    /// The agent's own, for a moment: the image that it looks into has a tag of the app that it is done for.
    fn is_throwaway(&self) -> bool {
        let has = |label| self.labels.as_ref().is_some_and(|labels| labels.contains_key(label));
        has(LABEL_INSTANCE) && !has(LABEL_APP)
    }
}

impl Engine {
    /// Every image that shares layers with `image`, itself among them, and what was made from it.
    ///
    /// # Errors
    /// Any: who holds what is then not known at all.
    pub async fn holders(&self, image: &ImageFacts) -> Result<Vec<Holder>, EngineError> {
        let images = self.list_images("?all=1").await?;
        if images.len() > IMAGES_MAX {
            let detail = format!("{} images, more than {IMAGES_MAX}", images.len());
            return Err(EngineError::Garbled { act: "list images".into(), detail });
        }
        let path = "/containers/json?all=1".into();
        let call = Call { bytes_max: LIST_BYTES_MAX, ..Call::get("list containers", path) };
        let made: Vec<ListedContainer> = parse("list containers", &self.wire().well(call).await?)?;
        let mut holders = Vec::new();
        for listed in images {
            let Some(facts) = self.image_by_name(&listed.id).await? else {
                continue; // gone meanwhile
            };
            let layers = common(&image.layers, &facts.layers);
            if layers > 0 || facts.id == image.id {
                holders.push(holder(facts, layers, &made));
            }
        }
        Ok(holders)
    }

    /// Removes an image with all its names. Gone already is fine; layers that others hold stay.
    ///
    /// # Errors
    /// [`EngineError::Conflict`] while a container runs on it.
    pub async fn remove_image(&self, id: &str) -> Result<(), EngineError> {
        let docker = self.wire().docker().await?;
        let options = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
        let words = format!("remove image {id}");
        match act(&words, ACT, docker.remove_image(id, Some(options), None)).await {
            Ok(_) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(other) => Err(other),
        }
    }
}

/// Layers are kept by all that lies below them: the same ones above other ones are not the same on the disk.
fn common(one: &[String], other: &[String]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

fn holder(facts: ImageFacts, layers: usize, made: &[ListedContainer]) -> Holder {
    let plain = |id: &str| id.trim_start_matches("sha256:").to_owned(); // Podman leaves that out
    let is_its =
        |one: &&ListedContainer| plain(&one.image) == plain(&facts.id) && !one.is_throwaway();
    let containers = made.iter().filter(is_its).map(|one| {
        let name =
            one.names.iter().flatten().next().map_or("", |name| name.trim_start_matches('/'));
        let label = one.labels.as_ref().and_then(|labels| labels.get(LABEL_APP));
        Made { name: name.to_owned(), app: label.and_then(|app| app.parse().ok()) }
    });
    let is_others = |name: &&String| !name.starts_with(HOST) && !name.contains('@');
    Holder {
        layers,
        tags: facts
            .tags
            .iter()
            .filter_map(|tag| {
                let (app, generation) = read_local_tag(tag)?;
                Some(Tagged { app, generation, image: facts.id.clone() })
            })
            .collect(),
        names: facts.tags.iter().filter(is_others).cloned().collect(),
        containers: containers.collect(),
        image: facts.id,
    }
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
