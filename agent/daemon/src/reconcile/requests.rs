//! Requests: what an operator asks for becomes a change of the record, made by the app's own task.
//!
//! Promise: whether a request is taken is answered at once, from what is known; it is carried out between two steps
//! of its app. A download gives way to it, but for a question to the registry, whose answer alone may end it.

use std::rc::Rc;
use std::time::Duration;

use titania_core::api::{Options, Problem, Verb};
use titania_core::names::AppName;
use titania_core::outcome::Outcome;
use titania_core::reason::Reason;
use titania_core::status::Status;
use titania_core::step::{Change, Decision, Step, Why};
use titania_core::verbs;
use titania_core::world::{Candidate, World};
use tokio::sync::{mpsc, watch};

use super::agent::Agent;
use super::app::{App, Memory};
use super::fault::Fault;
use super::{contact, observe, perform, words};
use crate::board::clock;
use crate::control::{Command, Requests};

/// Status of a request that does not fit the app as it is (RFC 9110, 409 Conflict).
const CONFLICT: u16 = 409;
/// Status while the board can't (RFC 9110, 503 Service Unavailable).
const UNAVAILABLE: u16 = 503;
/// Longest wait until the document tells of what was decided: it is made 20 ms after.
const SHOWN_MAX: Duration = Duration::from_secs(1);

/// A request that was taken and waits for its app's task.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Its id.
    pub id: String,
    /// What.
    pub verb: Verb,
    /// How.
    pub options: Options,
    /// Who.
    pub by: String,
}

/// Takes requests for ever.
pub async fn keep(agent: Rc<Agent>, mut commands: mpsc::Receiver<Command>) {
    while let Some(command) = commands.recv().await {
        let answer = take(&agent, &command);
        // Who asked may be gone by now; what was taken is done all the same.
        let _gone = command.answer.send(answer);
    }
}

fn take(agent: &Rc<Agent>, command: &Command) -> Result<(), Problem> {
    if command.verb == Verb::Adopt {
        let (agent, id, by) = (Rc::clone(agent), command.id.clone(), command.by.clone());
        tokio::task::spawn_local(async move { adopt(&agent, &id, &by).await });
        return Ok(());
    }
    let app = command.app.as_ref().and_then(|name| agent.app(name)).ok_or_else(|| Problem {
        title: "unknown app".to_owned(),
        status: 404,
        detail: "this board has no such app".to_owned(),
        code: "unknown_app".to_owned(),
        hint: "agentctl status lists them".to_owned(),
    })?;
    {
        let mut memory = app.memory.borrow_mut();
        if let Some(reason) =
            memory.untouchable.clone().or_else(|| agent.shared.borrow().state.clone())
        {
            return Err(of_reason(&reason, UNAVAILABLE));
        }
        let Some(world) = &memory.world else {
            return Err(not_yet());
        };
        verbs::change(world, command.verb, command.options, &command.by)
            .map_err(|refused| of_refused(&refused))?;
        memory.requests.push_back(Taken {
            id: command.id.clone(),
            verb: command.verb,
            options: command.options,
            by: command.by.clone(),
        });
    }
    app.asked.notify_one();
    app.wake.notify_one();
    Ok(())
}

fn not_yet() -> Problem {
    Problem {
        title: "not looked at yet".to_owned(),
        status: UNAVAILABLE,
        detail: "the agent has just started and has not looked at the app yet".to_owned(),
        code: "bad_request".to_owned(),
        hint: "ask again in a few seconds".to_owned(),
    }
}

fn of_refused(refused: &verbs::Refused) -> Problem {
    Problem {
        title: "it does not fit the app as it is".to_owned(),
        status: CONFLICT,
        detail: refused.message.clone(),
        code: "bad_request".to_owned(),
        hint: refused.hint.clone(),
    }
}

/// A reason as an error of the API.
pub fn of_reason(reason: &Reason, status: u16) -> Problem {
    Problem {
        title: reason.code.word().replace('_', " "),
        status,
        detail: reason.message.clone(),
        code: reason.code.word(),
        hint: reason.hint.clone(),
    }
}

/// Carries out what an app was asked for. Called by its task alone, between two steps.
pub async fn carry_out(agent: &Rc<Agent>, app: &Rc<App>) {
    while let Some(taken) = first(app) {
        carry_out_one(agent, app, taken).await;
    }
}

/// Carries out what needs no end of a download, up to the first request that does. May be broken off at any await.
pub async fn carry_out_beside(agent: &Rc<Agent>, app: &Rc<App>) {
    while let Some(taken) = first(app).filter(|taken| taken.verb == Verb::Update) {
        carry_out_one(agent, app, taken).await;
    }
}

fn first(app: &App) -> Option<Taken> {
    app.memory.borrow().requests.front().cloned()
}

/// It waits in front until it is carried out: one that is broken off is carried out again.
async fn carry_out_one(agent: &Rc<Agent>, app: &Rc<App>, taken: Taken) {
    agent.requests.running(&taken.id);
    if let Err(problem) = one(agent, app, &taken).await {
        agent.requests.failed(&taken.id, problem);
    }
    app.memory.borrow_mut().requests.pop_front();
}

/// One request. Tells the table that it is done, or lets the registry's answer tell.
async fn one(agent: &Rc<Agent>, app: &Rc<App>, taken: &Taken) -> Result<(), Problem> {
    app.memory.borrow_mut().seen = None;
    let (world, _) = observe::world(agent, app).await;
    let change =
        verbs::change(&world, taken.verb, taken.options, &taken.by).map_err(|r| of_refused(&r))?;
    if let Some(change) = &change {
        log::info!("{}: {} by {}", app.name, taken.verb.word(), taken.by);
        write(agent, app, &world, change).await?;
    }
    match taken.verb {
        Verb::Update | Verb::Retry => {
            {
                let mut memory = app.memory.borrow_mut();
                memory.forgive_all();
                memory.evidence.retry_at = None;
            }
            if taken.verb == Verb::Update
                && agent.shared.borrow().platform.is_none()
                && let Some((reason, _)) = agent.barrier()
            {
                return Err(of_reason(&reason, UNAVAILABLE)); // it is not known yet what to ask for
            }
            let answer = agent.polls.ask(&app.name);
            let (requests, id) = (agent.requests.clone(), taken.id.clone());
            let needs_answer = taken.verb == Verb::Update;
            if !needs_answer {
                requests.done(&id);
                return Ok(());
            }
            let app = Rc::clone(app);
            tokio::task::spawn_local(async move {
                settle(&requests, &app, id, answer.await.ok());
            });
        }
        Verb::Snapshot | Verb::Restore => {
            let mut memory = app.memory.borrow_mut();
            let number = memory.record.intent.as_ref().map(|i| i.generation).unwrap_or_default();
            memory.ending.push((taken.id.clone(), number));
        }
        Verb::Purge => app.memory.borrow_mut().purging.push(taken.id.clone()),
        Verb::Rollback | Verb::Stop | Verb::Start | Verb::Adopt => agent.requests.done(&taken.id),
    }
    Ok(())
}

/// The registry answered: what that means for the app its task decides.
fn settle(requests: &Requests, app: &App, id: String, answer: Option<Result<(), Reason>>) {
    match answer {
        Some(Ok(())) => {
            app.memory.borrow_mut().answered.push(id);
            app.wake.notify_one();
        }
        Some(Err(reason)) => requests.failed(&id, of_reason(&reason, UNAVAILABLE)),
        None => requests.failed(
            &id,
            not_asked("the app's definition changed meanwhile, or nothing is to be asked for it"),
        ),
    }
}

fn not_asked(detail: &str) -> Problem {
    Problem {
        title: "not asked".to_owned(),
        status: UNAVAILABLE,
        detail: detail.to_owned(),
        code: "bad_request".to_owned(),
        hint: "agentctl status".to_owned(),
    }
}

/// Ends the requests whose update has ended, as the record says.
fn ended(agent: &Agent, memory: &mut Memory) {
    let record = &memory.record;
    let is_open = |number| record.intent.as_ref().is_some_and(|i| i.generation == number);
    for (id, number) in std::mem::take(&mut memory.ending) {
        match record.last.as_ref().filter(|last| last.generation == Some(number)) {
            _ if is_open(number) => memory.ending.push((id, number)),
            Some(last) => match &last.reason {
                Some(reason) => agent.requests.failed(&id, of_reason(reason, CONFLICT)),
                None => {
                    let (requests, shown, last) =
                        (agent.requests.clone(), agent.outlet.status(), last.clone());
                    tokio::task::spawn_local(done_when_shown(requests, shown, last, id));
                }
            },
            None => agent.requests.failed(&id, not_asked("the record that told of it is lost")),
        }
    }
}

/// Who asked looks at the app next: the document must tell of the end by then.
async fn done_when_shown(
    requests: Requests,
    mut shown: watch::Receiver<Rc<Status>>,
    last: Outcome,
    id: String,
) {
    let is_told = |status: &Rc<Status>| {
        let app = status.apps.iter().find(|app| app.app == last.app);
        app.is_none_or(|app| app.last.as_ref() == Some(&last) && app.update.is_none())
    };
    let told = tokio::time::timeout(SHOWN_MAX, shown.wait_for(is_told));
    let _late = told.await.is_err();
    requests.done(&id);
}

/// All of these ended well.
pub fn done(agent: &Agent, ids: &mut Vec<String>) {
    ids.drain(..).for_each(|id| agent.requests.done(&id));
}

/// What all of these wait for failed. It is tried again by itself.
pub fn failed(agent: &Agent, ids: &mut Vec<String>, why: &Reason) {
    ids.drain(..).for_each(|id| agent.requests.failed(&id, of_reason(why, UNAVAILABLE)));
}

/// Ends the questions whose answer has been decided on: the candidate is refused, or taken, or nothing is new.
/// A write comes first: the next round tells what follows from it.
pub fn decided(agent: &Agent, app: &App, world: &World, decision: &Decision) {
    let memory = &mut *app.memory.borrow_mut();
    let is_writing = matches!(
        decision,
        Decision::Do(Step::Write(_) | Step::Mark(..) | Step::Prune(_) | Step::Purge)
    );
    if world.record.purge.is_none() {
        done(agent, &mut memory.purging); // told only now, when status has it
    }
    // A world made before the answer says nothing of it; the next round was called for by the answer.
    if is_writing || world.candidate != memory.candidate {
        return;
    }
    ended(agent, memory);
    let refusal = refusal(&app.name, world, decision);
    for id in memory.answered.drain(..) {
        match &refusal {
            Some(reason) => agent.requests.failed(&id, of_reason(reason, CONFLICT)),
            None => agent.requests.done(&id),
        }
    }
}

/// Why the candidate is not taken, where that is its own fault, or its definition's.
fn refusal(app: &AppName, world: &World, decision: &Decision) -> Option<Reason> {
    match (&world.candidate, decision) {
        (Candidate::Refused(refusal), _) => Some(refusal.reason.clone()),
        (_, Decision::Idle(why @ Why::Refused(_))) => words::reason(app, world, why),
        _ => None,
    }
}

async fn write(
    agent: &Rc<Agent>,
    app: &Rc<App>,
    world: &World,
    change: &Change,
) -> Result<(), Problem> {
    match perform::write(agent, app, world, change).await {
        Ok(()) => Ok(()),
        Err(Fault::Failed { reason, .. }) => Err(of_reason(&reason, UNAVAILABLE)),
        Err(Fault::LookAgain) => Err(not_yet()),
    }
}

/// Settles whose board this is.
async fn adopt(agent: &Rc<Agent>, id: &str, by: &str) {
    agent.requests.running(id);
    match contact::adopt(agent).await {
        Ok(instance) => {
            log::info!("{by} adopts the volumes: this board is {}", instance.0);
            agent.requests.done(id);
        }
        Err(Fault::Failed { reason, .. }) => {
            agent.requests.failed(id, of_reason(&reason, UNAVAILABLE))
        }
        Err(Fault::LookAgain) => {
            let reason = Reason::new(
                titania_core::reason::Code::EngineAway,
                titania_core::reason::Class::Environment,
                "the engine has to answer first: its containers may name the board",
                "systemctl status docker",
                clock::wall(),
            );
            agent.requests.failed(id, of_reason(&reason, UNAVAILABLE));
        }
    }
}
