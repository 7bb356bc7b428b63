//! Reserve: room is found for all that an update needs, and its empty fork is made, marker first.

use titania_core::fork::ForkFile;
use titania_core::names::Generation;
use titania_core::prune;
use titania_core::reason::Reason;
use titania_core::release::Release;
use titania_core::room::{self as estimate, Growth, ImageRoom};
use titania_core::step::Prunable;

use super::super::fault::Fault;
use super::super::{disks, gates, leftovers, polls, room};
use super::Act;
use crate::board::clock;

/// Whether what an image shares with those on the board is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    /// Not: an estimate that is too high costs nothing where there is room for it.
    Ignored,
    /// Layer by layer, which asks the engine for every image that it has.
    Counted,
}

impl Act<'_> {
    /// Makes a generation's empty folder and file, and the room that later writes need.
    pub(super) async fn reserve(&self, file: &ForkFile) -> Result<(), Fault> {
        let copy = self.fork_size(file.parent).await?;
        let limit = self.agent.settings().disk.fork_limit;
        if copy > limit {
            return Err(Fault::of(gates::too_large(copy, limit).reason));
        }
        self.make_room(copy, &file.spec.release).await?;
        self.agent.volumes.reserve(&self.app.name, file.clone()).await?;
        self.agent.store.ensure_room(&self.app.name).await?;
        Ok(())
    }

    /// Sees to it that there is room for an image, a copy of the state and the reserve. What may go goes before
    /// anything waits for a person, what is missed least first; nothing goes while there is room.
    pub(super) async fn make_room(&self, copy: u64, release: &Release) -> Result<(), Fault> {
        if self.shortage(copy, release, Sharing::Ignored).await?.is_none() {
            return Ok(());
        }
        let Some(low) = self.shortage(copy, release, Sharing::Counted).await? else {
            return Ok(());
        };
        if !self.could_fit(copy, release).await? {
            return Err(Fault::of(low));
        }
        if let Err(fault) = leftovers::sweep(self.agent).await {
            log::info!("images without a name are looked at again later: {fault:?}");
        }
        for what in self.may_go() {
            if self.shortage(copy, release, Sharing::Counted).await?.is_none() {
                return Ok(());
            }
            self.prune(&what).await?;
        }
        let Some(low) = self.shortage(copy, release, Sharing::Counted).await? else {
            return Ok(());
        };
        self.agent.disks.notify_one(); // so that the board says so, too
        Err(Fault::of(low))
    }

    /// What is set aside; forks and images beyond what is kept; what the newest failed release wrote.
    fn may_go(&self) -> [Prunable; 3] {
        let set_aside = Prunable { set_aside: true, ..Prunable::default() };
        let beyond = prune::prunable(self.world);
        let record = &self.world.record;
        let kept = [&record.current, &record.previous].into_iter().flatten().map(|c| c.generation);
        let parents = record.intent.iter().filter_map(|intent| intent.parent);
        let needed: Vec<Generation> =
            kept.chain(parents).chain(record.intent.iter().map(|i| i.generation)).collect();
        let failed = self.world.forks.iter().filter(|f| f.folder && f.failed().is_some());
        let failed = failed.map(|f| f.generation).filter(|g| !needed.contains(g));
        let failed = Prunable { forks: failed.collect(), ..Prunable::default() };
        [set_aside, beyond, failed]
    }

    async fn fork_size(&self, parent: Option<Generation>) -> Result<u64, Fault> {
        Ok(match parent {
            Some(parent) => self.agent.volumes.size(&self.app.name, parent).await?.bytes,
            None => 0,
        })
    }

    /// Bytes of the copy that the update of this generation will still make.
    pub(super) async fn copy_to_come(&self, generation: Generation) -> Result<u64, Fault> {
        let intent = self.world.record.intent.as_ref().filter(|i| i.generation == generation);
        let is_made = self.world.fork(generation).is_some_and(|fork| fork.is_complete());
        match intent.filter(|intent| !intent.old_state && !is_made) {
            Some(intent) => self.fork_size(intent.parent).await,
            None => Ok(0),
        }
    }

    /// Whether it would fit if nothing else lay there: a registry may claim any size, and nothing goes for one that no
    /// disk of this board has.
    async fn could_fit(&self, copy: u64, release: &Release) -> Result<bool, Fault> {
        for (path, need) in self.needs(copy, release, Sharing::Counted).await? {
            if need.total() > self.agent.volumes.disk_bytes(path).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What is missing for download, unpacked image, copy and reserve on the first disk that is too small; null where
    /// there is room.
    ///
    /// # Errors
    /// It can't be told. Nothing goes for that.
    async fn shortage(
        &self,
        copy: u64,
        release: &Release,
        sharing: Sharing,
    ) -> Result<Option<Reason>, Fault> {
        for (path, need) in self.needs(copy, release, sharing).await? {
            let free = self.agent.volumes.free_bytes(path.clone()).await?;
            if let Some(low) = room::shortage(&path, &need, free) {
                return Ok(Some(low));
            }
        }
        Ok(None)
    }

    /// Space for download, unpacked image, copy and reserve, disk by disk.
    async fn needs(
        &self,
        copy: u64,
        release: &Release,
        sharing: Sharing,
    ) -> Result<Vec<room::Place>, Fault> {
        let reserve = self.agent.settings().disk.reserve;
        let image = self.image_room(release, sharing).await?;
        let volumes = self.agent.volumes.root().to_owned();
        let engine = disks::engine_root(self.agent).await?;
        let is_same = match &engine {
            Some(engine) => self.agent.volumes.same_disk(volumes.clone(), engine.clone()).await?,
            None => false,
        };
        let engine = engine.as_deref().map(|engine| (engine, is_same));
        Ok(room::of_update(&volumes, engine, copy, image, reserve))
    }

    /// Bytes that fetching a release will take; nothing when its image is here.
    async fn image_room(&self, release: &Release, sharing: Sharing) -> Result<ImageRoom, Fault> {
        let is_here =
            |g: &Generation| self.world.spec(*g).is_some_and(|spec| spec.release.is(release));
        if self.world.images.iter().any(is_here) {
            return Ok(ImageRoom::default());
        }
        let growth = self.growth().await?;
        let mut told = ImageRoom::of_sum(release.download_bytes.unwrap_or(0), growth);
        if sharing == Sharing::Counted {
            // A registry that does not answer leaves the sum that it told before.
            if let Ok(resolved) = polls::resolved(self.agent, release).await {
                let layers = estimate::layers(&resolved.layers, &resolved.facts.diff_ids);
                let held = self.agent.engine.contents().await?;
                told = ImageRoom::of(&layers, &held, growth);
            }
        }
        let outgrown = self.app.memory.borrow().outgrown.filter(|outgrown| {
            release.manifest == Some(outgrown.manifest) && outgrown.until > clock::moment()
        });
        Ok(outgrown.map_or(told, |outgrown| told.at_least(outgrown.bytes)))
    }

    /// How much larger this app's layers become, by its current release, where the engine tells sizes unpacked: one
    /// that names images by their config digests does (the other kind of store tells them compressed).
    async fn growth(&self) -> Result<Growth, Fault> {
        let measured = async {
            let current = self.world.record.current.as_ref()?;
            let release = &current.spec.release;
            let download = release.download_bytes?;
            let image = self.agent.engine.image(&self.app.name, current.generation).await;
            match image {
                Ok(image) => image
                    .filter(|image| release.config.is_some_and(|c| c.to_string() == image.id))
                    .and_then(|image| Growth::measured(image.size_bytes, download))
                    .map(Ok),
                Err(error) => Some(Err(error)),
            }
        };
        Ok(measured.await.transpose()?.unwrap_or_default())
    }
}
