//! The agent's own bridge, on which apps find each other by name.

use titania_core::definition::OWN_NETWORK;

use super::Engine;
use super::call::{Call, encode};
use super::error::EngineError;

/// Networks that every engine has: none is made, and none takes an alias.
pub(super) const BUILT_IN: [&str; 4] = ["host", "none", "bridge", "default"];

impl Engine {
    /// Makes sure that the agent's own bridge is there. Networks of other names belong to the operator: for them nothing is done.
    ///
    /// # Errors
    /// Any; a race with another maker is none.
    pub async fn ensure_network(&self, name: &str) -> Result<(), EngineError> {
        if name != OWN_NETWORK {
            return Ok(());
        }
        let path = format!("/networks/{}", encode(name));
        match self.wire().well(Call::get("inspect network", path)).await {
            Ok(_) => return Ok(()),
            // "network titania not found" is classified by its words, as a start's refusal is.
            Err(EngineError::NoSuch { .. } | EngineError::Refused { .. }) => {}
            Err(other) => return Err(other),
        }
        // bollard's body has no CheckDuplicate, without which 20.10 makes a second network of this name.
        let body = serde_json::json!({ "Name": name, "Driver": "bridge", "CheckDuplicate": true });
        let call = Call::post(
            "create network",
            "/networks/create".to_string(),
            Some(body.to_string().into_bytes()),
        );
        match self.wire().well(call).await {
            Ok(_) | Err(EngineError::Conflict { .. }) => Ok(()),
            Err(other) => Err(other),
        }
    }
}
