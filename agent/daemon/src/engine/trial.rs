//! A port tried: the engine's own word for whether it gives one out, had by a throw-away container.
//!
//! Promise: nothing of the image is run, nobody's rights are used, and the container goes, whatever the answer.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, HostConfig, PortBinding};
use titania_core::definition::Port;
use titania_core::names::{AppName, InstanceId};

use super::Engine;
use super::error::EngineError;
use super::throwaway::body;

/// User and group of a process that needs no rights.
const NOBODY: &str = "65534:65534";

impl Engine {
    /// Whether the engine gives this port out: starts `<app>-probe` with it published, and removes it. Its one process
    /// is the engine's own init, which finds no program to start and ends; nothing of the image is run.
    ///
    /// # Errors
    /// The engine's no, among others: [`EngineError::allocated_port`] tells whether its own list of ports has it.
    pub async fn try_port(
        &self,
        app: &AppName,
        instance: &InstanceId,
        image: &str,
        network: &str,
        port: &Port,
    ) -> Result<(), EngineError> {
        let inside = format!("{}/{}", port.container, port.protocol);
        let binding = PortBinding {
            host_ip: Some(port.address.clone()),
            host_port: Some(port.host.to_string()),
        };
        let host = HostConfig {
            network_mode: Some(network.to_string()),
            port_bindings: Some(HashMap::from([(inside.clone(), Some(vec![binding]))])),
            init: Some(true),
            cap_drop: Some(vec!["ALL".to_string()]),
            security_opt: Some(vec!["no-new-privileges".to_string()]),
            ..HostConfig::default()
        };
        let wanted = ContainerCreateBody {
            host_config: Some(host),
            exposed_ports: Some(vec![inside]),
            user: Some(NOBODY.to_string()),
            ..body(instance, image)
        };
        let probe = self.throwaway_of(app, instance, wanted).await?;
        let started = self.start(probe.id()).await;
        probe.remove().await?;
        started.map(drop)
    }
}
