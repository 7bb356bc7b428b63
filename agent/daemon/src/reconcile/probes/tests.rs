//! Probes against real sockets and a container that is told what to say.

use std::cell::Cell;

use super::*;
use tokio::net::TcpListener;
use tokio::task::LocalSet;
use tokio::time::timeout;

/// Longest wait for a fact: far more than any of them takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// An engine that says what it is told to, and counts how often it was asked.
#[derive(Default)]
struct Fake {
    exit: Cell<Option<i64>>,
    checked: Cell<Option<Checked>>,
    asked: Cell<u32>,
}

impl Inside for Rc<Fake> {
    async fn run(&self, container: &str, command: &[String], _: Duration) -> Option<i64> {
        assert_eq!((container, command), ("id1", &["ok".to_owned()][..]));
        self.asked.set(self.asked.get() + 1);
        self.exit.get()
    }

    async fn checked(&self, container: &str, _: Duration) -> Option<Checked> {
        assert_eq!(container, "id1");
        self.asked.set(self.asked.get() + 1);
        self.checked.get()
    }
}

fn subject(probe: ProbeRule) -> Subject {
    Subject {
        container: "id1".to_owned(),
        started_at: Some(StartedAt("one".to_owned())),
        network: "titania".to_owned(),
        address: Some(IpAddr::from([127, 0, 0, 1])),
        has_healthcheck: false,
        rule: definition::Health {
            probe,
            interval: Millis(20),
            timeout: Millis(5_000),
            settle: Millis(60),
            deadline: Millis(60_000),
            ..definition::Health::default()
        },
        spent: Millis(0),
    }
}

/// Watches it until its health is as wanted.
async fn wait_for(
    probes: &Probes<Rc<Fake>>,
    news: &mut mpsc::UnboundedReceiver<AppName>,
    want: (Health, HealthState),
) {
    let app = "wallet".parse().unwrap();
    let found = timeout(PATIENCE, async {
        while probes.health(&app, "id1") != want {
            assert_eq!(news.recv().await.as_ref(), Some(&app));
        }
    });
    found.await.unwrap_or_else(|_| panic!("{want:?} never came"));
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

#[test]
fn every_kind_of_probe_settles_when_it_passes() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let fake = Rc::new(Fake::default());
        fake.exit.set(Some(0));
        fake.checked.set(Some(Checked::Healthy));
        let checked = Subject { has_healthcheck: true, ..subject(ProbeRule::Default) };
        let host = Subject {
            network: "host".to_owned(),
            address: None,
            ..subject(ProbeRule::Tcp { port })
        };
        for subject in [
            subject(ProbeRule::Tcp { port }),
            host,
            subject(ProbeRule::Exec(vec!["ok".to_owned()])),
            subject(ProbeRule::Container),
            checked,
        ] {
            let (mut probes, mut news) = Probes::new(Rc::clone(&fake));
            probes.watch(&"wallet".parse().unwrap(), subject);
            wait_for(&probes, &mut news, (Health::Settled, HealthState::Healthy)).await;
        }
    });
}

#[test]
fn noes_are_unhealthy_and_silence_is_not() {
    run(async {
        let fake = Rc::new(Fake::default());
        let app: AppName = "wallet".parse().unwrap();
        let (mut probes, mut news) = Probes::new(Rc::clone(&fake));
        let unhealthy = (Health::Unhealthy, HealthState::Unhealthy);
        fake.exit.set(Some(1));
        probes.watch(&app, subject(ProbeRule::Exec(vec!["ok".to_owned()])));
        wait_for(&probes, &mut news, unhealthy).await;
        fake.checked.set(Some(Checked::Unhealthy));
        probes.watch(&app, Subject { started_at: None, ..subject(ProbeRule::Container) });
        wait_for(&probes, &mut news, unhealthy).await;
        // Nobody listens there: never a no, so the deadline alone ends it.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let mut silent = subject(ProbeRule::Tcp { port });
        silent.rule.deadline = Millis(300);
        probes.watch(&app, silent);
        let late = (Health::Late { said_no: false }, HealthState::Unhealthy);
        wait_for(&probes, &mut news, late).await;
    });
}

#[test]
fn the_same_start_goes_on_another_begins_anew() {
    run(async {
        let fake = Rc::new(Fake::default());
        fake.exit.set(Some(0));
        let app: AppName = "wallet".parse().unwrap();
        let exec = || subject(ProbeRule::Exec(vec!["ok".to_owned()]));
        let (mut probes, mut news) = Probes::new(Rc::clone(&fake));
        probes.watch(&app, exec());
        let settled = (Health::Settled, HealthState::Healthy);
        wait_for(&probes, &mut news, settled).await;
        probes.watch(&app, exec());
        assert_eq!(probes.health(&app, "id1"), settled);
        let mut slower = exec();
        slower.rule.interval = Millis(50);
        probes.watch(&app, slower);
        assert_eq!(probes.health(&app, "id1"), settled, "today's rule, the same start");
        let starting = (Health::Starting, HealthState::Starting);
        assert_eq!(probes.health(&app, "id2"), starting, "another container was never watched");
        probes.watch(&app, Subject { started_at: Some(StartedAt("two".to_owned())), ..exec() });
        assert_eq!(probes.health(&app, "id1"), starting, "another start");
        wait_for(&probes, &mut news, settled).await;
        probes.forget(&app);
        assert_eq!(probes.health(&app, "id1"), starting);
        let asked = fake.asked.get();
        while news.try_recv().is_ok() {}
        assert!(timeout(Duration::from_millis(100), news.recv()).await.is_err());
        assert_eq!(fake.asked.get(), asked, "nobody asks any more");
    });
}

#[test]
fn without_a_network_there_is_no_answer() {
    run(async {
        let none = Subject { network: "none".to_owned(), ..subject(ProbeRule::Tcp { port: 1 }) };
        assert_eq!(ask(&Rc::new(Fake::default()), &none).await, Answer::Silence);
    });
}
