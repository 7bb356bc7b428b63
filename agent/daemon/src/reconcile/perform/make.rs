//! Create and compare: a container is made from its specification alone, and is looked at before anything is stopped.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use titania_core::definition::OWN_NETWORK;
use titania_core::names::Generation;
use titania_core::reason::{Class, Code, Reason};
use titania_core::spec::Spec;

use super::super::fault::Fault;
use super::Act;
use crate::board::{clock, files};
use crate::engine::{self, Difference, EngineError, Making, Plan, PlanError};

impl Act<'_> {
    /// Makes the container of a generation.
    pub(super) async fn create(
        &self,
        generation: Generation,
        spec: &Arc<Spec>,
        armed: bool,
    ) -> Result<(), Fault> {
        self.agent.volumes.check(&self.app.name, Arc::clone(spec), generation).await?;
        self.ensure_network(spec).await?;
        let plan = self.plan(generation, spec, armed).await?;
        match self.agent.engine.create(&plan).await {
            Ok(created) => {
                self.warn(Code::SpecMismatch, &created.warnings);
                Ok(())
            }
            Err(EngineError::Conflict { message, .. }) => {
                self.name_is_taken(generation, &message).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A container of that name is there: the app's own one that a lost answer left shows at the next look.
    async fn name_is_taken(&self, generation: Generation, message: &str) -> Result<(), Fault> {
        let instance = self.instance()?;
        let name = self.app.name.container(generation);
        let all = self.agent.engine.containers(&instance).await?;
        if all.iter().any(|seen| seen.name == name) {
            return Err(Fault::LookAgain);
        }
        let hint = format!("it is none of this board's: docker rm {name}, or rename it");
        Err(Fault::new(Code::EngineError, Class::Environment, message, hint))
    }

    /// Compares what the engine made with what was asked for.
    pub(super) async fn compare(
        &self,
        generation: Generation,
        spec: &Arc<Spec>,
    ) -> Result<(), Fault> {
        let container = self.world.container(generation).ok_or(Fault::LookAgain)?;
        let plan = self.plan(generation, spec, container.armed).await?;
        let differences = self.agent.engine.compare(&plan, &container.id, self.kind()?).await?;
        let (strict, loose): (Vec<_>, Vec<_>) = differences.into_iter().partition(|d| d.strict);
        self.warn(Code::SpecMismatch, &loose.iter().map(Difference::to_string).collect::<Vec<_>>());
        if strict.is_empty() {
            self.app.memory.borrow_mut().evidence.compared = Some(container.id.clone());
            return Ok(());
        }
        // It is made anew when this is tried again: an older agent's, or another's, may stand under the name.
        self.agent.exits.borrow_mut().own_stop(&container.id);
        self.agent.engine.remove(&container.id).await?;
        let message = format!(
            "the engine did not make what was asked for: {}",
            strict.iter().map(Difference::to_string).collect::<Vec<_>>().join("; ")
        );
        let hint = "look for what stands between agent and engine (an authorisation plugin, defaults in daemon.json)";
        Err(Fault::new(Code::SpecMismatch, Class::Environment, message, hint))
    }

    async fn plan(
        &self,
        generation: Generation,
        spec: &Arc<Spec>,
        armed: bool,
    ) -> Result<Plan, Fault> {
        let app = &self.app.name;
        let image = self.agent.engine.image(app, generation).await?;
        let image = image.ok_or(Fault::LookAgain)?; // the next look fetches it
        let mounts: Vec<_> = self
            .agent
            .volumes
            .mounts(app, spec, generation)?
            .into_iter()
            .map(|mount| engine::Mount {
                source: mount.source.display().to_string(),
                target: mount.target,
                read_only: mount.read_only,
            })
            .collect();
        let secrets: Vec<_> = self.secrets(spec)?.into_iter().collect();
        let instance = self.instance()?;
        let making = Making {
            app,
            instance: &instance,
            generation,
            spec,
            image: &image.id,
            mounts: &mounts,
            env_file: &secrets,
            armed,
            is_mapped: self.agent.map_base().is_some(),
        };
        engine::plan(&making).map_err(|error| {
            let hint = "correct the app's definition, then: systemctl reload titania-agent";
            let code = match error {
                PlanError::Root | PlanError::NotMapped => Code::NeedsRootStart,
                PlanError::NoUser | PlanError::TwiceMounted(_) => Code::ConfigInvalid,
            };
            Fault::new(code, Class::Config, error.to_string(), hint)
        })
    }

    /// What the env file holds: as it was read with the definition in force, else as it is now.
    fn secrets(&self, spec: &Spec) -> Result<BTreeMap<String, String>, Fault> {
        let Some(path) = &spec.definition.shape.env_file else {
            return Ok(BTreeMap::new());
        };
        if let Some(force) = &self.app.memory.borrow().definition
            && force.definition.shape.env_file.as_ref() == Some(path)
            && force.has_env
        {
            return Ok(force.env.clone());
        }
        files::env(Path::new(path)).map_err(|faults| {
            let message = faults.first().map_or_else(|| path.clone(), titania_config::shown);
            let hint = faults.first().map(|fault| fault.hint.clone()).unwrap_or_default();
            Fault::new(Code::ConfigInvalid, Class::Environment, message, hint)
        })
    }

    /// The agent's own bridge is made where it is missing; another's network is its owner's to make.
    pub(super) async fn ensure_network(&self, spec: &Spec) -> Result<(), Fault> {
        if spec.definition.shape.network == OWN_NETWORK {
            self.agent.engine.ensure_network(OWN_NETWORK).await?;
        }
        Ok(())
    }

    fn kind(&self) -> Result<engine::Kind, Fault> {
        self.agent.shared.borrow().about.as_ref().map(|about| about.kind).ok_or(Fault::LookAgain)
    }

    /// Whose board this is.
    pub(super) fn instance(&self) -> Result<titania_core::names::InstanceId, Fault> {
        self.agent.shared.borrow().instance.clone().ok_or(Fault::LookAgain)
    }

    /// Keeps what is odd but stops nothing.
    fn warn(&self, code: Code, what: &[String]) {
        let mut memory = self.app.memory.borrow_mut();
        if what.is_empty() {
            memory.warnings.remove(&code);
            return;
        }
        let message = what.join("; ");
        let reason = Reason::new(code, Class::Environment, message, "", clock::wall());
        let is_news = memory.warnings.get(&code).is_none_or(|old| !old.same(&reason));
        if is_news {
            log::warn!("{}: {}", self.app.name, reason.message);
            memory.warnings.insert(code, reason);
        }
    }
}
