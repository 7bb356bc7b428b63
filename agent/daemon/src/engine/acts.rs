//! What is done to a container. Each act is idempotent and tells what it found.

use std::time::Duration;

use bollard::models::{ContainerUpdateBody, RestartPolicy, RestartPolicyNameEnum};
use bollard::query_parameters::{CreateContainerOptions, RemoveContainerOptions};
use hyper::StatusCode;
use titania_core::time::Millis;

use super::call::{ACT, Call, encode};
use super::error::EngineError;
use super::plan::Plan;
use super::transport::act;
use super::{Engine, refusal, short};

/// Beyond the grace, how long a stop may take: SIGKILL, unmounting, the network's teardown.
const STOP_BEYOND_GRACE: Duration = Duration::from_secs(10);

/// A container that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Engine's id.
    pub id: String,
    /// What the engine did not like but accepted: limits the kernel lacks, a foreign platform.
    pub warnings: Vec<String>,
}

/// What a start found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// It was down and runs now. A binary for the wrong CPU is started as well.
    Now,
    /// It ran already.
    Already,
}

/// What a stop found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It ran: the engine notes that it was stopped by hand, and does not start it again by itself.
    WasRunning,
    /// It was down: its restart policy stays armed.
    WasDown,
    /// There is no such container.
    Gone,
}

impl Engine {
    /// Makes the container of `plan`; started is it not.
    ///
    /// # Errors
    /// [`EngineError::Conflict`] when its name is taken: look what is there. [`EngineError::Unknown`]: it may be there.
    pub async fn create(&self, plan: &Plan) -> Result<Created, EngineError> {
        let docker = self.wire().docker().await?;
        let options = CreateContainerOptions {
            name: Some(plan.name.clone()),
            ..CreateContainerOptions::default()
        };
        let words = format!("create {}", plan.name);
        let made =
            act(&words, ACT, docker.create_container(Some(options), plan.body.clone())).await?;
        Ok(Created {
            id: made.id,
            warnings: made.warnings.iter().map(|text| refusal::shorten(text)).collect(),
        })
    }

    /// Starts a container.
    ///
    /// # Errors
    /// [`EngineError::Refused`] tells whose fault it is; the container stays as it was. [`EngineError::Unknown`]: it may run.
    pub async fn start(&self, id: &str) -> Result<Started, EngineError> {
        let words = format!("start {}", short(id));
        let call = Call::post(&words, format!("/containers/{}/start", encode(id)), None);
        let answer = self.wire().ask(call).await?;
        match answer.status {
            StatusCode::NOT_MODIFIED => Ok(Started::Already),
            status if status.is_success() => Ok(Started::Now),
            status => Err(refusal::of(&words, status.as_u16(), &refusal::message(&answer.body))),
        }
    }

    /// Stops a container by the signal it was made with, after `grace` (rounded up to seconds) by SIGKILL.
    ///
    /// bollard reads 304 as success, but it is the one thing that counts here: only a container that was
    /// running is noted by the engine as stopped by hand. So this call is made without it.
    ///
    /// # Errors
    /// [`EngineError::Unknown`] when no answer came within `grace` + 10 s. It may have happened: look again.
    pub async fn stop(&self, id: &str, grace: Millis) -> Result<Stopped, EngineError> {
        let seconds = grace.0.div_ceil(1000);
        let words = format!("stop {}", short(id));
        let call = Call {
            deadline: Duration::from_secs(seconds).saturating_add(STOP_BEYOND_GRACE),
            ..Call::post(&words, format!("/containers/{}/stop?t={seconds}", encode(id)), None)
        };
        let answer = self.wire().ask(call).await?;
        match answer.status {
            StatusCode::NOT_MODIFIED => Ok(Stopped::WasDown),
            StatusCode::NOT_FOUND => Ok(Stopped::Gone),
            status if status.is_success() => Ok(Stopped::WasRunning),
            status => Err(refusal::of(&words, status.as_u16(), &refusal::message(&answer.body))),
        }
    }

    /// Removes a container that is down, and no volume. One that is gone already is fine.
    ///
    /// # Errors
    /// [`EngineError::Conflict`] when it runs, or is just being removed.
    pub async fn remove(&self, id: &str) -> Result<(), EngineError> {
        self.remove_with(id, RemoveContainerOptions::default()).await
    }

    pub(super) async fn remove_with(
        &self,
        id: &str,
        options: RemoveContainerOptions,
    ) -> Result<(), EngineError> {
        let docker = self.wire().docker().await?;
        let words = format!("remove {}", short(id));
        match act(&words, ACT, docker.remove_container(id, Some(options))).await {
            Err(EngineError::NoSuch { .. }) => Ok(()),
            other => other,
        }
    }

    /// Gives a container the restart policy of a committed one, `unless-stopped`. Durable when it returns; starts nothing.
    ///
    /// # Errors
    /// [`EngineError::NoSuch`] also on Podman 4, which can't change a policy ([`super::About::keeps_policy`]).
    pub async fn arm(&self, id: &str) -> Result<(), EngineError> {
        let docker = self.wire().docker().await?;
        let policy = RestartPolicy {
            name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
            ..RestartPolicy::default()
        };
        let body =
            ContainerUpdateBody { restart_policy: Some(policy), ..ContainerUpdateBody::default() };
        let words = format!("arm {}", short(id));
        act(&words, ACT, docker.update_container(id, body)).await
    }
}
