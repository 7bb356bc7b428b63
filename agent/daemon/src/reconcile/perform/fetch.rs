//! Fetch and seek: the image comes to the board by the digest of its manifest, under the agent's own tag.

use std::sync::Arc;
use std::time::Duration;

use titania_core::names::Generation;
use titania_core::reason::{Class, Code, Reason};
use titania_core::reference::{Reference, Repository};
use titania_core::release::Release;
use titania_core::spec::Spec;
use titania_core::status::Progress;
use titania_core::time::Millis;
use titania_core::world::Candidate;

use super::super::app::Outgrown;
use super::super::fault::Fault;
use super::super::room::{self, Need};
use super::super::{backoff, disks, polls, publish};
use super::Act;
use crate::board::clock;
use crate::engine::{EngineError, ImageFacts, Pull, Refusal};
use crate::registry;

/// Between two looks at the disk while a download runs: what unpacks zeros on a fast disk writes some hundred MB a second,
/// and the usual reserve is 256 MiB.
const DISK_LOOK: Duration = Duration::from_millis(200);

/// An engine that has given back no room for so long has removed what it had of a download.
const CLEARED_QUIET: Millis = Millis::seconds(2);
/// Longest wait for that: large files on an SD card take some seconds to go.
const CLEARED_MAX: Millis = Millis::seconds(20);

impl Act<'_> {
    /// Brings the image of a release to the board.
    pub(super) async fn fetch(
        &self,
        generation: Generation,
        spec: &Arc<Spec>,
    ) -> Result<(), Fault> {
        if self.tag_what_is_here(generation, &spec.release).await? {
            return Ok(());
        }
        let pull = self.pull_of(&spec.release)?;
        let result = {
            // An app that is down for want of its image does not wait behind another's update.
            let current = self.world.record.current.as_ref().map(|current| current.generation);
            let _one_at_a_time = match current == Some(generation) {
                // Nor for an estimate: whether its image fits again shows while it comes.
                true => None,
                false => {
                    let turn = self.agent.download.acquire().await.map_err(|_| Fault::LookAgain)?;
                    // Again: it may have been long ago, or another app's download may have had the room meanwhile.
                    let copy = self.copy_to_come(generation).await?;
                    self.make_room(copy, &spec.release).await?;
                    Some(turn)
                }
            };
            let is_others = self.is_of_others(generation, &spec.release, &pull).await?;
            self.download(&pull).await.map(|()| is_others)
        };
        self.app.memory.borrow_mut().progress = None;
        let is_others = result?;
        let image = self.agent.engine.image_by_name(&pull.name()).await?.ok_or(Fault::LookAgain)?;
        // Before the tag: a crash between the two would leave an image that nobody looks at again.
        self.is_what_was_promised(&image, &spec.release).await?;
        // What is tagged is on the disk: an engine takes layers that it has for whole, also after a power cut.
        self.agent.volumes.sync().await?;
        if is_others {
            self.agent.engine.leave_to_others(&image).await?;
        }
        self.agent.engine.tag(&pull.name(), &self.app.name, generation).await?;
        self.agent.volumes.fetched(&self.app.name, generation).await?;
        Ok(())
    }

    /// Whether somebody else brought the image here, who wants it when this app no longer does. If not, that the agent
    /// pulls it is written down before: a crash between pull and tag leaves an image that looks like another's.
    async fn is_of_others(
        &self,
        generation: Generation,
        release: &Release,
        pull: &Pull,
    ) -> Result<bool, Fault> {
        let (app, volumes) = (&self.app.name, &self.agent.volumes);
        // One that was fetched before, and lost its tag since, was judged then.
        let is_new = self.world.record.intent.as_ref().is_some_and(|i| i.generation == generation);
        if !is_new || volumes.is_fetching(app).await? {
            return Ok(false);
        }
        // Under another digest, too (that of an index): engines that name images by their config find it so.
        let names =
            release.config.map(|config| config.to_string()).into_iter().chain([pull.name()]);
        for name in names {
            let image = self.agent.engine.image_by_name(&name).await?;
            if image.is_some_and(|image| image.is_of_others()) {
                return Ok(true);
            }
        }
        volumes.fetching(app, generation).await?;
        Ok(false)
    }

    /// An image of the same release under another generation's tag needs no network.
    async fn tag_what_is_here(
        &self,
        generation: Generation,
        release: &Release,
    ) -> Result<bool, Fault> {
        for here in self.world.images.iter().filter(|here| **here != generation) {
            let is_same = self.world.spec(*here).is_some_and(|spec| spec.release.is(release));
            if !is_same {
                continue;
            }
            let Some(image) = self.agent.engine.image(&self.app.name, *here).await? else {
                continue;
            };
            self.agent.engine.tag(&image.id, &self.app.name, generation).await?;
            return Ok(true);
        }
        Ok(false)
    }

    fn pull_of(&self, release: &Release) -> Result<Pull, Fault> {
        let repository = repository(release);
        let (Some(repository), Some(manifest)) = (repository, release.manifest) else {
            let message = "no registry is known for this release: it came from an archive, or its record was lost";
            let hint = "load the archive again";
            return Err(Fault::new(Code::ImageMissing, Class::Environment, message, hint));
        };
        let registries = self.agent.registries.borrow().clone();
        let credentials = registries.credentials(&repository.host).map(|found| match found {
            registry::Credentials::Password { user, password } => {
                crate::engine::Credentials { user, password, identity_token: String::new() }
            }
            registry::Credentials::IdentityToken { user, token } => {
                crate::engine::Credentials { user, password: String::new(), identity_token: token }
            }
        });
        Ok(Pull { repository, manifest, credentials })
    }

    /// Downloads, with progress, and stops when the engine's disk falls below the reserve. What that took is
    /// remembered: the next try waits until there is more room than this one found.
    async fn download(&self, pull: &Pull) -> Result<(), Fault> {
        let on_progress = |progress: crate::engine::Progress| {
            let mut memory = self.app.memory.borrow_mut();
            memory.progress = Some(Progress {
                done_bytes: progress.done_bytes,
                total_bytes: progress.total_bytes,
            });
            drop(memory);
            publish::progress(self.agent, self.app);
        };
        let (fault, free) = tokio::select! {
            pulled = self.agent.engine.pull(pull, on_progress) => match pulled {
                Ok(()) => {
                    self.app.memory.borrow_mut().outgrown = None;
                    return Ok(());
                }
                // There was no room at all: it went faster than the agent looks.
                Err(error) if error.refusal() == Some(Refusal::DiskFull) => (of_pull(&error), 0),
                Err(error) => return Err(of_pull(&error)),
            },
            (low, free) = self.until_disk_is_low() => (Fault::of(low), free),
        };
        let bytes = self.given_back(free).await;
        let until = clock::moment().after(backoff::LONG_MAX);
        let outgrown = Outgrown { manifest: pull.manifest, bytes, until };
        self.app.memory.borrow_mut().outgrown = Some(outgrown);
        self.agent.disks.notify_one();
        Err(fault)
    }

    /// Bytes that the engine gives back of a download that was broken off with `free` bytes left: it takes a while to
    /// remove what had come.
    async fn given_back(&self, free: u64) -> u64 {
        let Ok(Some(root)) = disks::engine_root(self.agent).await else {
            return 0;
        };
        let begun = clock::moment();
        let (mut most, mut grown_at) = (free, begun);
        while clock::moment().since(grown_at) < CLEARED_QUIET
            && clock::moment().since(begun) < CLEARED_MAX
        {
            tokio::time::sleep(DISK_LOOK).await;
            let Ok(now) = self.agent.volumes.free_bytes(root.clone()).await else {
                break;
            };
            if now > most {
                (most, grown_at) = (now, clock::moment());
            }
        }
        most.saturating_sub(free)
    }

    /// Ends when the engine's disk is below the reserve, with what is free there.
    async fn until_disk_is_low(&self) -> (Reason, u64) {
        loop {
            tokio::time::sleep(DISK_LOOK).await;
            let root = match disks::engine_root(self.agent).await {
                Ok(Some(root)) => root,
                Ok(None) => return std::future::pending().await,
                Err(_) => continue, // it hangs: it is looked at again
            };
            let need = Need::reserve(self.agent.settings().disk.reserve);
            if let Ok(free) = self.agent.volumes.free_bytes(root.clone()).await
                && let Some(low) = room::shortage(&root, &need, free)
            {
                return (low, free);
            }
        }
    }

    /// Layers as unpacked are the one identity that all stores share.
    async fn is_what_was_promised(
        &self,
        image: &ImageFacts,
        release: &Release,
    ) -> Result<(), Fault> {
        if release.config.is_some_and(|config| config.to_string() == image.id) {
            return Ok(()); // the engine names it by the config digest, which covers the layers
        }
        let resolved = polls::resolved(self.agent, release).await?;
        let wanted: Vec<String> = resolved.facts.diff_ids.iter().map(ToString::to_string).collect();
        if image.layers == wanted {
            return Ok(());
        }
        let message = format!(
            "what the engine has is not what the registry's config says: {} layers, {} promised, or other ones",
            image.layers.len(),
            wanted.len()
        );
        Err(Fault::new(Code::DigestMismatch, Class::Environment, message, "it is fetched again"))
    }

    /// Asks the registry whether a release that may be needed again is still there.
    pub(super) async fn seek(&self, generation: Generation, spec: &Arc<Spec>) -> Result<(), Fault> {
        let registries = self.agent.registries.borrow().clone();
        let found = match (repository(&spec.release), spec.release.manifest) {
            (Some(repository), Some(manifest)) => {
                match registries.exists(&repository, &manifest, clock::moment()).await {
                    Ok(found) => found,
                    // One that does not answer has not said no. Where the app follows another by now it is not waited for.
                    Err(error) if self.follows_another(&repository) => {
                        log::warn!("{}: {error}", self.app.name);
                        false
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            _ => false,
        };
        let mut memory = self.app.memory.borrow_mut();
        memory.evidence.sought = Some((generation, found));
        memory.sought_count = if found { 0 } else { memory.sought_count.saturating_add(1) };
        let wait = if found {
            backoff::SHORT_MAX
        } else {
            backoff::wait(memory.sought_count, backoff::LONG_MAX)
        };
        memory.sought_until = Some(clock::moment().after(wait));
        Ok(())
    }
}

impl Act<'_> {
    /// Whether the candidate lies in another registry than this repository does.
    fn follows_another(&self, old: &Repository) -> bool {
        let Candidate::Known(spec) = &self.world.candidate else {
            return false;
        };
        repository(&spec.release).is_some_and(|new| new.host != old.host)
    }
}

/// The repository that a release names.
pub fn repository(release: &Release) -> Option<Repository> {
    let reference: Reference = release.repository.as_ref()?.parse().ok()?;
    Some(reference.repository)
}

/// What a registry says through the engine is waited for as long as what it says to us.
fn of_pull(error: &EngineError) -> Fault {
    if error.is_unknown() || error.is_away() {
        return Fault::LookAgain;
    }
    let is_registry = matches!(
        error.refusal(),
        Some(
            Refusal::ManifestMissing
                | Refusal::RegistryDenied
                | Refusal::RateLimited
                | Refusal::RegistryUnreachable
        )
    );
    Fault::Failed {
        reason: Box::new(error.reason(clock::wall())),
        limit: if is_registry { backoff::LONG_MAX } else { backoff::SHORT_MAX },
        at_least: Millis(0),
    }
}
