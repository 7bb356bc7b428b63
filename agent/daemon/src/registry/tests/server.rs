//! A server of HTTP/1.1 on threads, as obedient or hostile as a test wants it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// Number of its connection, from 0.
    pub connection: usize,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }

    /// `GET /v2/…`
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// What is done with the connection instead of an answer; it is closed afterwards.
pub type Act = Box<dyn FnOnce(&mut TcpStream) + Send>;

pub enum Reply {
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8> },
    Act(Act),
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Answer { status, headers: Vec::new(), body: body.into() }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }

    pub fn act(act: impl FnOnce(&mut TcpStream) + Send + 'static) -> Self {
        Self::Act(Box::new(act))
    }

    /// Nothing more, until the other side gives up.
    pub fn silence(before: &'static [u8]) -> Self {
        Self::act(move |stream| {
            let _ = stream.write_all(before);
            let _ = stream.read(&mut [0u8; 16]); // ends with the connection
        })
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

pub struct Server {
    /// `127.0.0.1:<port>`
    pub authority: String,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let authority = listener.local_addr().expect("its address").to_string();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (seen, handler) = (Arc::clone(&log), Arc::new(handler) as Arc<Handler>);
        // Ends with the process: a few threads of tests that are over are no harm.
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (seen, handler) = (Arc::clone(&seen), Arc::clone(&handler));
                let Ok(stream) = stream else { continue };
                thread::spawn(move || serve(stream, number, &seen, &handler));
            }
        });
        Self { authority, log }
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.log.lock().expect("no test thread panicked").clone()
    }

    /// `GET /v2/…` of each request since the last call.
    pub fn take(&self) -> Vec<String> {
        let mut log = self.log.lock().expect("no test thread panicked");
        log.drain(..).map(|request| request.line()).collect()
    }
}

fn serve(mut stream: TcpStream, number: usize, log: &Mutex<Vec<Request>>, handler: &Arc<Handler>) {
    let Ok(copy) = stream.try_clone() else { return };
    let mut reader = BufReader::new(copy);
    while let Some(request) = read(&mut reader, number) {
        let is_head = request.method == "HEAD";
        log.lock().expect("no test thread panicked").push(request.clone());
        match handler(&request) {
            Reply::Answer { status, headers, body } => {
                let mut head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                head.push_str("\r\n");
                let mut bytes = head.into_bytes();
                if !is_head {
                    bytes.extend(body);
                }
                if stream.write_all(&bytes).is_err() {
                    return;
                }
            }
            Reply::Act(act) => {
                act(&mut stream);
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>, connection: usize) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|n| n.parse().ok());
    let mut body = vec![0u8; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, target, headers, body: String::from_utf8(body).ok()?, connection })
}
