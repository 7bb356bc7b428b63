//! Leftovers: images of the agent's own that an engine crash left without any name while they were being removed.
//!
//! Promise: nothing of them stays on the disk once the engine is well, whoever was restarted meanwhile: what they are
//! is read from records, forks and history, which name every release that an app had. Never touched: an image with a
//! name, one that a container uses, and one that no app of this agent ever had.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use titania_core::digest::Digest;
use titania_core::release::Release;

use super::agent::Agent;
use super::app::App;
use super::backoff;
use super::fault::Fault;

/// Lines of an app's history that are looked at: all that are kept.
const HISTORY_MAX: usize = 200;

/// Sweeps whenever it is asked for, and again after a while where that failed, for ever.
pub async fn keep(agent: Rc<Agent>) {
    let mut failures = 0;
    loop {
        agent.leftovers.notified().await;
        while let Err(fault) = sweep(&agent).await {
            failures += 1;
            log::info!("images without a name are looked at again later: {fault:?}");
            let wait = backoff::wait(failures, backoff::SHORT_MAX);
            tokio::time::sleep(Duration::from_millis(wait.0)).await;
        }
        failures = 0;
    }
}

/// Removes them all.
///
/// # Errors
/// The engine's, or the history can't be read.
pub async fn sweep(agent: &Agent) -> Result<(), Fault> {
    sweep_those(agent, &agent.all()).await
}

/// Removes those of one app.
///
/// # Errors
/// As [`sweep`].
pub async fn sweep_of(agent: &Agent, app: &Rc<App>) -> Result<(), Fault> {
    sweep_those(agent, std::slice::from_ref(app)).await
}

async fn sweep_those(agent: &Agent, apps: &[Rc<App>]) -> Result<(), Fault> {
    let nameless = agent.engine.nameless().await?;
    if nameless.is_empty() {
        return Ok(());
    }
    let mut known = BTreeSet::new();
    for app in apps {
        let past = agent.store.history(Some(app.name.clone()), HISTORY_MAX, None).await?;
        for outcome in &past {
            known.extend([&outcome.from, &outcome.to].into_iter().flatten().flat_map(names));
        }
        let memory = app.memory.borrow();
        let record = &memory.record;
        let committed = [&record.current, &record.previous].into_iter().flatten();
        let specs = committed.map(|c| &c.spec).chain(record.intent.as_ref().map(|i| &i.spec));
        known.extend(specs.flat_map(|spec| names(&spec.release)));
        let forks = memory.seen.iter().flat_map(|look| &look.forks);
        known.extend(forks.filter_map(|f| f.file.as_ref()).flat_map(|f| names(&f.spec.release)));
    }
    for id in nameless {
        if id.parse().is_ok_and(|id| known.contains(&id)) {
            log::info!("{id}: an engine broke off its removal; it goes now");
            agent.engine.remove_nameless(&id).await?;
        }
    }
    Ok(())
}

/// By which ids an engine may know a release: its config's digest, or its manifest's, as its store has it.
fn names(release: &Release) -> impl Iterator<Item = Digest> {
    [release.config, release.manifest].into_iter().flatten()
}
