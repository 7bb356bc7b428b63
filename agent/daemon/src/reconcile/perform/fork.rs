//! Fork and own: the state goes forward as a copy, and all volumes belong to the app.

use std::sync::Arc;

use titania_core::names::{Generation, Owner, StartedAt};
use titania_core::reason::{Class, Code};
use titania_core::spec::Spec;

use super::super::fault::Fault;
use super::Act;
use super::early::Early;
use crate::board::clock;
use crate::engine::{Role, Throwaway};
use crate::volumes::{Copied, Seed};

/// Largest archive of a seed, in bytes; volumes stops earlier, and says so.
const SEED_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;

impl Act<'_> {
    /// Copies the parent's fork, or seeds an empty one, and makes it count: only where the parent's container is
    /// down after the copy, by the same start as before it.
    pub(super) async fn fork(&self, generation: Generation, spec: &Arc<Spec>) -> Result<(), Fault> {
        let intent = self.world.record.intent.as_ref().filter(|i| i.generation == generation);
        let parent = intent.ok_or(Fault::LookAgain)?.parent;
        let before = parent.and_then(|parent| self.started_at(parent));
        let early = self.app.memory.borrow_mut().early.take();
        let started_at = before.clone();
        if parent.map(|parent| Early { generation, parent, started_at }) != early || early.is_none()
        {
            let copied = self.agent.volumes.copy(&self.app.name, generation).await?;
            self.tell_left_out(&copied);
        } else {
            log::debug!("{}: the copy was made during the stop", self.app.name);
        }
        self.seed(generation, spec).await?;
        if let Some(parent) = parent
            && !self.is_down(parent, before.as_ref()).await?
        {
            log::warn!(
                "{}: the old container was started during the copy: it is made again",
                self.app.name
            );
            return Err(Fault::LookAgain);
        }
        let owner = self.host_owner(spec)?;
        self.agent
            .volumes
            .finish(&self.app.name, generation, before, Arc::clone(spec), owner)
            .await?;
        Ok(())
    }

    /// What of the state no copy can have.
    pub(super) fn tell_left_out(&self, copied: &Copied) {
        if let Some(what) = copied.notes.line() {
            log::warn!("{}: {what}", self.app.name);
        }
    }

    /// Whether the parent's container is stopped or gone, and was not started since.
    async fn is_down(&self, parent: Generation, before: Option<&StartedAt>) -> Result<bool, Fault> {
        let instance = self.instance()?;
        let all = self.agent.engine.containers_of(&instance, &self.app.name).await?;
        let seen = all.iter().find(
            |seen| matches!(&seen.role, Role::App { generation, .. } if *generation == parent),
        );
        let Some(seen) = seen else {
            return Ok(before.is_none());
        };
        use titania_core::status::ContainerState::{Paused, Restarting, Running};
        let is_up = matches!(seen.state, Running | Restarting | Paused);
        Ok(!is_up && seen.started_at.as_ref() == before)
    }

    /// An empty volume gets once what the image ships at its path.
    async fn seed(&self, generation: Generation, spec: &Arc<Spec>) -> Result<(), Fault> {
        let seeds = self.agent.volumes.seeds(&self.app.name, Arc::clone(spec), generation).await?;
        if seeds.is_empty() {
            return Ok(());
        }
        let image = self.agent.engine.image(&self.app.name, generation).await?;
        let image = image.ok_or_else(|| {
            let message =
                "the image is gone from the engine, and an empty volume is to get what it ships";
            let hint = "nothing: it is fetched again";
            Fault::new(Code::ImageMissing, Class::Environment, message, hint)
        })?;
        let instance = self.instance()?;
        let probe = self.agent.engine.throwaway(&self.app.name, &instance, &image.id).await?;
        let seeded = self.seed_from(&probe, seeds).await;
        if let Err(error) = probe.remove().await {
            log::warn!("{}: {error}", self.app.name);
        }
        seeded
    }

    async fn seed_from(&self, probe: &Throwaway, seeds: Vec<Seed>) -> Result<(), Fault> {
        for seed in seeds {
            let archive = probe.archive(&seed.path, SEED_BYTES_MAX).await?;
            let reader = archive.map(crate::engine::Archive::into_reader);
            let skipped = self.agent.volumes.seed(&self.app.name, seed, reader).await?;
            for what in skipped {
                log::warn!("{}: not seeded: {what}", self.app.name);
            }
        }
        Ok(())
    }

    /// Gives the app's volumes to its owner.
    pub(super) async fn own(&self, generation: Generation, spec: &Arc<Spec>) -> Result<(), Fault> {
        let owner = self.host_owner(spec)?;
        let owned =
            self.agent.volumes.own(&self.app.name, Arc::clone(spec), generation, owner).await?;
        let mut memory = self.app.memory.borrow_mut();
        match owned.reason(owner, clock::wall()) {
            Some(reason) => memory.warnings.insert(Code::NotOwned, reason),
            None => memory.warnings.remove(&Code::NotOwned),
        };
        Ok(())
    }

    /// Uid and gid on the board: an engine may map those inside.
    fn host_owner(&self, spec: &Spec) -> Result<Owner, Fault> {
        let user = spec.user.ok_or(Fault::LookAgain)?;
        user.on_board(self.agent.map_base()).ok_or_else(|| {
            let message = format!("{user} has no number on the board");
            Fault::new(Code::NotOwned, Class::Config, message, "set user to a smaller number")
        })
    }
}
