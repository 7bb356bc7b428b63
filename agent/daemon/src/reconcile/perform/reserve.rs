//! Reserve: room is found for all that an update needs, and its empty fork is made, marker first.

use titania_core::fork::ForkFile;
use titania_core::names::Generation;
use titania_core::prune;
use titania_core::release::Release;
use titania_core::step::Prunable;

use super::super::fault::Fault;
use super::super::gates;
use super::Act;

/// Unpacked layers, as a multiple of their compressed size: gzip on programs and libraries, and some to spare.
const UNPACKED: u64 = 3;

impl Act<'_> {
    /// Makes a generation's empty folder and file, and the room that later writes need.
    pub(super) async fn reserve(&self, file: &ForkFile) -> Result<(), Fault> {
        let fork = self.fork_size(file.parent).await?;
        let limit = self.agent.settings().disk.fork_limit;
        if fork > limit {
            return Err(Fault::of(gates::too_large(fork, limit).reason));
        }
        // What may go goes before anything waits for a person, what is missed least first.
        for what in self.may_go() {
            if self.has_room(fork, file).await.is_ok() {
                break;
            }
            self.prune(&what).await?;
        }
        self.has_room(fork, file).await?;
        self.agent.volumes.reserve(&self.app.name, file.clone()).await?;
        self.agent.store.ensure_room(&self.app.name).await?;
        Ok(())
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

    /// Free space for download, unpacked image, fork and reserve, disk by disk.
    async fn has_room(&self, fork: u64, file: &ForkFile) -> Result<(), Fault> {
        let reserve = self.agent.settings().disk.reserve;
        let image = self.image_bytes(&file.spec.release);
        let volumes = self.agent.volumes.root().to_owned();
        let engine = self.engine_root();
        let is_same = match &engine {
            Some(engine) => self.agent.volumes.same_disk(volumes.clone(), engine.clone()).await?,
            None => false,
        };
        let on_volumes = if is_same { fork.saturating_add(image) } else { fork };
        let mut needs = vec![(volumes, on_volumes)];
        if let Some(engine) = engine.filter(|_| !is_same) {
            needs.push((engine, image));
        }
        for (path, bytes) in needs {
            let needed = bytes.saturating_add(reserve);
            let free = self.agent.volumes.free_bytes(path.clone()).await?;
            if free < needed {
                return Err(Fault::of(gates::disk_low(&path, needed, free).reason));
            }
        }
        Ok(())
    }

    /// Bytes that fetching a release will take; nothing when its image is here.
    fn image_bytes(&self, release: &Release) -> u64 {
        let is_here =
            |g: &Generation| self.world.spec(*g).is_some_and(|spec| spec.release.is(release));
        if self.world.images.iter().any(is_here) {
            return 0;
        }
        release.download_bytes.unwrap_or(0).saturating_mul(1 + UNPACKED)
    }
}
