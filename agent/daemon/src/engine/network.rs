//! The agent's own bridge, on which apps find each other by name.
//!
//! Promise: there is one of its name. Distrusts: 20.10, which makes a second one when two are asked for at once,
//! and refuses every start on a name that is ambiguous.

use hyper::Method;
use serde::Deserialize;
use titania_core::definition::OWN_NETWORK;

use super::call::{ACT, Call, LIST_BYTES_MAX, encode};
use super::error::EngineError;
use super::{Engine, parse};

/// Networks that every engine has: none is made, and none takes an alias.
pub(super) const BUILT_IN: [&str; 4] = ["host", "none", "bridge", "default"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Network {
    name: String,
    id: String,
}

impl Engine {
    /// Makes sure that the agent's own bridge is there, once. Networks of other names belong to the operator: for them nothing is done.
    ///
    /// # Errors
    /// Any; a race with another maker is none.
    pub async fn ensure_network(&self, name: &str) -> Result<(), EngineError> {
        if name != OWN_NETWORK {
            return Ok(());
        }
        // Several apps may want it at the same time.
        let _alone = self.wire().alone_with_networks().await;
        let found = self.networks(name).await?;
        match found.split_last() {
            None => self.make_network(name).await,
            Some((_, [])) => Ok(()),
            Some((last, others)) => self.thin_out(last, others).await,
        }
    }

    async fn networks(&self, name: &str) -> Result<Vec<Network>, EngineError> {
        let filters = serde_json::json!({ "name": [name] }).to_string();
        let act = "list networks";
        let call = Call {
            bytes_max: LIST_BYTES_MAX,
            ..Call::get(act, format!("/networks?filters={}", encode(&filters)))
        };
        let mut found: Vec<Network> = parse(act, &self.wire().well(call).await?)?;
        found.retain(|network| network.name == name); // the filter takes parts of names, too
        Ok(found)
    }

    async fn make_network(&self, name: &str) -> Result<(), EngineError> {
        // bollard's body has no CheckDuplicate, without which 20.10 makes a second network of this name.
        let body = serde_json::json!({ "Name": name, "Driver": "bridge", "CheckDuplicate": true });
        let path = "/networks/create".to_string();
        let call = Call::post("create network", path, Some(body.to_string().into_bytes()));
        match self.wire().well(call).await {
            Ok(_) | Err(EngineError::Conflict { .. }) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// Removes networks of one name until one is left. One that is in use refuses: then another goes.
    async fn thin_out(&self, last: &Network, others: &[Network]) -> Result<(), EngineError> {
        let mut left = others.len();
        for network in others.iter().chain([last]) {
            if left == 0 {
                break;
            }
            let path = format!("/networks/{}", encode(&network.id));
            let call = Call {
                method: Method::DELETE,
                deadline: ACT,
                ..Call::get("remove a second network", path)
            };
            match self.wire().well(call).await {
                Ok(_) | Err(EngineError::NoSuch { .. }) => left -= 1,
                Err(EngineError::Refused { .. } | EngineError::Conflict { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }
}
