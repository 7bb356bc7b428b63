//! The verbs: hand one over, wait for its end, tell what happened.

use std::time::{Duration, Instant};

use titania_core::api::{Accepted, Options, Verb};
use titania_core::names::Generation;

use crate::arguments::{Command, Wait};
use crate::client::{Client, ClientError};
use crate::show::Look;
use crate::status::{render, segment};
use crate::view::{Request, Status};
use crate::words::clean;
use crate::{Exit, complain, say};

/// The agent holds a question about a request so long, seconds.
const HOLD_SECONDS: u64 = 30;
/// Longest wait for the end of a request: a large image over a thin line, and its probation.
const WAIT_MAX: Duration = Duration::from_secs(2 * 60 * 60);

/// One request on its way.
struct Asked {
    app: Option<String>,
    id: String,
}

/// Runs one of the verbs.
pub(crate) fn run(client: &Client, command: Command) -> Result<Exit, ClientError> {
    let plain = Options::default();
    let (verb, app, options, wait) = match command {
        Command::Update { app, wait } => (Verb::Update, app, plain, wait),
        Command::Rollback { app, old_state, keep_state, wait } => {
            (Verb::Rollback, Some(app), Options { old_state, keep_state, ..plain }, wait)
        }
        Command::Retry { app, wait } => (Verb::Retry, Some(app), plain, wait),
        Command::Stop { app, wait } => (Verb::Stop, Some(app), plain, wait),
        Command::Start { app, wait } => (Verb::Start, Some(app), plain, wait),
        Command::Adopt { wait } => (Verb::Adopt, None, plain, wait),
        Command::Snapshot { app, wait } => (Verb::Snapshot, Some(app), plain, wait),
        Command::Restore { app, fork, wait } => {
            let fork = Some(Generation(fork));
            (Verb::Restore, Some(app), Options { fork, ..plain }, wait)
        }
        Command::Status { .. }
        | Command::History { .. }
        | Command::Snapshots { .. }
        | Command::Purge { .. }
        | Command::Doctor { .. }
        | Command::Check => {
            return Ok(Exit::Well); // no verbs: `main` keeps them from here
        }
    };
    let apps = match (verb, app) {
        (Verb::Update, None) => {
            let status: Status = client.parse(&client.get("/v1/status")?)?;
            status.apps.into_iter().map(|app| Some(app.app)).collect()
        }
        (_, app) => vec![app],
    };
    hand_over(client, verb, apps, options, wait)
}

/// Hands a verb over for each of the apps, then waits for the ends.
pub(crate) fn hand_over(
    client: &Client,
    verb: Verb,
    apps: Vec<Option<String>>,
    options: Options,
    wait: Wait,
) -> Result<Exit, ClientError> {
    let mut exit = Exit::Well;
    let mut asked = Vec::new();
    for app in apps {
        match ask(client, verb, app.as_deref(), options) {
            Ok(id) => asked.push(Asked { app, id }),
            Err(error @ ClientError::Refused(_)) => {
                complain(&about(app.as_deref(), &error.to_string()));
                exit = Exit::Failed;
            }
            Err(error) => return Err(error),
        }
    }
    for asked in asked {
        exit = exit.max(follow(client, verb, &asked, wait)?);
    }
    Ok(exit)
}

fn about(app: Option<&str>, text: &str) -> String {
    match app {
        Some(app) => format!("{}: {text}", clean(app)),
        None => text.to_string(),
    }
}

fn ask(
    client: &Client,
    verb: Verb,
    app: Option<&str>,
    options: Options,
) -> Result<String, ClientError> {
    let path = match app {
        Some(app) => format!("/v1/apps/{}/{}", segment(app), verb.word()),
        None => format!("/v1/{}", verb.word()),
    };
    let body = match options == Options::default() {
        true => String::new(),
        false => serde_json::to_string(&options).unwrap_or_default(),
    };
    let accepted: Accepted = client.parse(&client.post(&path, &body)?)?;
    Ok(accepted.id)
}

/// Waits for the end of a request and tells it.
fn follow(client: &Client, verb: Verb, asked: &Asked, wait: Wait) -> Result<Exit, ClientError> {
    let app = asked.app.as_deref();
    let word = verb.word();
    if wait.no_wait {
        say(&format!("{}\n", about(app, &format!("{word} taken, request {}", clean(&asked.id)))));
        return Ok(Exit::Well);
    }
    let end = Instant::now() + WAIT_MAX;
    let path = format!("/v1/requests/{}?wait={HOLD_SECONDS}", segment(&asked.id));
    while Instant::now() < end {
        let body = client.get_patiently(&path, Duration::from_secs(HOLD_SECONDS))?;
        let request: Request = client.parse(&body)?;
        match request.state.as_str() {
            "done" => {
                say(&told(client, verb, app)?);
                return Ok(Exit::Well);
            }
            "failed" => {
                let error = request.error.map(|problem| ClientError::Refused(Box::new(problem)));
                let why = error.map_or_else(String::new, |error| format!(": {error}"));
                complain(&about(app, &format!("{word} failed{why}")));
                return Ok(Exit::Failed);
            }
            _ => {}
        }
    }
    complain(&about(app, &format!("{word} is still under way: agentctl status shows how it goes")));
    Ok(Exit::Failed)
}

/// The app as it is now, or that it is done.
fn told(client: &Client, verb: Verb, app: Option<&str>) -> Result<String, ClientError> {
    let Some(app) = app else {
        return Ok(format!("{}: done\n", verb.word()));
    };
    let mut status: Status = client.parse(&client.get("/v1/status")?)?;
    status.apps.retain(|part| part.app == app);
    if status.apps.is_empty() {
        return Ok(format!("{}: {} done\n", clean(app), verb.word()));
    }
    // The app's own lines, not the board's troubles.
    status.board = crate::view::Board::default();
    status.board.engine.state = "ready".into();
    status.agent = crate::view::Agent::default();
    status.clock_synced = true;
    Ok(render(&status, None, Look::of_stdout()))
}
