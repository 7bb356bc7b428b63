//! The agent as a program: `agentd` with its folders on the board, and `agentctl`.

use crate::binaries;
use crate::http::{Place, Response, ask};
use crate::process::Process;
use crate::toml_text::Document;
use crate::wait::wait_until;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

/// Time to start or stop.
const TURN_TIME: Duration = Duration::from_secs(30);

/// What `agentctl` said.
#[derive(Debug, Clone)]
pub struct Said {
    /// Exit code; 255 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Standard output as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or(Value::Null)
    }
}

/// The agent; see [`Agent::start`].
pub struct Agent {
    folder: PathBuf,
    settings: RefCell<Document>,
    process: RefCell<Option<Process>>,
    rights: RefCell<Option<Vec<String>>>,
    /// Whether it logs each step that it takes.
    is_talkative: Cell<bool>,
    environment: RefCell<Vec<String>>,
}

/// The user that [`Agent::unprivileged`] runs it under: none that Debian or the pool of apps gives.
pub const OTHER_USER: u32 = 990;

impl Agent {
    /// `settings` are written when it starts.
    pub(crate) fn new(folder: &Path, settings: Document) -> Self {
        let agent = Self {
            folder: folder.to_owned(),
            settings: RefCell::new(settings),
            process: RefCell::new(None),
            rights: RefCell::new(None),
            is_talkative: Cell::new(false),
            environment: RefCell::default(),
        };
        for place in [agent.definitions(), agent.state(), agent.volumes()] {
            std::fs::create_dir_all(place).expect("a folder for the agent");
        }
        std::fs::create_dir_all(agent.folder.join("etc/keys")).expect("a folder for keys");
        agent
    }

    /// Its settings file.
    pub fn config(&self) -> PathBuf {
        self.folder.join("etc/agent.toml")
    }

    /// Folder of the definitions, one file an app.
    pub fn definitions(&self) -> PathBuf {
        self.folder.join("etc/apps.d")
    }

    /// Its state folder: instance, records, history, outbox.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// The volume root.
    pub fn volumes(&self) -> PathBuf {
        self.folder.join("volumes")
    }

    /// Its control socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("agent.sock")
    }

    /// All that it logged, over all its runs.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Changes its settings; in force at the next start (or reload, after [`Agent::write`]).
    pub fn settings(&self, change: impl FnOnce(&mut Document)) {
        change(&mut self.settings.borrow_mut());
    }

    /// Writes the settings file.
    pub fn write(&self) {
        let text = self.settings.borrow().text();
        std::fs::write(self.config(), text).expect("agent.toml can be written");
    }

    /// Writes the settings, starts it and waits until its socket answers.
    ///
    /// # Panics
    /// When it ends instead: with its log.
    pub fn start(&self) {
        self.write();
        self.start_as_written();
    }

    /// The same with the settings file as it is.
    ///
    /// # Panics
    /// When it ends instead: with its log.
    pub fn start_as_written(&self) {
        self.run();
        wait_until(TURN_TIME, "the agent to answer", || {
            let mut process = self.process.borrow_mut();
            if let Some(status) = process.as_mut().and_then(Process::ended) {
                panic!("agentd ended with {status}; its log:\n{}", self.log());
            }
            self.ask("GET", "/v1/status", &Value::Null).map_err(|error| error.to_string()).and_then(
                |answer| match answer.status {
                    200 => Ok(()),
                    other => Err(format!("status {other}")),
                },
            )
        });
    }

    /// From the next start on it logs each step that it takes, before it takes it.
    pub fn log_steps(&self) {
        self.is_talkative.set(true);
    }

    /// From the next start on it has these variables, `name=value`, too.
    pub fn set_environment(&self, lines: &[String]) {
        *self.environment.borrow_mut() = lines.to_vec();
    }

    /// Its log file.
    pub fn log_file(&self) -> PathBuf {
        self.folder.join("agentd.log")
    }

    /// From the next start on it runs as [`OTHER_USER`] with these rights (`chown`) and no other.
    pub fn unprivileged(&self, rights: &[&str]) {
        *self.rights.borrow_mut() = Some(rights.iter().map(|right| (*right).to_owned()).collect());
    }

    /// The same with the rights that its packaged unit gives it.
    pub fn as_its_unit_runs_it(&self) {
        let rights = unit_values("CapabilityBoundingSet=");
        let words: Vec<String> =
            rights.iter().map(|right| right.trim_start_matches("CAP_").to_lowercase()).collect();
        self.unprivileged(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Writes the settings and starts it, without waiting for an answer.
    pub fn launch(&self) {
        self.write();
        self.run();
    }

    fn run(&self) {
        let config = self.config().to_string_lossy().into_owned();
        let arguments = ["--config".to_owned(), config];
        let log = self.log_file();
        // As its unit runs it: with what that sets, without what the machine's users set.
        let mut words = ["-u", "SSL_CERT_FILE", "-u", "SSL_CERT_DIR"].map(str::to_owned).to_vec();
        words.extend(unit_environment());
        words.extend(self.environment.borrow().iter().cloned());
        if self.is_talkative.get() {
            words.push("TITANIA_LOG=debug".to_owned());
        }
        words.push(binaries::agentd().to_string_lossy().into_owned());
        words.extend(arguments);
        let user = self.rights.borrow().as_deref().map(user_arguments).unwrap_or_default();
        let process = Process::start_as(&user, Path::new("env"), &words, &log, &log);
        *self.process.borrow_mut() = Some(process);
    }

    /// SIGTERM, and waits for its end; None when it did not run.
    pub fn stop(&self) -> Option<ExitStatus> {
        let mut process = self.process.borrow_mut().take()?;
        Some(process.stop(TURN_TIME))
    }

    /// SIGKILL.
    pub fn kill(&self) {
        if let Some(mut process) = self.process.borrow_mut().take() {
            process.kill();
        }
    }

    /// Stops and starts it.
    pub fn restart(&self) {
        self.stop();
        self.start();
    }

    /// Its process id; None when it does not run.
    pub fn pid(&self) -> Option<u32> {
        let mut process = self.process.borrow_mut();
        let process = process.as_mut()?;
        match process.ended() {
            None => Some(process.pid()),
            Some(_) => None,
        }
    }

    /// Sends it any signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(process) = self.process.borrow_mut().as_mut() {
            process.signal(signal);
        }
    }

    /// SIGHUP: it reads its files again.
    pub fn reload(&self) {
        self.signal(Signal::SIGHUP);
    }

    /// Bytes that it caused to be written to disks, from the kernel's account.
    pub fn written_bytes(&self) -> u64 {
        let id = self.pid().expect("the agent runs");
        let text = std::fs::read_to_string(format!("/proc/{id}/io")).unwrap_or_default();
        let row = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        row.and_then(|text| text.parse().ok()).expect("the kernel counts writes")
    }

    /// Time that it has spent on processors in this run, all its threads, from the kernel's account (proc(5)).
    pub fn processor_time(&self) -> Duration {
        let id = self.pid().expect("the agent runs");
        let text = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // The name stands in brackets and may hold anything; utime and stime are the 14th and 15th field.
        let fields = text.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().skip(11));
        let ticks = fields.into_iter().flatten().take(2).filter_map(|field| field.parse().ok());
        let ticks: Vec<u64> = ticks.collect();
        assert_eq!(ticks.len(), 2, "the kernel counts time: {text:?}");
        let a_second = rustix::param::clock_ticks_per_second();
        Duration::from_millis(ticks.iter().sum::<u64>() * 1000 / a_second.max(1))
    }

    /// Resident memory, in KiB.
    pub fn resident_kib(&self) -> u64 {
        self.memory_kib("VmRSS:")
    }

    /// The most memory that was ever resident in this run, in KiB.
    pub fn peak_kib(&self) -> u64 {
        self.memory_kib("VmHWM:")
    }

    fn memory_kib(&self, key: &str) -> u64 {
        let id = self.pid().expect("the agent runs");
        let text = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let row = text.lines().find_map(|line| line.strip_prefix(key));
        row.and_then(|text| text.split_whitespace().next()?.parse().ok())
            .expect("the kernel counts memory")
    }

    /// Runs `agentd --config FILE --check-config`.
    pub fn check(&self) -> Said {
        self.write();
        let config = self.config();
        said(Command::new(binaries::agentd()).arg("--config").arg(config).arg("--check-config"))
    }

    /// Runs `agentctl` against its socket.
    pub fn ctl(&self, arguments: &[&str]) -> Said {
        said(Command::new(binaries::agentctl()).arg("--socket").arg(self.socket()).args(arguments))
    }

    /// As [`Agent::ctl`], and it must end with 0.
    #[track_caller]
    pub fn ctl_well(&self, arguments: &[&str]) -> String {
        let said = self.ctl(arguments);
        assert_eq!(said.code, 0, "agentctl {arguments:?}: {said:?}");
        said.out
    }

    /// Asks its control API anything over the socket.
    ///
    /// # Errors
    /// As the connection says.
    pub fn ask(&self, method: &str, target: &str, body: &Value) -> std::io::Result<Response> {
        let bytes = match body {
            Value::Null => Vec::new(),
            body => body.to_string().into_bytes(),
        };
        let kind = [("Content-Type", "application/json")];
        ask(Place::Unix(&self.socket()), method, target, &kind, &bytes)
    }

    /// The whole status document; null when the agent does not answer.
    pub fn status(&self) -> Value {
        let answer = self.ask("GET", "/v1/status", &Value::Null);
        answer.map_or(Value::Null, |answer| answer.json())
    }

    /// An app's part of the status document; null when there is none.
    pub fn app(&self, app: &str) -> Value {
        let status = self.status();
        let mut apps = status["apps"].as_array().into_iter().flatten();
        apps.find(|one| one["app"] == app).cloned().unwrap_or(Value::Null)
    }

    /// An app's history, newest first.
    pub fn history(&self, app: &str) -> Vec<Value> {
        let target = format!("/v1/history?app={app}&limit=200");
        let answer = self.ask("GET", &target, &Value::Null).expect("the agent answers");
        let outcomes = answer.json()["outcomes"].as_array().cloned();
        outcomes.unwrap_or_default()
    }

    /// Asks for a verb over the control API and returns the answer.
    pub fn verb(&self, app: &str, verb: &str) -> Response {
        self.ask("POST", &format!("/v1/apps/{app}/{verb}"), &json!({})).expect("the agent answers")
    }
}

/// What `Environment=` of the packaged unit sets, as `name=value`.
fn unit_environment() -> Vec<String> {
    unit_values("Environment=")
}

fn unit_values(key: &str) -> Vec<String> {
    let unit = include_str!("../../packaging/systemd/titania-agent.service");
    let lines = unit.lines().filter_map(|line| line.strip_prefix(key));
    lines.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

/// Arguments of setpriv(1): as systemd does it for `User=`, `AmbientCapabilities=`, `NoNewPrivileges=`.
fn user_arguments(rights: &[String]) -> Vec<String> {
    let list = rights.iter().fold("-all".to_owned(), |list, right| format!("{list},+{right}"));
    let user = OTHER_USER.to_string();
    let words = ["--reuid", &user, "--regid", &user, "--clear-groups", "--no-new-privs"];
    let sets = ["--inh-caps", "--ambient-caps", "--bounding-set"];
    let sets = sets.iter().flat_map(|set| [(*set).to_owned(), list.clone()]);
    words.iter().map(|word| (*word).to_owned()).chain(sets).collect()
}

fn said(command: &mut Command) -> Said {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said {
        code: done.status.code().unwrap_or(255),
        out: text(&done.stdout),
        err: text(&done.stderr),
    }
}
