//! The copy of the state, begun as soon as no process of the old container lives: the engine's own answer to the stop
//! comes 170–270 ms later, when its network is taken down (DESIGN §4, "fork").
//!
//! Promise: a copy that was begun so counts only for the fork step that follows the stop at once, and only for the
//! very run of the parent's container that was stopped; any other is made again. Where the end can't be seen (an
//! engine in another pid namespace, an old kernel) the engine's answer is waited for.

use titania_core::names::{Generation, StartedAt};
use titania_core::time::Millis;

use super::Act;
use crate::board::clock;
use crate::engine::{EngineError, FirstProcess, Stopped};

/// A copy that was made while the engine was stopping the old container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Early {
    /// Fork that it was made for.
    pub generation: Generation,
    /// Fork that was copied.
    pub parent: Generation,
    /// Run of the parent's container that had ended.
    pub started_at: Option<StartedAt>,
}

impl Act<'_> {
    /// Stops the container that an update replaces; meanwhile copies its state, from when its processes have ended.
    pub(super) async fn stop_and_copy(
        &self,
        old: Generation,
        id: &str,
        grace: Millis,
    ) -> Result<Stopped, EngineError> {
        let stop = self.agent.engine.stop(id, grace);
        let Some((early, process)) = self.to_copy(old, id) else {
            return stop.await;
        };
        let mut stop = std::pin::pin!(stop);
        tokio::select! {
            biased;
            answer = &mut stop => return answer,
            () = process.ended() => {}
        }
        let ended = clock::moment();
        let app = &self.app.name;
        let copy = self.agent.volumes.copy(app, early.generation);
        let stopped = async {
            let answer = stop.await;
            log::debug!("{app}: stopped {} ms after its end", clock::moment().since(ended).0);
            answer
        };
        let (answer, copied) = tokio::join!(stopped, copy);
        match copied {
            Ok(copied) => {
                self.tell_left_out(&copied);
                self.app.memory.borrow_mut().early = Some(early);
            }
            // The fork step makes it again, and tells what is wrong.
            Err(error) => log::info!("{app}: {error}"),
        }
        answer
    }

    /// What is to be copied when that container has ended, and how its end is seen; null where it is not to be.
    fn to_copy(&self, old: Generation, id: &str) -> Option<(Early, FirstProcess)> {
        let intent = self.world.record.intent.as_ref().filter(|i| !i.old_state)?;
        let generation = intent.generation;
        let parent = intent.parent?;
        // Made ready, and not yet copied.
        self.world.fork(generation).filter(|fork| fork.folder && fork.unfinished)?;
        let started_at = self.started_at(parent);
        let pid = {
            let memory = self.app.memory.borrow();
            let seen = memory.seen.as_ref()?.containers.iter().find(|seen| seen.id == id)?;
            (seen.started_at.as_ref() == self.world.container(old)?.started_at.as_ref())
                .then_some(seen.pid)??
        };
        let process = self.agent.engine.first_process(pid)?;
        Some((Early { generation, parent, started_at }, process))
    }

    /// `StartedAt` of a generation's container; null where it was never started, or is gone.
    pub(super) fn started_at(&self, generation: Generation) -> Option<StartedAt> {
        self.world.container(generation)?.started_at.clone()
    }
}
