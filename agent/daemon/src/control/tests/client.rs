//! A server with a memory for what it was asked, and a client that speaks bytes.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::*;

/// Longest wait for anything in these tests: longer than the longest deadline tried in them.
const DEADLINE: Duration = Duration::from_secs(30);

pub(super) fn on_one_thread(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

pub(super) async fn until<T>(what: &str, wait: impl Future<Output = T>) -> T {
    match timeout(DEADLINE, wait).await {
        Ok(found) => found,
        Err(_) => panic!("waited {DEADLINE:?} for: {what}"),
    }
}

pub(super) struct Server {
    pub(super) path: PathBuf,
    pub(super) events: EventRing,
    pub(super) requests: Requests,
    pub(super) commands: RefCell<mpsc::Receiver<Command>>,
    pub(super) queries: Rc<RefCell<Vec<HistoryQuery>>>,
    pub(super) outcomes: Rc<RefCell<Vec<Outcome>>>,
    pub(super) history_fails: Rc<RefCell<bool>>,
    status: watch::Sender<Rc<Status>>,
}

/// A folder of the test's own, that everyone can look into.
pub(super) fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("titania-control-{}-{number}", std::process::id());
    std::env::temp_dir().join(name)
}

impl Server {
    pub(super) fn start(operators: Option<&str>) -> Self {
        let path = folder().join("agent.sock");
        let listener = listen(&path, "no-such-group-here").unwrap();
        let (status, shown) = watch::channel(Rc::new(status()));
        let (send, commands) = mpsc::channel(COMMANDS_MAX);
        let server = Self {
            path,
            events: EventRing::new(),
            requests: Requests::new(),
            commands: RefCell::new(commands),
            queries: Rc::default(),
            outcomes: Rc::default(),
            history_fails: Rc::default(),
            status,
        };
        let (queries, outcomes) = (server.queries.clone(), server.outcomes.clone());
        let fails = server.history_fails.clone();
        let history: ReadHistory = Rc::new(move |query| {
            queries.borrow_mut().push(query);
            let word = Code::DiskLow.word();
            let answer = match *fails.borrow() {
                true => Err(problem(500, &word, "History", "unreadable".into(), "")),
                false => Ok(outcomes.borrow().clone()),
            };
            Box::pin(async move { answer })
        });
        let control = Control {
            status: shown,
            history,
            events: server.events.clone(),
            requests: server.requests.clone(),
            commands: send,
            operators: operators.map(String::from),
        };
        tokio::task::spawn_local(serve(listener, control));
        server
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Status)) {
        let mut status = status();
        change(&mut status);
        self.status.send_replace(Rc::new(status));
    }

    /// The next verb that came through.
    pub(super) async fn command(&self) -> Command {
        let next = std::future::poll_fn(|context| self.commands.borrow_mut().poll_recv(context));
        until("command", next).await.unwrap()
    }

    pub(super) async fn connect(&self) -> Peer {
        Peer { stream: UnixStream::connect(&self.path).await.unwrap(), read: Vec::new() }
    }

    /// One request, all of its answer; the server ends the connection.
    pub(super) async fn ask(&self, request: &[u8]) -> Answer {
        let mut peer = self.connect().await;
        peer.say(request).await;
        Answer::of(&peer.rest().await)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.path.parent().unwrap());
    }
}

pub(super) async fn get(server: &Server, path: &str) -> Answer {
    server.ask(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await
}

pub(super) fn post(path: &str, body: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) kind: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer: {text:?}"));
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let kind = head.lines().find_map(|line| line.strip_prefix("content-type: "));
        Self {
            code: head.split(' ').nth(1).unwrap().parse().unwrap(),
            kind: kind.unwrap_or_default().to_string(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub(super) struct Peer {
    pub(super) stream: UnixStream,
    read: Vec<u8>,
}

impl Peer {
    pub(super) async fn say(&mut self, bytes: &[u8]) {
        // A server that refuses may hang up before it has all of it.
        let _ = self.stream.write_all(bytes).await;
    }

    /// Everything until the server hangs up.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.read);
        match until("the end of the connection", self.stream.read_to_end(&mut bytes)).await {
            Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("{error}"),
            _ => bytes,
        }
    }

    /// Everything up to these bytes.
    pub(super) async fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            let found = self.read.windows(end.len()).position(|bytes| bytes == end);
            if let Some(at) = found {
                return self.read.drain(..at + end.len()).collect();
            }
            let text = String::from_utf8_lossy(end).into_owned();
            let count = until(&text, self.stream.read_buf(&mut self.read)).await.unwrap();
            assert!(count > 0, "hung up before {text}");
        }
    }

    /// One answer on a connection that stays.
    pub(super) async fn answer(&mut self) -> Answer {
        let mut bytes = self.until(b"\r\n\r\n").await;
        let head = String::from_utf8_lossy(&bytes).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.unwrap().parse().unwrap();
        while self.read.len() < length {
            until("the body", self.stream.read_buf(&mut self.read)).await.unwrap();
        }
        bytes.extend(self.read.drain(..length));
        Answer::of(&bytes)
    }
}
