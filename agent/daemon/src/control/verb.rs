//! Verbs: who may, on what, with which options; then over to `reconcile`.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderValue, LOCATION};
use hyper::{Request, Response, StatusCode};
use titania_core::api::{Accepted, Options, Problem, Verb};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::answer::{self, Answer};
use super::peer::{self, Peer};
use super::routes::{bad, known, no_such_path};
use super::{Command, Control, problem};

/// Longest body of a verb: its options have some fifty bytes.
pub(super) const BODY_BYTES_MAX: usize = 4096;
/// Longest time for it to come in.
const BODY_TIME_MAX: Duration = Duration::from_secs(5);
/// Longest wait for `reconcile` to take a verb: it does so between two steps.
const TAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// Answers `POST /v1/adopt` and `POST /v1/apps/{app}/{verb}`.
pub(super) async fn answer(
    control: &Control,
    peer: Peer,
    parts: &[&str],
    request: Request<Incoming>,
) -> Result<Response<Answer>, Problem> {
    if !peer::may_change(peer, control.operators.as_deref()).await {
        return Err(not_allowed(peer, control.operators.as_deref()));
    }
    let (app, word) = match parts {
        [_, _, app, word] => (Some(*app), *word),
        _ => (None, Verb::Adopt.word()),
    };
    let verb = Verb::ALL.into_iter().find(|verb| verb.word() == word);
    let verb = verb.ok_or_else(|| no_such_path(&format!("/{}", parts.join("/"))))?;
    // Whose board it is concerns no app, whichever path it came by.
    let app = match app.filter(|_| verb != Verb::Adopt) {
        Some(app) => Some(known(&control.status.borrow(), app)?.app.clone()),
        None => None,
    };
    let options = options(verb, request).await?;
    let requests = &control.requests;
    let id = requests.open().ok_or_else(|| not_now("too many requests are unfinished"))?;
    let (answer, taken) = oneshot::channel();
    let by = format!("uid:{}", peer.uid);
    let command = Command { id: id.clone(), app, verb, options, by, answer };
    let outcome = match control.commands.try_send(command) {
        Err(mpsc::error::TrySendError::Full(_)) => Err(not_now("too many requests wait")),
        Err(mpsc::error::TrySendError::Closed(_)) => Err(not_now("the agent is stopping")),
        Ok(()) => match timeout(TAKE_TIME_MAX, taken).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(not_now("the agent did not take it")),
            // It may still be taken: its place in the table stays.
            Err(_) => return Err(not_now(&format!("the agent is busy; see request {id}"))),
        },
    };
    if let Err(problem) = outcome {
        requests.withdraw(&id);
        return Err(problem);
    }
    let place = HeaderValue::from_str(&format!("/v1/requests/{id}"));
    let mut response = answer::json(StatusCode::ACCEPTED, &Accepted { id });
    if let Ok(place) = place {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(response)
}

async fn options(verb: Verb, request: Request<Incoming>) -> Result<Options, Problem> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
    let body = match timeout(BODY_TIME_MAX, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => {
            let detail = format!("the body is cut off, or longer than {BODY_BYTES_MAX} bytes");
            return Err(problem(413, "bad_request", "Body not taken", detail, ""));
        }
        Err(_) => {
            let detail = "the body did not come in time".into();
            return Err(problem(408, "bad_request", "Too slow", detail, ""));
        }
    };
    // A list would pass for a struct whose names are left out.
    if !body.is_empty() && !body.trim_ascii_start().starts_with(b"{") {
        return Err(bad("the options: a JSON object is wanted"));
    }
    let options: Options = match body.is_empty() {
        true => Options::default(),
        false => {
            serde_json::from_slice(&body).map_err(|error| bad(format!("the options: {error}")))?
        }
    };
    options.fit(verb).map_err(bad)?;
    Ok(options)
}

fn not_allowed(peer: Peer, operators: Option<&str>) -> Problem {
    let hint = match operators {
        Some(group) => format!("use sudo, or become a member of group {group}"),
        None => "use sudo, or name a group: operators under [control] in agent.toml".into(),
    };
    let detail = format!("uid {} may read, not change", peer.uid);
    problem(403, "not_allowed", "Not allowed", detail, &hint)
}

fn not_now(detail: &str) -> Problem {
    problem(503, "busy", "Not now", detail.into(), "try again in a moment")
}
