//! Prune: forks and images beyond what is kept go. Purge: all of an app goes, since an operator has it deleted.

use std::path::PathBuf;
use std::rc::Rc;

use titania_core::event::EventType;
use titania_core::names::Generation;
use titania_core::reason::{Class, Code, Reason};
use titania_core::record::Record;
use titania_core::step::{Change, Prunable};
use titania_core::time::Millis;
use titania_core::world::RecordFrom;

use super::super::fault::Fault;
use super::super::news::Told;
use super::super::{apps, leftovers, requests};
use super::{Act, write};
use crate::board::clock;
use crate::engine::EngineError;
use crate::volumes::Spared;

/// How long an image is left alone that somebody else's container uses, or a fork with a mount in it: nothing tells
/// when that ends.
const LEFT: Millis = Millis::seconds(15 * 60);

impl Act<'_> {
    /// Removes what `decide` named, and nothing else.
    pub(super) async fn prune(&self, what: &Prunable) -> Result<(), Fault> {
        for generation in &what.images {
            match self.agent.engine.untag(&self.app.name, *generation).await {
                Ok(()) => {}
                Err(error @ EngineError::Conflict { .. }) => self.leave(*generation, &error),
                Err(error) => {
                    self.agent.leftovers.notify_one(); // it may have got half way
                    return Err(error.into());
                }
            }
        }
        let mut spared = Spared::new();
        if !what.forks.is_empty() {
            spared = self.agent.volumes.prune(&self.app.name, what.forks.clone()).await?;
            let mut memory = self.app.memory.borrow_mut();
            memory.sizes.retain(|generation, _| !what.forks.contains(generation));
        }
        if what.set_aside {
            spared.extend(self.agent.volumes.prune_set_aside(&self.app.name).await?);
        }
        if !what.forks.is_empty() || what.set_aside {
            self.spare(&spared);
        }
        Ok(())
    }

    /// Forks in which something is mounted stay for now. Said once for each mount.
    fn spare(&self, spared: &Spared) {
        let mut memory = self.app.memory.borrow_mut();
        let until = clock::moment().after(LEFT);
        memory.mounted.extend(spared.keys().map(|generation| (*generation, until)));
        memory.evidence.mounted = memory.mounted.keys().copied().collect();
        if spared.is_empty() {
            if memory.mounted.is_empty() {
                memory.warnings.remove(&Code::ForkFailed);
            }
            return;
        }
        let each = |(number, point): (&Generation, &PathBuf)| {
            format!("fork {number} is not pruned: something is mounted at {}", point.display())
        };
        let message = spared.iter().map(each).collect::<Vec<_>>().join("; ");
        let hint = "umount it; the fork goes by itself then";
        let reason =
            Reason::new(Code::ForkFailed, Class::Environment, message, hint, clock::wall());
        let is_known = memory.warnings.get(&Code::ForkFailed).is_some_and(|old| old.same(&reason));
        if !is_known {
            log::warn!("{}: {}", self.app.name, reason.message);
            memory.warnings.insert(Code::ForkFailed, reason);
        }
    }

    /// An image that somebody else's container uses stays for now, with its tag.
    fn leave(&self, generation: Generation, error: &EngineError) {
        log::warn!("{}: an image stays, for somebody else uses it: {error}", self.app.name);
        let until = clock::moment().after(LEFT);
        let mut memory = self.app.memory.borrow_mut();
        memory.in_use.insert(generation, until);
        memory.evidence.in_use.push(generation);
    }

    /// Deletes volumes, images and history; last the record, or what it says of the app. A crash in between leaves
    /// the operator's word in the record: it is done again.
    pub(super) async fn purge(&self) -> Result<(), Fault> {
        let name = &self.app.name;
        for generation in &self.world.images {
            match self.agent.engine.untag(name, *generation).await {
                Ok(()) => {}
                Err(error @ EngineError::Conflict { .. }) => {
                    log::warn!("{name}: an image stays, for somebody else uses it: {error}");
                }
                Err(error) => return Err(error.into()),
            }
        }
        // While history and record still tell which were the app's.
        leftovers::sweep_of(self.agent, self.app).await?;
        self.agent.volumes.purge(name).await?;
        self.agent.store.forget_history(name).await?;
        let is_orphan = self.world.wanted.is_none();
        let by = self.world.record.purge.as_ref().map_or("", |purge| purge.by.as_str());
        let text = format!("{name}: deleted with all its volumes, as {by} asked");
        if is_orphan {
            self.agent.store.forget(name).await?;
        } else {
            write(self.agent, self.app, self.world, &Change::Purged).await?;
        }
        self.agent.outlet.tell(Some(name), Told::info(EventType::AppPurged, text));
        {
            let mut memory = self.app.memory.borrow_mut();
            memory.sizes.clear();
            memory.snapshots.clear();
            if is_orphan {
                requests::done(self.agent, &mut memory.purging);
                memory.record = Record::default();
                memory.record_from = RecordFrom::Nowhere;
            }
        }
        if is_orphan {
            apps::drop_purged(self.agent, &Rc::clone(self.app));
        }
        Ok(())
    }
}
