//! Programs that a board starts.
//!
//! Promise: none outlives the thread that started it (the kernel sees to that), none is stopped by
//! name, and what it prints is in a file.

use crate::wait::wait_until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::OpenOptions;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A started program.
pub struct Process {
    name: String,
    child: Child,
}

impl Process {
    /// Starts `program`; what it prints is appended to the two files, which may be the same.
    ///
    /// # Panics
    /// When it can't be started.
    pub fn start(program: &Path, arguments: &[String], out: &Path, err: &Path) -> Self {
        Self::start_as(&[], program, arguments, out, err)
    }

    /// The same under another user, as these arguments of setpriv(1) say.
    ///
    /// # Panics
    /// When it can't be started.
    pub fn start_as(
        user: &[String],
        program: &Path,
        arguments: &[String],
        out: &Path,
        err: &Path,
    ) -> Self {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = |path: &Path| {
            let opened = OpenOptions::new().create(true).append(true).open(path);
            opened.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .args(user)
            .arg("--")
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file(out))
            .stderr(file(err))
            .spawn()
            .unwrap_or_else(|error| panic!("{name} can't be started: {error}"));
        Self { name, child }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, once it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }

    /// Sends a signal; nothing happens when it has ended.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            let id = Pid::from_raw(self.child.id().cast_signed());
            kill(id, signal).unwrap_or_else(|error| panic!("{}: {signal}: {error}", self.name));
        }
    }

    /// Whether every thread of it is stopped by a signal.
    pub fn is_frozen(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let is_stopped = |task: std::fs::DirEntry| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
        };
        tasks.is_ok_and(|tasks| tasks.flatten().all(is_stopped))
    }

    /// SIGTERM, then waits for its end.
    ///
    /// # Panics
    /// When it has not ended within `limit`.
    pub fn stop(&mut self, limit: Duration) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        let what = format!("{} to end after SIGTERM", self.name);
        wait_until(limit, &what, || self.ended())
    }

    /// SIGKILL, then waits for its end.
    pub fn kill(&mut self) -> ExitStatus {
        self.signal(Signal::SIGKILL);
        self.child.wait().unwrap_or_else(|_| ExitStatus::from_raw(9))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a program to its end and returns what it wrote to standard output.
///
/// # Panics
/// When it can't be started or fails.
#[track_caller]
pub fn run(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// Where `program` lies: in `TITANIA_ENGINE_DIR` (another engine's unpacked packages), else in PATH
/// or in the folders for system programs.
///
/// # Panics
/// When it is nowhere: says how to get it.
pub fn find(program: &str) -> PathBuf {
    let own = std::env::var_os("TITANIA_ENGINE_DIR").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let listed = std::env::split_paths(&path);
    let system = ["/usr/sbin", "/usr/bin", "/sbin"].map(PathBuf::from);
    own.into_iter()
        .chain(listed)
        .chain(system)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{program} is not installed; run packaging/ci/setup as root"))
}
