//! The way in: one connection to the board's SSH server, over which commands are run.
//!
//! Promise: each command ends within its limit. A board that is cut off leaves nothing that waits.

use crate::Said;
use crate::process::{Process, find};
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// What `timeout` ends with when the limit was reached.
pub const EXIT_TIMEOUT: i32 = 124;
/// What `ssh` ends with when it has no connection.
pub const EXIT_NO_CONNECTION: i32 = 255;

/// A script that waits on the board for its one word.
pub struct Trap {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Trap {
    fn line(&mut self) -> String {
        let mut line = String::new();
        let _ = self.out.read_line(&mut line);
        line.trim().to_owned()
    }

    /// Has it run now, and waits for its end.
    ///
    /// # Panics
    /// When it was not run.
    #[track_caller]
    pub fn go(mut self) {
        let written = self.child.stdin.as_mut().map(|pipe| pipe.write_all(b"go\n"));
        let said = self.line();
        let _ = self.child.wait();
        assert_eq!(said, "done", "what was prepared on the board was run: {written:?}");
    }
}

/// See the head of the module.
pub struct Ssh {
    key: PathBuf,
    port: u16,
    socket: PathBuf,
    log: PathBuf,
    master: RefCell<Option<Process>>,
}

impl Ssh {
    pub(crate) fn new(key: &Path, port: u16, folder: &Path) -> Self {
        Self {
            key: key.to_owned(),
            port,
            socket: folder.join("ssh.sock"),
            log: folder.join("ssh.log"),
            master: RefCell::new(None),
        }
    }

    /// Arguments of any `ssh` to the board. The board's key is new with each image: not looked at.
    fn arguments(&self) -> Vec<String> {
        let mut words = vec!["-F".to_owned(), "none".to_owned()];
        for option in [
            "BatchMode=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "GlobalKnownHostsFile=/dev/null",
            "IdentitiesOnly=yes",
            "LogLevel=ERROR",
            "ConnectTimeout=60",
            "ServerAliveInterval=30",
            "ServerAliveCountMax=20",
        ] {
            words.extend(["-o".to_owned(), option.to_owned()]);
        }
        let key = self.key.to_string_lossy().into_owned();
        words.extend(["-i".to_owned(), key, "-p".to_owned(), self.port.to_string()]);
        words
    }

    /// Whether the connection stands; begins to make it when there is none.
    ///
    /// # Errors
    /// Says that it does not stand yet.
    pub fn open(&self) -> Result<(), String> {
        let mut master = self.master.borrow_mut();
        let has_ended = master.as_mut().is_none_or(|process| process.ended().is_some());
        if has_ended {
            let _ = std::fs::remove_file(&self.socket);
            let mut words = self.arguments();
            let socket = self.socket.to_string_lossy().into_owned();
            words.extend(["-M", "-N", "-S", &socket, "root@127.0.0.1"].map(str::to_owned));
            *master = Some(Process::start(&find("ssh"), &words, &self.log, &self.log));
            return Err("connecting".to_owned());
        }
        match self.socket.exists() {
            true => Ok(()),
            false => Err("no connection yet".to_owned()),
        }
    }

    /// Gives the connection up.
    pub fn close(&self) {
        self.master.borrow_mut().take();
        let _ = std::fs::remove_file(&self.socket);
    }

    /// Runs a shell script on the board as root, over the connection.
    pub fn run(&self, limit: Duration, script: &str, input: &[u8]) -> Said {
        let socket = self.socket.to_string_lossy().into_owned();
        self.say(limit, &["-S", &socket, "root@127.0.0.1", script], input)
    }

    /// Runs `ssh` with these last arguments, over a connection of its own, as a person does.
    pub fn by_hand(&self, limit: Duration, words: &[&str]) -> Said {
        self.say(limit, &[&["-S", "none"], words].concat(), b"")
    }

    /// Has a shell script wait on the board, ready to run at once; see [`Trap`].
    ///
    /// # Panics
    /// When the board does not say that it is ready.
    #[track_caller]
    pub fn prepare(&self, limit: Duration, before: &str, at_once: &str) -> Trap {
        let socket = self.socket.to_string_lossy().into_owned();
        let script = format!("{before}; echo ready; read go; {at_once}; echo done");
        let mut child = Command::new("timeout")
            .args(["-k", "5", &limit.as_secs().max(1).to_string()])
            .arg(find("ssh"))
            .args(self.arguments())
            .args(["-S", &socket, "root@127.0.0.1", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("timeout and ssh can be started");
        let out = child.stdout.take().expect("it was piped");
        let mut trap = Trap { child, out: BufReader::new(out) };
        assert_eq!(trap.line(), "ready", "on the board: {before}");
        trap
    }

    fn say(&self, limit: Duration, words: &[&str], input: &[u8]) -> Said {
        let mut child = Command::new("timeout")
            .args(["-k", "5", &limit.as_secs().max(1).to_string()])
            .arg(find("ssh"))
            .args(self.arguments())
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("timeout and ssh can be started");
        let mut pipe = child.stdin.take().expect("it was piped");
        let input = input.to_vec();
        // Aside, since the command may answer before it has read all. One that does not read loses it.
        let writer = std::thread::spawn(move || pipe.write_all(&input));
        let done = child.wait_with_output().expect("a child can be waited for");
        let _ = writer.join();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said {
            code: done.status.code().unwrap_or(EXIT_NO_CONNECTION),
            out: text(&done.stdout),
            err: text(&done.stderr),
        }
    }
}
