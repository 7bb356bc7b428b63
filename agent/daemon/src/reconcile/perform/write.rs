//! Write and mark: what is made durable, and what follows from it in memory.

use std::rc::Rc;

use titania_core::change::{self, Stamp};
use titania_core::fork::Mark;
use titania_core::names::Generation;
use titania_core::reason::Code;
use titania_core::record::Record;
use titania_core::step::Change;
use titania_core::world::{Begun, Evidence, RecordFrom, World};

use super::super::agent::Agent;
use super::super::app::{App, Down, Memory};
use super::super::fault::Fault;
use super::super::{apps, evidence, news, polls};
use super::Act;
use crate::board::clock;

impl Act<'_> {
    /// Writes the record, changed so.
    pub(super) async fn change(&self, change: &Change) -> Result<(), Fault> {
        write(self.agent, self.app, self.world, change).await
    }

    /// Writes the mark into the fork's file: commit and verdict are this first.
    pub(super) async fn mark(&self, generation: Generation, mark: &Mark) -> Result<(), Fault> {
        self.agent.volumes.mark(&self.app.name, generation, mark.clone()).await?;
        if let Mark::Failed { .. } = mark {
            self.app.memory.borrow_mut().evidence.unwritable = None;
        }
        Ok(())
    }
}

/// Writes the record of an app, changed so, and tells what happened.
///
/// What the forks' marks say already holds without the record: where the disk refuses, memory goes on with it, so
/// that no app stays down, and after a restart the marks are read again.
///
/// # Errors
/// The disk refuses any other change, though room was kept. The record is then as it was.
pub async fn write(
    agent: &Rc<Agent>,
    app: &Rc<App>,
    world: &World,
    change: &Change,
) -> Result<(), Fault> {
    let (old, from) = {
        let memory = app.memory.borrow();
        (memory.record.clone(), memory.record_from)
    };
    let stamp = stamp(agent, app, world);
    let new = change::apply(&old, change, &stamp);
    if let Err(error) = agent.store.save(&app.name, new.clone()).await {
        if !matches!(change, Change::Conclude | Change::Rebuild(_)) {
            return Err(error.into());
        }
        log::error!(
            "{}: its record could not be written, its forks' marks will do: {error}",
            app.name
        );
    }
    {
        let memory = &mut *app.memory.borrow_mut();
        memory.record = new.clone();
        memory.record_from = RecordFrom::File;
        follow(memory, world, change, &old);
    }
    if new.last != old.last {
        append_last(agent, app).await;
    }
    if from == RecordFrom::Former && matches!(change, Change::Conclude) {
        agent.outlet.tell(Some(&app.name), news::restored(&app.name));
    }
    for told in news::of_change(&app.name, &old, &new, change) {
        agent.outlet.tell(Some(&app.name), told);
    }
    if let Change::Rebuild(_) = change {
        // Where the file is bad the definition in force is the record's, which was only found now.
        apps::take_over(agent, app);
    }
    if old.current != new.current {
        polls::judge_again(agent, app);
    }
    Ok(())
}

/// Appends the last outcome to the history, once by its id. What fails here is made good at the next start.
pub async fn append_last(agent: &Agent, app: &App) {
    let Some(last) = app.memory.borrow().record.last.clone() else {
        return;
    };
    if let Err(error) = agent.store.append_history(last).await {
        log::warn!("{}: history: {error}", app.name);
    }
}

fn stamp(agent: &Agent, app: &App, world: &World) -> Stamp {
    let now = clock::moment();
    let memory = app.memory.borrow();
    let fork = memory.record.intent.as_ref().and_then(|i| world.fork(i.generation));
    Stamp {
        app: app.name.clone(),
        at: clock::wall(),
        now,
        boot: agent.me.boot.clone(),
        mark: fork.and_then(|f| f.file.as_ref()).and_then(|file| file.mark.clone()),
        steps: memory.steps.clone(),
        down_ms: memory.down.total(now),
    }
}

/// What follows in memory from a change that is on disk.
fn follow(memory: &mut Memory, world: &World, change: &Change, old: &Record) {
    let now = clock::moment();
    // Not by any other write, an operator's for instance: the verdict that it stands for would be forgotten.
    if matches!(
        change,
        Change::Verdict(_) | Change::Conclude | Change::Abandon(_) | Change::Refuse(_)
    ) {
        memory.evidence.unwritable = None;
    }
    match change {
        Change::Begin(intent) | Change::GoBack(intent, _) => {
            memory.steps.clear();
            memory.down = Down::default();
            memory.progress = None;
            memory.evidence.settled = false;
            memory.failures.retain(|(g, _), _| *g != intent.generation);
            memory.evidence.failed.retain(|failed| failed.generation != intent.generation);
        }
        Change::Boots { boots, .. } => {
            let Some(intent) = &memory.record.intent else {
                return;
            };
            let container = world.container(intent.generation);
            memory.evidence.begun = Some(Begun {
                generation: intent.generation,
                boots: *boots,
                started_at: container.and_then(|c| c.started_at.clone()),
                running: container.is_some_and(|c| c.is_up()),
                sent: false,
            });
        }
        Change::Repaired(_) => {
            memory.evidence.repaired = None;
            memory.warnings.remove(&Code::ImageDamaged);
        }
        Change::Conclude | Change::Abandon(_) | Change::Refuse(_) => {
            let tried = old.intent.as_ref().map(|i| i.generation);
            memory.evidence.repaired.take_if(|(of, _)| Some(*of) == tried);
            memory.evidence.settled = false;
            memory.progress = None;
            if memory.record.tries != old.tries {
                memory.evidence.retry_at = evidence::retry_at(&memory.record, now);
            }
        }
        Change::Retry => {
            memory.forgive_all();
            memory.evidence.retry_at = None;
        }
        Change::Stop(_) | Change::Start | Change::Purge(_) => memory.forgive_all(),
        Change::Purged => {
            memory.forgive_all();
            memory.evidence = Evidence::default();
        }
        Change::Resolve(_)
        | Change::Verdict(_)
        | Change::Proven
        | Change::Rebuild(_)
        | Change::Moved
        | Change::Hold(_) => {}
    }
}
