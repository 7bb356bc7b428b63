//! A broker of the board's own, and a real client that listens: Debian's mosquitto and
//! mosquitto_sub.

use crate::certificates::Certificates;
use crate::process::{Process, find, run};
use crate::wait::wait_until;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Its port: the network is the board's own, so it is always free.
const PORT: u16 = 1883;
/// Its port for TLS.
const SECURED_PORT: u16 = 8883;
/// Time to start or stop.
const TURN_TIME: Duration = Duration::from_secs(20);
/// Seconds that a look for a retained message waits for it.
const RETAINED_SECONDS: &str = "2";
/// A topic that every broker of this kind retains: its arrival shows that a client is subscribed.
const ALWAYS_THERE: &str = "$SYS/broker/version";

/// The broker; see [`Broker::listen`].
pub struct Broker {
    folder: PathBuf,
    is_persistent: bool,
    /// Further lines of its configuration.
    secured: RefCell<String>,
    process: RefCell<Option<Process>>,
    listeners: AtomicUsize,
}

/// One message as a client saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: String,
    /// Whether it came as a retained one, kept from before.
    pub is_retained: bool,
    /// Quality of service it came with.
    pub qos: u64,
}

impl Message {
    /// The payload as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.payload).unwrap_or(Value::Null)
    }
}

impl Broker {
    pub(crate) fn new(folder: &Path, is_persistent: bool) -> Self {
        let folder = folder.join("broker");
        std::fs::create_dir_all(&folder).expect("a folder for the broker");
        Self {
            folder,
            is_persistent,
            secured: RefCell::default(),
            process: RefCell::new(None),
            listeners: AtomicUsize::new(0),
        }
    }

    /// As in the agent's settings.
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{PORT}")
    }

    /// As in the settings of an agent that speaks TLS.
    pub fn secured_url(&self) -> String {
        format!("mqtts://127.0.0.1:{SECURED_PORT}")
    }

    /// It listens with TLS besides, from its next start on.
    pub(crate) fn secure(&self, certificates: &Certificates) {
        *self.secured.borrow_mut() = format!(
            "listener {SECURED_PORT} 127.0.0.1\nallow_anonymous true\ncertfile {}\nkeyfile {}\n",
            certificates.certificate().display(),
            certificates.key().display(),
        );
    }

    /// Starts it and waits until it accepts connections.
    pub fn start(&self) {
        let config = self.folder.join("mosquitto.conf");
        let place = self.folder.display();
        let mut text = format!(
            "listener {PORT} 127.0.0.1\nallow_anonymous true\nuser root\n\
             persistence {}\npersistence_location {place}/\nlog_type all\n",
            self.is_persistent,
        );
        let _ = write!(text, "{}", self.secured.borrow());
        std::fs::write(&config, text).expect("the broker's config can be written");
        let arguments = ["-c".to_owned(), config.to_string_lossy().into_owned()];
        let log = self.folder.join("log");
        let process = Process::start(&find("mosquitto"), &arguments, &log, &log);
        *self.process.borrow_mut() = Some(process);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        wait_until(TURN_TIME, "the broker to accept", || TcpStream::connect(address));
    }

    /// Stops it. What it retained is gone, unless it was made to persist.
    pub fn stop(&self) {
        if let Some(mut process) = self.process.borrow_mut().take() {
            process.stop(TURN_TIME);
        }
    }

    /// SIGKILL.
    pub fn kill(&self) {
        if let Some(mut process) = self.process.borrow_mut().take() {
            process.kill();
        }
    }

    /// Stops its clock: connections stay, nothing is answered, until [`Broker::thaw`].
    pub fn freeze(&self) {
        if let Some(process) = self.process.borrow_mut().as_mut() {
            process.signal(Signal::SIGSTOP);
        }
    }

    /// Lets a frozen one go on.
    pub fn thaw(&self) {
        if let Some(process) = self.process.borrow_mut().as_mut() {
            process.signal(Signal::SIGCONT);
        }
    }

    /// The port of [`Broker::url`], free while it does not run.
    pub fn port(&self) -> u16 {
        PORT
    }

    /// What it printed: every connection and packet.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Starts a client that has subscribed to these topics when this returns. It comes back by
    /// itself after a restart of the broker.
    pub fn listen(&self, topics: &[&str]) -> Listener {
        let number = self.listeners.fetch_add(1, Ordering::Relaxed);
        let heard = self.folder.join(format!("heard-{number}"));
        let port = PORT.to_string();
        // %j: one JSON object a line, payload as text.
        let mut arguments: Vec<String> =
            ["-p", &port, "-q", "1", "-F", "%j", "-t", ALWAYS_THERE].map(str::to_owned).to_vec();
        for topic in topics {
            arguments.extend(["-t".to_owned(), (*topic).to_owned()]);
        }
        let log = self.folder.join("listener.log");
        let process = Process::start(&find("mosquitto_sub"), &arguments, &heard, &log);
        let listener = Listener { _process: process, heard };
        wait_until(TURN_TIME, "the listener's subscription", || {
            listener.all().iter().any(|message| message.topic == ALWAYS_THERE)
        });
        listener
    }

    /// What a new client finds at this topic, if anything is retained there.
    pub fn retained(&self, topic: &str) -> Option<Message> {
        let port = PORT.to_string();
        let done = std::process::Command::new(find("mosquitto_sub"))
            .args(["-p", &port, "-q", "1", "-F", "%j", "--retained-only"])
            .args(["-C", "1", "-W", RETAINED_SECONDS, "-t", topic])
            .output()
            .expect("mosquitto_sub can be started");
        let text = String::from_utf8_lossy(&done.stdout);
        text.lines().find_map(read)
    }

    /// Publishes as another client would.
    pub fn publish(&self, topic: &str, payload: &str, is_retained: bool) {
        let port = PORT.to_string();
        let mut arguments = vec!["-p", &port, "-q", "1", "-t", topic];
        match payload {
            "" => arguments.push("-n"),
            payload => arguments.extend(["-m", payload]),
        }
        if is_retained {
            arguments.push("-r");
        }
        run("mosquitto_pub", &arguments);
    }
}

/// A client that writes down all it hears.
pub struct Listener {
    _process: Process,
    heard: PathBuf,
}

impl Listener {
    fn all(&self) -> Vec<Message> {
        let text = std::fs::read_to_string(&self.heard).unwrap_or_default();
        // The last line may still be on its way.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().filter_map(read).collect()
    }

    /// All that it heard, in order.
    pub fn messages(&self) -> Vec<Message> {
        let mut messages = self.all();
        messages.retain(|message| message.topic != ALWAYS_THERE);
        messages
    }

    /// All that it heard on one topic.
    pub fn on(&self, topic: &str) -> Vec<Message> {
        let mut messages = self.messages();
        messages.retain(|message| message.topic == topic);
        messages
    }

    /// What it heard from byte `from` of its notes on, which is moved to their end: for those who look
    /// often.
    pub fn fresh(&self, from: &mut usize) -> Vec<Message> {
        let bytes = std::fs::read(&self.heard).unwrap_or_default();
        let rest = bytes.get(*from..).unwrap_or_default();
        let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        *from += whole;
        String::from_utf8_lossy(&rest[..whole]).lines().filter_map(read).collect()
    }

    /// Waits for a message and returns it.
    ///
    /// # Panics
    /// When none came within `limit`: with all that did.
    #[track_caller]
    pub fn wait(
        &self,
        limit: Duration,
        what: &str,
        mut is_it: impl FnMut(&Message) -> bool,
    ) -> Message {
        wait_until(limit, what, || {
            let messages = self.messages();
            let found = messages.iter().find(|message| is_it(message)).cloned();
            found.ok_or_else(|| format!("{messages:#?}"))
        })
    }
}

fn read(line: &str) -> Option<Message> {
    let value: Value = serde_json::from_str(line).ok()?;
    let number = |key: &str| value[key].as_u64();
    Some(Message {
        topic: value["topic"].as_str()?.to_owned(),
        payload: value["payload"].as_str().unwrap_or_default().to_owned(),
        is_retained: number("retain") == Some(1),
        qos: number("qos").unwrap_or(0),
    })
}
