//! Look and repair: an image that lost content on this disk, as a power cut leaves it, is found out and removed, so
//! that it is fetched again.
//!
//! Promise: refused is on proof, the entry point that is not what it was, never an image that is merely gone; nothing
//! goes while somebody else's image holds all of its layers, for an engine does not fetch a layer that it has. For the
//! same reason container and image of a damaged one go before what replaces them is there; no other of a committed
//! release does.

use std::sync::Arc;
use std::time::Duration;

use titania_core::names::Generation;
use titania_core::reason::{Class, Code, Reason};
use titania_core::spec::Spec;
use titania_core::world::Doubt;

use super::super::fault::Fault;
use super::Act;
use super::fetch::repository;
use super::image::Entry;
use crate::board::clock;
use crate::engine::{Holder, ImageFacts};

/// What a look into an image found.
enum Found {
    /// There is no such image.
    Gone,
    /// Nothing wrong.
    Whole,
    /// What it lost, in words.
    Lost(String),
}

/// Longest look into an image: the app is down meanwhile.
const LOOK_MAX: Duration = Duration::from_secs(15);

/// Digits of an id that a person is told: engines take them for it.
const ID_SHOWN: usize = 12;

impl Act<'_> {
    /// Looks into the image of a release that ran once and does not start now.
    pub(super) async fn look(&self, generation: Generation, spec: &Spec) -> Result<(), Fault> {
        let found = match self.what_is_lost(generation, spec).await {
            Ok(found) => found,
            Err(Fault::LookAgain) => return Err(Fault::LookAgain),
            Err(Fault::Failed { reason, .. }) => {
                // Without proof it is taken for well: what keeps it from running is told all the same.
                log::warn!(
                    "{}: its image could not be looked into: {}",
                    self.app.name,
                    reason.message
                );
                Found::Whole
            }
        };
        let doubt = match &found {
            Found::Gone => Doubt::Gone,
            Found::Whole => Doubt::Sound,
            Found::Lost(_) => Doubt::Damaged,
        };
        let is_current = self.is_current(generation);
        if let Found::Lost(lost) = found {
            log::warn!("{}: g{generation}: {lost}", self.app.name);
            let others = match self.image_of(generation).await? {
                Some(image) if is_current => self.strangers(&image).await?,
                _ => Vec::new(),
            };
            if !others.is_empty() {
                return Err(shared(&lost, &others));
            }
            if is_current {
                self.warn_of_damage(lost);
            }
        }
        let mut memory = self.app.memory.borrow_mut();
        if is_current {
            memory.looked = Some((generation, clock::moment()));
        }
        memory.evidence.doubt = Some((generation, doubt));
        Ok(())
    }

    /// What its image lost.
    async fn what_is_lost(&self, generation: Generation, spec: &Spec) -> Result<Found, Fault> {
        let Some(image) = self.image_of(generation).await? else {
            log::warn!(
                "{}: g{generation}: its image is gone, only its container is left",
                self.app.name
            );
            return Ok(Found::Gone);
        };
        let instance = self.instance()?;
        let probe = self.agent.engine.throwaway(&self.app.name, &instance, &image.id).await?;
        let shape = &spec.definition.shape;
        let entry = tokio::time::timeout(LOOK_MAX, self.entry(&probe, shape, &image)).await;
        let entry = entry.unwrap_or(Ok(Entry::Fine)); // nothing was found in that time
        if let Err(error) = probe.remove().await {
            log::warn!("{}: {error}", self.app.name);
        }
        // It was looked into before it ran first: it was none of these then.
        Ok(match entry? {
            Entry::Fine | Entry::There(..) | Entry::NoCommand | Entry::Foreign(_) => Found::Whole,
            Entry::Damaged(what) => Found::Lost(format!("{what} by now")),
            Entry::NoLoader(what) => Found::Lost(format!("{what} is gone from its image")),
            Entry::Missing(path) => {
                Found::Lost(format!("its entry point {path} is gone from its image"))
            }
            Entry::NotExecutable(path) => {
                Found::Lost(format!("its entry point {path} may be executed by nobody by now"))
            }
        })
    }

    /// The image of a generation, by the agent's own tag, else by its container.
    async fn image_of(&self, generation: Generation) -> Result<Option<ImageFacts>, Fault> {
        let engine = &self.agent.engine;
        if let Some(image) = engine.image(&self.app.name, generation).await? {
            return Ok(Some(image));
        }
        let id = self.world.container(generation).and_then(|container| {
            let memory = self.app.memory.borrow();
            let mut seen = memory.seen.as_ref()?.containers.iter();
            seen.find(|seen| seen.id == container.id).map(|seen| seen.image.clone())
        });
        match id {
            Some(id) => Ok(engine.image_by_name(&id).await?),
            None => Ok(None),
        }
    }

    fn is_current(&self, generation: Generation) -> bool {
        self.world.record.current.as_ref().is_some_and(|c| c.generation == generation)
    }

    fn warn_of_damage(&self, lost: String) {
        let hint = "nothing: it is fetched again when its registry answers";
        let reason = Reason::new(Code::ImageDamaged, Class::Environment, lost, hint, clock::wall());
        self.app.memory.borrow_mut().warnings.insert(Code::ImageDamaged, reason);
    }

    /// All but this app that keep every layer of an image on the disk: other apps, others' containers and images.
    async fn strangers(&self, image: &ImageFacts) -> Result<Vec<String>, Fault> {
        let holders = self.agent.engine.holders(image).await?;
        let whole = holders.iter().filter(|holder| holder.layers == image.layers.len());
        let mut names: Vec<String> =
            whole.flat_map(|holder| self.others(holder, &image.id)).collect();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// To whom an image belongs, but for this app. What others named the very image goes with it.
    fn others(&self, holder: &Holder, image: &str) -> Vec<String> {
        let own = &self.app.name;
        let apps = holder
            .tags
            .iter()
            .map(|tag| &tag.app)
            .chain(holder.containers.iter().filter_map(|made| made.app.as_ref()));
        let mut names: Vec<String> =
            apps.filter(|app| *app != own).map(ToString::to_string).collect();
        let foreign = holder.containers.iter().filter(|made| made.app.is_none());
        names.extend(foreign.map(|made| format!("container {}", made.name)));
        let is_nobodys = holder.tags.is_empty() && holder.containers.is_empty();
        if holder.image != image && is_nobodys {
            let id = holder.image.trim_start_matches("sha256:");
            let short = id.get(..ID_SHOWN).unwrap_or(id);
            names.push(format!("image {}", holder.names.first().map_or(short, String::as_str)));
        }
        names
    }

    /// Removes a damaged image and the container made from it. Images of the app's other releases that hold its
    /// layers go as well, where their registry has them.
    pub(super) async fn repair(
        &self,
        generation: Generation,
        spec: &Arc<Spec>,
    ) -> Result<(), Fault> {
        let engine = &self.agent.engine;
        let image = self.image_of(generation).await?;
        // Again, and before anything goes: it may be hours since the image was looked into.
        let others = match &image {
            Some(image) => self.strangers(image).await?,
            None => Vec::new(),
        };
        if !others.is_empty() && self.is_current(generation) {
            return Err(shared("a file of its image lost its content on this disk", &others));
        }
        if !others.is_empty() {
            // Removing it would free no layer: inspect tells who holds them.
            self.app.memory.borrow_mut().evidence.repaired = Some((generation, clock::wall()));
            return Ok(());
        }
        let siblings = match &image {
            Some(image) if self.is_current(generation) => self.siblings(image).await?,
            _ => Vec::new(),
        };
        if let Some(container) = self.world.container(generation) {
            self.agent.exits.borrow_mut().own_stop(&container.id);
            engine.remove(&container.id).await?;
        }
        for id in siblings.iter().chain(image.iter().map(|image| &image.id)) {
            engine.remove_image(id).await?;
        }
        let release = super::super::words::release(&spec.release);
        log::warn!(
            "{}: the damaged image of {release} is removed, to be fetched again",
            self.app.name
        );
        let mut memory = self.app.memory.borrow_mut();
        if self.world.record.intent.is_none() {
            memory.steps.clear();
        }
        memory.looked = None;
        memory.exits.clear(); // what is made again has not ended yet
        memory.evidence.doubt = None;
        memory.evidence.inspected.take_if(|(of, _)| *of == generation);
        memory.evidence.repaired = Some((generation, clock::wall()));
        Ok(())
    }

    /// Images of this app alone that hold layers of `image`, and can be fetched again.
    async fn siblings(&self, image: &ImageFacts) -> Result<Vec<String>, Fault> {
        let mut found = Vec::new();
        for holder in self.agent.engine.holders(image).await? {
            let is_own = holder.image != image.id
                && !holder.tags.is_empty()
                && holder.names.is_empty()
                && holder.containers.is_empty()
                && self.others(&holder, &image.id).is_empty();
            if is_own && self.is_in_reach(&holder).await {
                found.push(holder.image);
            }
        }
        Ok(found)
    }

    async fn is_in_reach(&self, holder: &Holder) -> bool {
        let registries = self.agent.registries.borrow().clone();
        for tag in &holder.tags {
            let Some(spec) = self.world.spec(tag.generation) else {
                return false;
            };
            let (Some(repository), Some(manifest)) =
                (repository(&spec.release), spec.release.manifest)
            else {
                return false;
            };
            if registries.exists(&repository, &manifest, clock::moment()).await != Ok(true) {
                return false;
            }
        }
        true
    }

    /// Why an entry point that lost content keeps an update from being made. A release is condemned for it only
    /// where all of its layers were fetched for it just now.
    pub(super) async fn damaged_entry(
        &self,
        generation: Generation,
        image: &ImageFacts,
        what: &str,
    ) -> Result<Fault, Fault> {
        let repaired = self.world.evidence.repaired;
        if repaired.is_none_or(|(of, _)| of != generation) {
            let message = format!("{what}, as a power cut leaves one");
            let hint = "nothing: it is fetched again, as far as no other image holds its layers";
            return Ok(Fault::new(Code::ImageDamaged, Class::Environment, message, hint));
        }
        let holders = self.agent.engine.holders(image).await?;
        let mut others: Vec<String> = Vec::new();
        for holder in &holders {
            let names = self.others(holder, &image.id);
            // A container that somebody else made from this very image holds its layers as well as another image.
            let is_own = names.is_empty() && holder.image != image.id;
            others.extend(names);
            if is_own {
                others.push("another release of its own".to_owned());
            }
        }
        others.sort_unstable();
        others.dedup();
        if others.is_empty() {
            let hint = "a corrected release is taken by itself; or set entrypoint or command in the definition";
            return Ok(Fault::new(Code::NotRunnable, Class::Release, what, hint));
        }
        let message = format!(
            "{what}, though it was fetched again; layers of it that were not are held by {}",
            others.join(", ")
        );
        let hint = "if it is so in the registry push a corrected image; else remove containers and images of those named, \
                    so that all are fetched again";
        Ok(Fault::new(Code::ImageDamaged, Class::Environment, message, hint))
    }
}

fn shared(lost: &str, others: &[String]) -> Fault {
    let message = format!(
        "{lost}; it can't be fetched again while its layers are held by {}",
        others.join(", ")
    );
    let hint = "stop those named (agentctl stop), remove their containers and images (docker rm, docker rmi), then: \
                agentctl retry for this one, agentctl start for those";
    Fault::new(Code::ImageDamaged, Class::Environment, message, hint)
}
