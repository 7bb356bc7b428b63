//! Stop, remove, start, arm: the acts on a container that stands.

use std::sync::Arc;
use std::time::Duration;

use titania_core::definition::OWN_NETWORK;
use titania_core::event::{EventType, Level};
use titania_core::names::Generation;
use titania_core::reason::{Class, Code};
use titania_core::spec::Spec;
use titania_core::status::ContainerState;
use titania_core::time::Millis;
use titania_core::world::Container;

use super::super::fault::Fault;
use super::super::news::Told;
use super::super::{leaks, orphans};
use super::Act;
use crate::board::clock;
use crate::engine::{EngineError, Refusal, Started, Stopped};

/// After grace, SIGKILL and this long a container that still runs is stuck in the kernel (DESIGN §4, "stop").
const STUCK_AFTER: Millis = Millis::seconds(60);
/// A removal takes the engine some 100 ms; it tells of its end.
const REMOVAL_WAIT: Duration = Duration::from_secs(1);
/// Longest wait for the disks' thread after which a cutover is still decided on.
const QUEUE_MAX: Millis = Millis::seconds(2);
/// Grace of a container whose definition is nowhere to be found.
const GRACE: Millis = Millis::seconds(30);

impl Act<'_> {
    fn container(&self, generation: Generation) -> Result<&Container, Fault> {
        self.world.container(generation).ok_or(Fault::LookAgain)
    }

    /// The specification of a generation, from record or fork.
    pub(super) fn spec(&self, generation: Generation) -> Option<Arc<Spec>> {
        self.world.spec(generation).cloned()
    }

    /// Whether a stop of that generation is the one that an update makes.
    fn is_cutover(&self, generation: Generation) -> bool {
        let record = &self.world.record;
        let is_current = record.current.as_ref().is_some_and(|c| c.generation == generation);
        is_current && record.intent.as_ref().is_some_and(|i| i.boots() == 0)
    }

    /// Stops a container, and keeps in evidence what that found: only one that was running is known to stay down.
    pub(super) async fn stop(&self, generation: Generation) -> Result<(), Fault> {
        let container = self.container(generation)?;
        let grace = self.spec(generation).map_or(GRACE, |spec| spec.definition.shape.stop.grace);
        // One that the engine calls running though it has ended has nothing to put in order.
        let is_dead = container.state == ContainerState::Running && !container.alive;
        let grace = if is_dead { Millis(0) } else { grace };
        let began = clock::moment();
        let was_up = container.is_up();
        if was_up && self.is_cutover(generation) {
            // Its copy would wait behind another app's long walk, and the app be down meanwhile.
            self.agent.volumes.idle().await;
            if clock::moment().since(began) > QUEUE_MAX {
                return Err(Fault::LookAgain); // a gate may be shut by now
            }
        }
        let began = clock::moment();
        let is_wanted = self.world.wanted_generation() == Some(generation)
            || self.world.record.current.as_ref().is_some_and(|c| c.generation == generation);
        if was_up && is_wanted && self.world.record.intent.is_some() {
            self.app.memory.borrow_mut().down.began(began);
        }
        self.agent.exits.borrow_mut().own_stop(&container.id);
        let answer = if was_up && self.is_cutover(generation) {
            self.stop_and_copy(generation, &container.id, grace).await
        } else {
            self.agent.engine.stop(&container.id, grace).await
        };
        let memory = &mut *self.app.memory.borrow_mut();
        let evidence = &mut memory.evidence;
        match answer {
            Ok(Stopped::WasRunning) => {
                memory.stopping = None;
                evidence.stopped = Some((generation, container.started_at.clone()));
                evidence.was_down = evidence.was_down.filter(|g| *g != generation);
                Ok(())
            }
            Ok(Stopped::WasDown) => {
                memory.stopping = None;
                evidence.was_down = Some(generation);
                evidence.stopped = evidence.stopped.take().filter(|(g, _)| *g != generation);
                Ok(())
            }
            Ok(Stopped::Gone) => Err(Fault::LookAgain),
            Err(error) if error.is_unknown() => {
                if was_up {
                    evidence.stopped = Some((generation, container.started_at.clone()));
                }
                let since = match &memory.stopping {
                    Some((id, since)) if *id == container.id => *since,
                    _ => began,
                };
                memory.stopping = Some((container.id.clone(), since));
                let limit = Millis(grace.0.saturating_add(STUCK_AFTER.0));
                if clock::moment().since(since) < limit {
                    return Err(Fault::LookAgain);
                }
                let is_told =
                    memory.stuck.replace(container.id.clone()).as_ref() == Some(&container.id);
                Err(self.stuck(generation, grace, is_told))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn stuck(&self, generation: Generation, grace: Millis, is_told: bool) -> Fault {
        let name = self.app.name.container(generation);
        let message = format!(
            "{name} does not end, {} s after SIGTERM and {} s after SIGKILL",
            grace.0 / 1000 + STUCK_AFTER.0 / 1000,
            STUCK_AFTER.0 / 1000
        );
        let hint = "its process hangs in the kernel (a dead disk or network mount?): dmesg, then restart the board";
        let fault = Fault::new(Code::StopStuck, Class::Environment, message.clone(), hint);
        if let (Fault::Failed { reason, .. }, false) = (&fault, is_told) {
            let text = format!("{}: {message}", self.app.name);
            let told = Told::because(EventType::StopStuck, Level::Error, reason, text);
            self.agent.outlet.tell(Some(&self.app.name), told);
        }
        fault
    }

    /// Removes a container that is down. Its volumes stay.
    pub(super) async fn remove(&self, generation: Generation) -> Result<(), Fault> {
        let container = self.container(generation)?;
        self.agent.exits.borrow_mut().own_stop(&container.id);
        match self.agent.engine.remove(&container.id).await {
            Ok(()) | Err(EngineError::NoSuch { .. }) => Ok(()),
            Err(EngineError::Conflict { .. }) => {
                self.wait_for_engine().await; // it runs, or is being removed
                Err(Fault::LookAgain)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Starts a container, each of its sources looked at right before.
    pub(super) async fn start(&self, generation: Generation) -> Result<(), Fault> {
        let container = self.container(generation)?;
        if let Some(spec) = self.spec(generation) {
            self.agent.volumes.check(&self.app.name, Arc::clone(&spec), generation).await?;
            self.ensure_network(&spec).await?;
        }
        let is_new = self.world.record.intent.as_ref().is_some_and(|i| i.generation == generation);
        self.note_sent(generation, true);
        let forgetting = self.prepare_forgetting().await;
        let before = self.agent.exits.borrow_mut().asked(&container.id);
        match self.agent.engine.start(&container.id).await {
            Ok(Started::Now | Started::Already) => {
                self.app.memory.borrow_mut().down.ended(clock::moment());
                self.has_its_ports(generation);
                self.forget_neighbours(forgetting, &container.id).await;
                if !is_new {
                    self.tell_started(generation);
                }
                Ok(())
            }
            Err(error) if error.is_unknown() => {
                orphans::suspect(self.app);
                Err(Fault::LookAgain)
            }
            Err(EngineError::Conflict { .. } | EngineError::NoSuch { .. }) => {
                // Somebody removes it just now: it did not start, and will be gone.
                self.note_sent(generation, false);
                self.agent.exits.borrow_mut().refused(&container.id, before);
                self.wait_for_engine().await;
                Err(Fault::LookAgain)
            }
            Err(error) => {
                self.agent.exits.borrow_mut().refused(&container.id, before);
                if error.refusal() == Some(Refusal::NetworkMissing) {
                    // It names the network by the id that one had: only a container made anew finds another of that name.
                    self.note_sent(generation, false);
                    self.remove(generation).await?;
                    let spec = self.spec(generation);
                    if spec.is_some_and(|spec| spec.definition.shape.network == OWN_NETWORK) {
                        return Err(Fault::LookAgain); // that one is there by now
                    }
                }
                if error.refusal() == Some(Refusal::NotRunnable) && !is_new {
                    self.app.memory.borrow_mut().suspect(generation, clock::moment());
                }
                if error.is_of_taken_id()
                    && orphans::are_none(self.agent, self.app)
                    && self.world.images.contains(&generation)
                {
                    // Kept for nothing that containerd can tell of: one that is made anew has another id.
                    self.note_sent(generation, false);
                    self.remove(generation).await?;
                    orphans::suspect(self.app);
                    return Err(Fault::LookAgain);
                }
                if error.refusal() == Some(Refusal::Engine) {
                    orphans::suspect(self.app);
                }
                match error.allocated_port() {
                    Some(port) => Err(leaks::refused(self, port, &error).await),
                    None if error.refusal() == Some(Refusal::PortInUse) => {
                        Err(leaks::taken(self, &error))
                    }
                    None => Err(error.into()),
                }
            }
        }
    }

    /// What was found of its ports before is over.
    fn has_its_ports(&self, generation: Generation) {
        if let Some(spec) = self.spec(generation) {
            leaks::free(self.agent, spec.definition.shape.ports.iter().map(|port| port.host));
        }
    }

    /// Whether a start of the new generation may have reached the engine.
    fn note_sent(&self, generation: Generation, sent: bool) {
        let mut memory = self.app.memory.borrow_mut();
        if let Some(begun) = memory.evidence.begun.as_mut().filter(|b| b.generation == generation) {
            begun.sent = sent;
        }
    }

    /// Until the engine tells of something, a removal that is under way for instance.
    async fn wait_for_engine(&self) {
        // That none came in time is fine: the next look tells.
        let _ended = tokio::time::timeout(REMOVAL_WAIT, self.agent.heard.notified()).await;
    }

    fn tell_started(&self, generation: Generation) {
        let app = &self.app.name;
        let name = app.container(generation);
        let release = self.spec(generation).map(|spec| spec.release.clone());
        let is_again = self.container(generation).is_ok_and(|c| c.started_at.is_some());
        let (kind, word) = if is_again {
            (EventType::AppRestarted, "started again")
        } else {
            (EventType::AppStarted, "started")
        };
        let mut told = Told::info(kind, format!("{app}: {name} is {word}"));
        told.release = release;
        self.agent.outlet.tell(Some(app), told);
    }

    /// Gives a container the restart policy of a committed one.
    pub(super) async fn arm(&self, generation: Generation) -> Result<(), Fault> {
        let container = self.container(generation)?;
        Ok(self.agent.engine.arm(&container.id).await?)
    }
}
