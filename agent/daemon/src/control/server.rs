//! The server: takes connections, counts them, and gives each its limits.
//!
//! Promise: however many ask, and however often, the processor is left to the apps.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixStream};

use super::Control;
use super::pace::Pace;
use super::peer::Peer;
use super::routes::Routes;
use super::stream::Hurried;

/// Most connections at once.
pub(super) const CONNECTIONS_MAX: usize = 64;
/// Connections that wait to be taken.
pub(super) const BACKLOG: i32 = 64;
/// Answers at once, whoever asks: a person's commands, or a page that reads every app, wait for nothing.
pub(super) const ANSWERS_AT_ONCE: u32 = 32;
/// Answers a second beyond that. The document changes fifty times a second at most, so who asks oftener learns no more.
/// Without a bound, client and agent wake each other as fast as the processor can, and take it from the apps: such pairs
/// were seen to starve others for seconds, docs/reliability.md. Enough that all who may wait are served within a second.
pub(super) const ANSWERS_A_SECOND: u32 = 150;
/// Connections taken at once.
pub(super) const CONNECTIONS_AT_ONCE: u32 = 64;
/// Connections taken a second beyond that: one costs less than an answer, and those who only hang up must not hold up
/// those who ask. A full queue is worked off in a sixth of a second.
pub(super) const CONNECTIONS_A_SECOND: u32 = 400;
/// Most of one user, so that one who holds connections leaves room for the others.
pub(super) const CONNECTIONS_OF_A_USER_MAX: usize = 16;
/// Longest head of a request: the smallest buffer that hyper allows.
pub(super) const HEAD_BYTES_MAX: usize = 8192;
/// Most header lines.
const HEADERS_MAX: usize = 32;
/// Longest time for a head to come in.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// Longest time in which a peer reads nothing of what waits for it.
const WRITE_TIME_MAX: Duration = Duration::from_secs(30);
/// Pause when no connection can be taken, for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Connections by uid.
type Count = Rc<RefCell<BTreeMap<u32, usize>>>;

/// One place among the connections, given back when dropped.
struct Place {
    count: Count,
    uid: u32,
}

impl Place {
    fn take(count: &Count, uid: u32) -> Option<Self> {
        let mut open = count.borrow_mut();
        let all: usize = open.values().sum();
        let own = open.get(&uid).copied().unwrap_or_default();
        if all >= CONNECTIONS_MAX || own >= CONNECTIONS_OF_A_USER_MAX {
            return None;
        }
        open.insert(uid, own + 1);
        Some(Self { count: count.clone(), uid })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.count.borrow_mut();
        match open.get_mut(&self.uid) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                open.remove(&self.uid);
            }
        }
    }
}

/// Serves, on the runtime that is running, until the future is dropped.
pub async fn serve(listener: UnixListener, control: Control) {
    let routes = Rc::new(Routes::new(control));
    let answers = Rc::new(Pace::new(ANSWERS_AT_ONCE, ANSWERS_A_SECOND));
    let connections = Pace::new(CONNECTIONS_AT_ONCE, CONNECTIONS_A_SECOND);
    let count = Count::default();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                log::warn!("the control socket takes no connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        connections.turn().await;
        let Ok(credentials) = stream.peer_cred() else {
            continue;
        };
        let peer = Peer { uid: credentials.uid(), gid: credentials.gid() };
        // One too many is hung up on: to queue it would let it hold up the others.
        if let Some(place) = Place::take(&count, peer.uid) {
            let answers = answers.clone();
            tokio::task::spawn_local(connection(stream, peer, routes.clone(), answers, place));
        }
    }
}

async fn connection(
    stream: UnixStream,
    peer: Peer,
    routes: Rc<Routes>,
    answers: Rc<Pace>,
    _place: Place,
) {
    let stream = TokioIo::new(Hurried::new(stream, WRITE_TIME_MAX));
    let service = service_fn(|request| {
        let (routes, answers) = (routes.clone(), answers.clone());
        async move {
            answers.turn().await;
            Ok::<_, Infallible>(routes.answer(peer, request).await)
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(stream, service)
        .await;
    if let Err(error) = served {
        log::debug!("control connection of uid {}: {error}", peer.uid);
    }
}
