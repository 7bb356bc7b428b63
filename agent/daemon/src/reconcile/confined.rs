//! What the agent is kept from by the service manager, as a problem of the board.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::agent::Agent;
use crate::board::clock;
use crate::board::confinement::Confinement;
use crate::board::unit::Needs;

/// Looks, and shows what is new. May wait for a disk.
pub async fn look(agent: &Agent) {
    let needs = Needs::of(&agent.files.borrow());
    let paths = needs.write.iter().cloned().collect();
    let real: BTreeMap<PathBuf, PathBuf> = match agent.volumes.real_paths(paths).await {
        Ok(real) => real.into_iter().collect(),
        Err(error) => {
            log::warn!("{error}");
            return;
        }
    };
    let exists = |path: &Path| real.get(path).cloned();
    let now = Confinement::look().troubles(&needs, exists, clock::wall());
    let news: Vec<_> = {
        let before = &agent.shared.borrow().confined;
        let is_new =
            |reason: &&titania_core::reason::Reason| !before.iter().any(|old| old.same(reason));
        now.iter().filter(is_new).map(|reason| reason.message.clone()).collect()
    };
    for message in &news {
        log::warn!("{message}");
    }
    let is_same = news.is_empty() && agent.shared.borrow().confined.len() == now.len();
    if !is_same {
        agent.shared.borrow_mut().confined = now;
        agent.outlet.changed();
    }
}
