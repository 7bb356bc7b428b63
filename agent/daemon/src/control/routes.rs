//! Which path gives which answer.

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use titania_core::api::{History, Problem};
use titania_core::names::AppName;
use titania_core::status::{AppStatus, Status};
use titania_core::time::Timestamp;
use tokio::time::timeout;

use super::answer::{self, Answer, Follow};
use super::peer::Peer;
use super::query::{self, parsed};
use super::{Control, HistoryQuery, problem, verb};

/// Lines of history when no limit is given: what fits a screen or two.
const HISTORY_DEFAULT: usize = 50;
/// Most lines of history at once: 200 an app are kept, a line has some 2 KB.
const HISTORY_MAX: usize = 1000;
/// Longest that `?wait=` holds a request: who waits longer asks again.
const WAIT_SECONDS_MAX: u64 = 300;
/// An answer so old is given again, so that many who ask at once cost one copy and little work.
const STATUS_AGE_MAX: Duration = Duration::from_millis(200);

/// The status as it was last sent.
struct Sent {
    of: Rc<Status>,
    body: Bytes,
}

/// See the head of this file.
pub(super) struct Routes {
    control: Control,
    sent: Rc<RefCell<Option<Sent>>>,
}

type Answered = Result<Response<Answer>, Problem>;

impl Routes {
    pub(super) fn new(control: Control) -> Self {
        Self { control, sent: Rc::default() }
    }

    /// Answers one request.
    pub(super) async fn answer(&self, peer: Peer, request: Request<Incoming>) -> Response<Answer> {
        let path = request.uri().path().to_string();
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let is_read = request.method() == Method::GET || request.method() == Method::HEAD;
        let query = request.uri().query();
        let answered = match parts.as_slice() {
            ["v1", "status"] if is_read => none_asked(query).map(|()| self.status()),
            ["v1", "apps", app] if is_read => none_asked(query).and_then(|()| self.app(app)),
            ["v1", "history"] if is_read => self.history(query).await,
            ["v1", "events"] if is_read => self.events(query),
            ["v1", "requests", id] if is_read => self.request(id, query).await,
            ["v1", "adopt"] | ["v1", "apps", _, _] if request.method() == Method::POST => {
                verb::answer(&self.control, peer, &parts, request).await
            }
            ["v1", "status" | "history" | "events" | "adopt"]
            | ["v1", "apps", _]
            | ["v1", "apps", _, _]
            | ["v1", "requests", _] => Err(wrong_method(request.method())),
            _ => Err(no_such_path(&path)),
        };
        answered.unwrap_or_else(|problem| answer::refuse(&problem))
    }

    fn status(&self) -> Response<Answer> {
        let of = self.control.status.borrow().clone();
        let mut sent = self.sent.borrow_mut();
        let body = match sent.as_ref().filter(|sent| Rc::ptr_eq(&sent.of, &of)) {
            Some(sent) => sent.body.clone(),
            None => {
                let now = Timestamp(jiff::Timestamp::now().as_millisecond());
                let document = Status { at: now, ..Status::clone(&of) };
                let body = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
                *sent = Some(Sent { of, body: body.clone() });
                // Nobody may ask again for a long time: neither document nor text is kept for that.
                let sent = Rc::clone(&self.sent);
                tokio::task::spawn_local(async move {
                    tokio::time::sleep(STATUS_AGE_MAX).await;
                    sent.take();
                });
                body
            }
        };
        answer::whole(StatusCode::OK, "application/json", body)
    }

    fn app(&self, app: &str) -> Answered {
        let status = self.control.status.borrow().clone();
        Ok(answer::json(StatusCode::OK, known(&status, app)?))
    }

    async fn history(&self, query: Option<&str>) -> Answered {
        let [app, limit, before] = query::read(query, ["app", "limit", "before"]).map_err(bad)?;
        let app = match app {
            Some(app) => Some(known(&self.control.status.borrow(), &app)?.app.clone()),
            None => None,
        };
        let limit = parsed("limit", limit).map_err(bad)?.unwrap_or(HISTORY_DEFAULT);
        let before = parsed("before", before).map_err(bad)?;
        let limit = limit.clamp(1, HISTORY_MAX);
        let mut outcomes = (self.control.history)(HistoryQuery { app, limit, before }).await?;
        outcomes.truncate(limit);
        Ok(answer::json(StatusCode::OK, &History { schema: 1, outcomes }))
    }

    fn events(&self, query: Option<&str>) -> Answered {
        let [after, follow] = query::read(query, ["after", "follow"]).map_err(bad)?;
        let after = parsed("after", after).map_err(bad)?.unwrap_or(0);
        let is_endless = match follow.as_deref() {
            None | Some("0") => false,
            Some("1") => true,
            Some(other) => return Err(bad(format!("follow is 0 or 1, not \"{other}\""))),
        };
        Ok(answer::events(Follow::new(self.control.events.clone(), after, is_endless)))
    }

    async fn request(&self, id: &str, query: Option<&str>) -> Answered {
        let [wait] = query::read(query, ["wait"]).map_err(bad)?;
        let wait = parsed("wait", wait).map_err(bad)?.unwrap_or(0).min(WAIT_SECONDS_MAX);
        let requests = &self.control.requests;
        if wait > 0 {
            let _ = timeout(Duration::from_secs(wait), requests.finished(id)).await;
        }
        match requests.get(id) {
            Some(request) => Ok(answer::json(StatusCode::OK, &request)),
            None => Err(problem(
                404,
                "bad_request",
                "No such request",
                format!("there is no request \"{}\" (any more)", shown(id)),
                "a restart of the agent forgets requests: agentctl history shows what was done",
            )),
        }
    }
}

/// The part of an app in the document.
pub(super) fn known<'a>(status: &'a Status, app: &str) -> Result<&'a AppStatus, Problem> {
    let unknown = || {
        let names: Vec<&str> = status.apps.iter().map(|app| app.app.as_str()).collect();
        let hint = match names.as_slice() {
            [] => "no app is defined: put a definition into apps.d and reload the agent".into(),
            names => format!("apps: {}", names.join(", ")),
        };
        let detail = format!("there is no app \"{}\"", shown(app));
        problem(404, "unknown_app", "Unknown app", detail, &hint)
    };
    let name: AppName = app.parse().map_err(|_| unknown())?;
    status.apps.iter().find(|part| part.app == name).ok_or_else(unknown)
}

/// A request that is not understood.
pub(super) fn bad(detail: impl Display) -> Problem {
    problem(400, "bad_request", "Bad request", detail.to_string(), "")
}

fn none_asked(query: Option<&str>) -> Result<(), Problem> {
    query::read(query, []).map(|_: [Option<String>; 0]| ()).map_err(bad)
}

fn wrong_method(method: &Method) -> Problem {
    let detail = format!("{} can't be used here", shown(method.as_str()));
    problem(405, "bad_request", "Method not allowed", detail, "GET reads, POST uses a verb")
}

pub(super) fn no_such_path(path: &str) -> Problem {
    problem(
        404,
        "bad_request",
        "No such path",
        format!("there is no \"{}\"", shown(path)),
        "/v1/status, /v1/apps/{app}, /v1/history, /v1/events, /v1/requests/{id}; POST /v1/apps/{app}/{verb}, /v1/adopt",
    )
}

/// Text of a peer, short enough to be shown.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
