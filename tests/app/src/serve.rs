//! The HTTP side: one request a connection, HTTP/1.0 answers.

use crate::behaviour::Behaviour;
use crate::{json, name, stamp};
use std::fs::File;
use std::io::{BufRead, BufReader, Error, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Time for one request or one answer.
const REQUEST_TIME: Duration = Duration::from_secs(3);
/// Longest answer that is read from another app, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

struct App {
    version: String,
    behaviour: Behaviour,
    started: Instant,
    lock: Mutex<Option<File>>,
}

/// Serves until the listener fails.
pub fn serve(port: u16, version: String, behaviour: Behaviour) -> Error {
    let listener = match TcpListener::bind(("0.0.0.0", port)) {
        Ok(listener) => listener,
        Err(error) => return error,
    };
    let app = Arc::new(App { version, behaviour, started: Instant::now(), lock: Mutex::new(None) });
    let mut unanswered = Vec::new();
    loop {
        match listener.accept() {
            Err(error) => return error,
            Ok((stream, _)) if app.behaviour.hang => unanswered.push(stream),
            Ok((stream, _)) => {
                let app = Arc::clone(&app);
                std::thread::spawn(move || {
                    // The asker may be gone: nobody is left to be told.
                    let _ = answer(&app, stream);
                });
            }
        }
    }
}

fn answer(app: &App, mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(REQUEST_TIME))?;
    stream.set_write_timeout(Some(REQUEST_TIME))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
    }
    let target = first.split_whitespace().nth(1).unwrap_or("/");
    let (status, body) = app.page(target);
    write!(stream, "HTTP/1.0 {status} -\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

impl App {
    fn page(&self, target: &str) -> (u16, String) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        match path {
            #[cfg(feature = "database")]
            "/database" => (200, crate::database::found()),
            "/health" => match self.ill() {
                None => (200, "healthy\n".to_owned()),
                Some(why) => (503, format!("{why}\n")),
            },
            "/version" => (200, self.version.clone()),
            "/env" => (200, environment()),
            "/state" => (200, stamp::read(stamp::state())),
            "/data" => (200, stamp::read(stamp::data())),
            "/id" => (200, identity()),
            "/fetch" => match fetch(query.strip_prefix("url=").unwrap_or_default()) {
                Ok(text) => (200, text),
                Err(why) => (502, why),
            },
            "/flock" => self.flock(query),
            _ => (404, "no such page\n".to_owned()),
        }
    }

    fn ill(&self) -> Option<String> {
        let behaviour = &self.behaviour;
        #[cfg(feature = "database")]
        if !crate::database::is_whole() {
            return Some(crate::database::found());
        }
        if behaviour.unhealthy {
            return Some("unhealthy, as told".to_owned());
        }
        if self.started.elapsed() < behaviour.slow {
            return Some("still starting".to_owned());
        }
        let path = behaviour.fail_if_file.as_ref()?;
        let path = stamp::data().join(path);
        path.exists().then(|| format!("{} is there", path.display()))
    }

    /// `hold=1` takes the lock, anything else gives it up.
    fn flock(&self, query: &str) -> (u16, String) {
        let Ok(mut held) = self.lock.lock() else {
            return (500, "a thread died with the lock\n".to_owned());
        };
        *held = None;
        if query != "hold=1" {
            return (200, "given up\n".to_owned());
        }
        match stamp::lock() {
            Ok(file) => {
                *held = Some(file);
                (200, "held\n".to_owned())
            }
            Err(error) => (409, format!("{error}\n")),
        }
    }
}

fn environment() -> String {
    let variables: Vec<String> = std::env::vars()
        .map(|(key, value)| format!("{}:{}", json::quote(&key), json::quote(&value)))
        .collect();
    format!("{{\"env\":{{{}}},\"args\":{}}}", variables.join(","), json::list(std::env::args()))
}

/// User, group and further groups, as the kernel sees them, and whether they may grow.
fn identity() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let row = |key: &str| {
        status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().trim().to_owned()
    };
    let first = |key: &str| row(key).split_whitespace().next().unwrap_or("null").to_owned();
    let groups = row("Groups:");
    let groups: Vec<&str> = groups.split_whitespace().collect();
    format!(
        "{{\"uid\":{},\"gid\":{},\"groups\":[{}],\"capabilities\":{},\"no_new_privs\":{}}}",
        first("Uid:"),
        first("Gid:"),
        groups.join(","),
        json::quote(&row("CapEff:")),
        first("NoNewPrivs:"),
    )
}

/// Gets `http://name:port/path` from another app and returns the body of a 200.
fn fetch(url: &str) -> Result<String, String> {
    let rest = url.strip_prefix("http://").ok_or("url=http://… wanted")?;
    let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = place.split_once(':').unwrap_or((place, "80"));
    let port: u16 = port.parse().map_err(|_| format!("{port} is no port"))?;
    let address = name::look_up(host)?;
    let head = format!("GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n");
    let say = |error: Error| format!("{host} ({address}): {error}");
    let mut stream =
        TcpStream::connect_timeout(&(address, port).into(), REQUEST_TIME).map_err(say)?;
    stream.set_read_timeout(Some(REQUEST_TIME)).map_err(say)?;
    stream.write_all(head.as_bytes()).map_err(say)?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).map_err(say)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("a torn answer")?;
    match head.split_whitespace().nth(1) {
        Some("200") => Ok(body.to_owned()),
        code => Err(format!("{host} answered {code:?}: {body}")),
    }
}

/// Asks the program that serves in this container.
pub fn asks_healthy(port: u16) -> bool {
    fetch(&format!("http://127.0.0.1:{port}/health")).is_ok()
}
