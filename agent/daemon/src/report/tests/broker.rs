//! A mosquitto of the test's own, and a client that watches it.

use std::collections::VecDeque;
use std::future::Future;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use tokio::time::{Instant, timeout};

/// Longest wait for anything in these tests.
const DEADLINE: Duration = Duration::from_secs(20);

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

/// Tries until it succeeds: for what tells nobody when it is ready.
pub(super) async fn again<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        assert!(Instant::now() < end, "waited {DEADLINE:?} for: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(super) struct Broker {
    child: Child,
    pub(super) port: u16,
    pub(super) folder: PathBuf,
}

impl Broker {
    pub(super) fn start() -> Self {
        Self::start_at(free_port())
    }

    pub(super) fn start_at(port: u16) -> Self {
        Self::start_with(port, |_| "allow_anonymous true\n".into())
    }

    /// `configure` may put files into the folder it is given.
    pub(super) fn start_with(port: u16, configure: impl FnOnce(&Path) -> String) -> Self {
        let program = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"]
            .into_iter()
            .find(|path| Path::new(path).exists())
            .expect("mosquitto is needed: apt-get install mosquitto");
        let folder =
            std::env::temp_dir().join(format!("titania-report-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let log = folder.join("log");
        let _ = std::fs::remove_file(&log);
        // It would give up root, and then not read a folder that is root's.
        let user = if nix::unistd::geteuid().is_root() { "user root\n" } else { "" };
        let text = format!(
            "{user}listener {port} 127.0.0.1\npersistence false\nlog_type all\nlog_dest file {}\n{}",
            log.display(),
            configure(&folder)
        );
        let file = folder.join("conf");
        std::fs::write(&file, text).unwrap();
        let child = Command::new(program)
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, port, folder }
    }

    pub(super) async fn wait_for_log(&self, line: &str) {
        let log = self.folder.join("log");
        again(line, async || std::fs::read_to_string(&log).ok().filter(|text| text.contains(line)))
            .await;
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.join("log"));
            eprintln!("{}", log.unwrap_or_default());
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A port below those that the kernel gives out by itself, so that no connection takes it meanwhile.
pub(super) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(97);
    let ports = std::iter::repeat_with(|| {
        20_000 + start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000
    });
    let mut ports = ports.map(|port| u16::try_from(port).unwrap());
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// A client that subscribes to everything.
pub(super) struct Watcher {
    client: AsyncClient,
    events: EventLoop,
    seen: VecDeque<(String, String)>,
}

impl Watcher {
    pub(super) async fn new(port: u16) -> Self {
        let connect = async || {
            let mut options =
                MqttOptions::new(format!("watcher-{}", free_port()), "127.0.0.1", port);
            options.set_max_packet_size(1 << 20, 1 << 20);
            let (client, mut events) = AsyncClient::new(options, 10);
            events.poll().await.ok()?;
            client.subscribe("#", QoS::AtLeastOnce).await.unwrap();
            Some(Self { client, events, seen: VecDeque::new() })
        };
        let mut watcher = again("mosquitto", connect).await;
        let subscribed = async {
            while !matches!(
                watcher.events.poll().await.unwrap(),
                Event::Incoming(Packet::SubAck(_))
            ) {}
        };
        until("SUBACK", subscribed).await;
        watcher
    }

    async fn next(&mut self) -> (String, String) {
        loop {
            if let Some(seen) = self.seen.pop_front() {
                return seen;
            }
            if let Event::Incoming(Packet::Publish(publish)) = self.events.poll().await.unwrap() {
                let payload = String::from_utf8(publish.payload.to_vec()).unwrap();
                self.seen.push_back((publish.topic, payload));
            }
        }
    }

    /// The next messages.
    pub(super) async fn take(&mut self, count: usize) -> Vec<(String, String)> {
        let mut taken = Vec::new();
        while taken.len() < count {
            taken.push(until(&format!("message, after {taken:?}"), self.next()).await);
        }
        taken
    }

    /// Numbers of the next events.
    pub(super) async fn events(&mut self, count: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        while numbers.len() < count {
            let payload = self.next_on("titania/b/event").await;
            numbers.push(serde_json::from_str::<titania_core::event::Event>(&payload).unwrap().seq);
        }
        numbers
    }

    pub(super) async fn next_on(&mut self, topic: &str) -> String {
        until(topic, async {
            loop {
                let (found, payload) = self.next().await;
                if found == topic {
                    return payload;
                }
            }
        })
        .await
    }

    pub(super) async fn wait_for(&mut self, topic: &str, payload: &str) {
        while self.next_on(topic).await != payload {}
    }

    pub(super) async fn say(&mut self, topic: &str, payload: &str) {
        self.client.publish(topic, QoS::AtLeastOnce, true, payload).await.unwrap();
    }
}
