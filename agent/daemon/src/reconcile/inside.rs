//! What only the engine can ask of a container, for the probes.

use std::time::Duration;

use titania_core::time::Millis;

use super::probes::{self, Checked};
use crate::engine::{Engine, Exec, HealthCheck};

/// The engine, as probes use it.
#[derive(Clone)]
pub struct Inside {
    engine: Engine,
}

impl Inside {
    /// Probes through this engine.
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }
}

impl probes::Inside for Inside {
    async fn run(&self, container: &str, command: &[String], timeout: Duration) -> Option<i64> {
        let limit = Millis(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        match self.engine.exec(container, command, None, limit).await {
            Ok(Exec::Exited { code, .. }) => Some(code),
            Ok(Exec::TimedOut) | Err(_) => None,
        }
    }

    async fn checked(&self, container: &str, timeout: Duration) -> Option<Checked> {
        let asked = tokio::time::timeout(timeout, self.engine.health(container)).await;
        match asked.ok()?.ok()?? {
            HealthCheck::Starting => Some(Checked::Starting),
            HealthCheck::Healthy => Some(Checked::Healthy),
            HealthCheck::Unhealthy => Some(Checked::Unhealthy),
        }
    }
}
