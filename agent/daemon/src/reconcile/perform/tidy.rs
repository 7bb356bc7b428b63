//! Prune: forks and images beyond what is kept go.

use titania_core::step::Prunable;

use super::super::fault::Fault;
use super::Act;

impl Act<'_> {
    /// Removes what `decide` named, and nothing else.
    pub(super) async fn prune(&self, what: &Prunable) -> Result<(), Fault> {
        self.agent.engine.end_removals().await?;
        for generation in &what.images {
            self.agent.engine.untag(&self.app.name, *generation).await?;
        }
        if !what.forks.is_empty() {
            self.agent.volumes.prune(&self.app.name, what.forks.clone()).await?;
            let mut memory = self.app.memory.borrow_mut();
            memory.sizes.retain(|generation, _| !what.forks.contains(generation));
        }
        if what.set_aside {
            self.agent.volumes.prune_set_aside(&self.app.name).await?;
        }
        Ok(())
    }
}
