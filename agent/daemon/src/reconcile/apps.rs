//! Which apps there are: those with a definition, and those that a record, volumes or containers tell of.
//!
//! Promise: a definition that is removed leaves an orphan, which is stopped and kept; one that is bad changes nothing.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use titania_core::event::{EventType, Level};
use titania_core::names::{AppName, InstanceId};
use titania_core::reason::{Class, Code, Reason};
use titania_core::record::Record;
use titania_core::world::RecordFrom;

use super::agent::Agent;
use super::app::{App, InForce, Memory};
use super::news::Told;
use super::{evidence, perform, polls, round};
use crate::board::clock;
use crate::board::files::{self, AppFile};
use crate::engine::Role;
use crate::store::StoreError;

/// Puts what was read into force. Called at the start and after each reload.
pub async fn put_into_force(agent: &Rc<Agent>, read: files::InForce) {
    tell_of_faults(agent, &read);
    let names: BTreeSet<AppName> = read.apps.keys().cloned().collect();
    let known = agent.store.apps().await.unwrap_or_default();
    agent.files.replace(read);
    for name in names.iter().chain(&known) {
        ensure(agent, name).await;
    }
    for app in agent.all() {
        take_over(agent, &app);
        polls::judge_again(agent, &app);
    }
    agent.polls.follow(&agent.all());
    drop_strangers(agent, &names);
    agent.all_stale();
    agent.outlet.changed();
}

fn tell_of_faults(agent: &Agent, read: &files::InForce) {
    let before =
        std::mem::replace(&mut agent.shared.borrow_mut().config_errors, read.errors.clone());
    for error in read.errors.iter().filter(|error| !before.contains(error)) {
        let reason = Reason::new(
            Code::ConfigInvalid,
            Class::Config,
            error.message.clone(),
            error.hint.clone(),
            clock::wall(),
        );
        let text = format!("{}:{}:{}: {}", error.file, error.line, error.column, error.message);
        agent.outlet.tell(None, Told::because(EventType::ConfigError, Level::Error, &reason, text));
    }
    if read.errors.is_empty() && !before.is_empty() {
        agent.outlet.tell(None, Told::info(EventType::ConfigOk, "all files are well again"));
    }
}

/// Makes an app known, with its record, and gives it its task.
async fn ensure(agent: &Rc<Agent>, name: &AppName) {
    if agent.app(name).is_some() {
        return;
    }
    let (record, from, trouble) = match agent.store.load(name).await {
        Ok(loaded) => {
            if let Some(damage) = loaded.damage {
                log::warn!("{name}: its record is damaged: {damage}");
            }
            (loaded.record, loaded.from, None)
        }
        Err(error) => {
            log::error!("{name}: {error}");
            let reason = error.reason(clock::wall());
            let is_newer = matches!(error, StoreError::Newer { .. });
            log::debug!("{name}: newer record: {is_newer}");
            (Record::default(), RecordFrom::Nowhere, Some(reason))
        }
    };
    let app = Rc::new(App::new(name.clone(), record, from));
    {
        let mut memory = app.memory.borrow_mut();
        memory.untouchable = trouble;
        memory.evidence.retry_at = evidence::retry_at(&memory.record, clock::moment());
    }
    take_over(agent, &app);
    // A crash between record and history is made good here.
    perform::append_last(agent, &app).await;
    agent.apps.borrow_mut().insert(name.clone(), Rc::clone(&app));
    let task = tokio::task::spawn_local(round::keep(Rc::clone(agent), Rc::clone(&app)));
    agent.tasks.borrow_mut().insert(name.clone(), task);
}

/// Takes over the file of an app as it was read.
pub fn take_over(agent: &Agent, app: &App) {
    let files = agent.files.borrow();
    let file = files.apps.get(&app.name);
    let memory = &mut *app.memory.borrow_mut();
    memory.file = file.map(|file| file.file.clone());
    memory.file_error = file.and_then(|file| file.error.clone());
    let now = file.and_then(|file| in_force(file, memory));
    let before = memory.definition.as_ref().map(|force| force.hash);
    if now.as_ref().map(|force| force.hash) != before {
        // Another target: what failed before says nothing about it.
        memory.failures.clear();
        memory.evidence.failed.clear();
    }
    memory.definition = now;
}

/// The definition that counts: the file's, else, where that was never good in this run, the record's.
fn in_force(file: &AppFile, memory: &Memory) -> Option<InForce> {
    if let Some(definition) = &file.definition {
        return Some(InForce {
            definition: Arc::clone(definition),
            hash: definition.shape.hash(),
            file: file.file.clone(),
            has_env: true,
            env: file.env.clone(),
        });
    }
    let intent = memory.record.intent.as_ref().map(|intent| &intent.spec);
    let spec = memory.record.current.as_ref().map(|current| &current.spec).or(intent)?;
    Some(InForce {
        definition: Arc::new(spec.definition.clone()),
        hash: spec.hash,
        file: file.file.clone(),
        has_env: false,
        env: Default::default(),
    })
}

/// An app without a file of which nothing is left is no app.
fn drop_strangers(agent: &Agent, names: &BTreeSet<AppName>) {
    let is_nothing = |app: &App| {
        let memory = app.memory.borrow();
        let is_blank = memory.record_from == RecordFrom::Nowhere && memory.untouchable.is_none();
        let has_nothing = memory
            .world
            .as_ref()
            .is_some_and(|w| w.barrier.is_none() && w.containers.is_empty() && w.forks.is_empty());
        is_blank && has_nothing && !names.contains(&app.name)
    };
    let gone: Vec<AppName> =
        agent.all().iter().filter(|app| is_nothing(app)).map(|app| app.name.clone()).collect();
    for name in gone {
        agent.apps.borrow_mut().remove(&name);
        agent.probes.borrow_mut().forget(&name);
        if let Some(task) = agent.tasks.borrow_mut().remove(&name) {
            task.abort();
        }
    }
}

/// An app that was purged and has no definition is no app. Called by its own task, which ends with this.
pub fn drop_purged(agent: &Agent, app: &App) {
    agent.apps.borrow_mut().remove(&app.name);
    agent.probes.borrow_mut().forget(&app.name);
    agent.polls.follow(&agent.all());
    agent.outlet.changed();
    if let Some(task) = agent.tasks.borrow_mut().remove(&app.name) {
        task.abort();
    }
}

/// Apps of which only volumes or containers tell: their record and definition are gone.
pub async fn adopt_strays(agent: &Rc<Agent>, instance: &InstanceId) {
    let mut names: BTreeSet<AppName> =
        agent.volumes.apps().await.unwrap_or_default().into_iter().collect();
    if let Ok(all) = agent.engine.containers(instance).await {
        names.extend(all.into_iter().filter_map(|seen| match seen.role {
            Role::App { app, .. } => Some(app),
            Role::Throwaway | Role::Unreadable => None,
        }));
    }
    for name in names {
        ensure(agent, &name).await;
    }
}
