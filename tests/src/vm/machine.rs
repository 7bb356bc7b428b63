//! The emulator: what hardware a board has, and its power.

use super::arch::Arch;
use crate::process::{Process, find};
use std::cell::RefCell;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

/// Where the board's SSH server is found. The network is the tests' own, so it is always free.
pub const SSH_PORT: u16 = 2222;
/// Where port 8080 of the board is found.
pub const APP_PORT: u16 = 8080;
/// Time for an answer of the emulator's monitor.
const MONITOR_TIME: Duration = Duration::from_secs(30);

/// What differs from one boot to the next.
#[derive(Debug, Clone)]
pub struct Hardware {
    /// Further words of the kernel's command line.
    pub append: String,
    /// Whether there is a network card at all.
    pub has_network: bool,
    /// A second disk, a file.
    pub second_disk: Option<PathBuf>,
    /// What its hardware clock says when it is switched on, `1970-01-01T01:00:00`; the true time where nothing is said.
    pub clock: Option<&'static str>,
}

impl Default for Hardware {
    fn default() -> Self {
        Self { append: String::new(), has_network: true, second_disk: None, clock: None }
    }
}

/// One emulator at a time, for one board.
pub struct Machine {
    facts: Facts,
    folder: PathBuf,
    image: PathBuf,
    process: RefCell<Option<Process>>,
}

impl Machine {
    pub(crate) fn new(arch: Arch, folder: &Path) -> Self {
        Self {
            facts: Facts::of(arch),
            folder: folder.to_owned(),
            image: arch.image_folder(),
            process: RefCell::new(None),
        }
    }

    /// What the board wrote to its serial console, over all its boots.
    pub fn console(&self) -> PathBuf {
        self.folder.join("console.log")
    }

    fn monitor(&self) -> PathBuf {
        self.folder.join("monitor.sock")
    }

    /// Switches it on. The disk is the one served at `disk`; the emulator shows the guest its cache, so
    /// that the guest flushes it.
    ///
    /// # Panics
    /// When the image was not made.
    pub fn power_on(&self, disk: &Path, hardware: &Hardware) {
        let words = self.words(disk, hardware);
        let log = self.folder.join("emulator.log");
        let process = Process::start(&find(&self.facts.word("QEMU")), &words, &log, &log);
        *self.process.borrow_mut() = Some(process);
    }

    fn words(&self, disk: &Path, hardware: &Hardware) -> Vec<String> {
        let facts = &self.facts;
        let file = |name: &str| self.image.join(name).to_string_lossy().into_owned();
        let mut words: Vec<String> =
            facts.word("MACHINE").split_whitespace().map(str::to_owned).collect();
        let mut add = |option: &str, value: String| words.extend([option.to_owned(), value]);
        add("-display", "none".to_owned());
        add("-kernel", file("vmlinuz"));
        add("-initrd", file("initrd.img"));
        add("-append", format!("{} {}", facts.word("APPEND"), hardware.append).trim().to_owned());
        add("-chardev", format!("file,id=serial,append=on,path={}", self.console().display()));
        add("-serial", "chardev:serial".to_owned());
        add("-monitor", format!("unix:{},server=on,wait=off", self.monitor().display()));
        let (block, net) = (facts.word("BLOCK_DEVICE"), facts.word("NET_DEVICE"));
        let drive = "format=raw,if=none,cache=writeback,discard=unmap";
        add("-drive", format!("file=nbd+unix:///?socket={},id=first,{drive}", disk.display()));
        add("-device", format!("{block},drive=first,write-cache=on"));
        if let Some(second) = &hardware.second_disk {
            add("-drive", format!("file={},id=second,{drive}", second.display()));
            add("-device", format!("{block},drive=second"));
        }
        if let Some(clock) = hardware.clock {
            add("-rtc", format!("base={clock}"));
        }
        if hardware.has_network {
            let forward = |here: u16, there: u16| format!("hostfwd=tcp:127.0.0.1:{here}-:{there}");
            let (ssh, app) = (forward(SSH_PORT, 22), forward(APP_PORT, 8080));
            add("-netdev", format!("user,id=net,{ssh},{app}"));
            add("-device", format!("{net},netdev=net"));
        }
        words
    }

    /// Whether it is on; a guest that powers itself off ends the emulator.
    pub fn is_on(&self) -> bool {
        self.process.borrow_mut().as_mut().is_some_and(|process| process.ended().is_none())
    }

    /// How its image wants to be booted.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// How the emulator ended by itself, once it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.process.borrow_mut().as_mut().and_then(Process::ended)
    }

    /// Ends the emulator with SIGKILL, as a pulled plug ends a board.
    pub fn pull_plug(&self) {
        if let Some(mut process) = self.process.borrow_mut().take() {
            process.kill();
        }
    }

    /// Gives the emulator's monitor a command and returns what it printed.
    ///
    /// # Errors
    /// As the socket says.
    pub fn monitor_say(&self, command: &str) -> std::io::Result<String> {
        const PROMPT: &[u8] = b"(qemu) ";
        let mut stream = UnixStream::connect(self.monitor())?;
        stream.set_read_timeout(Some(MONITOR_TIME))?;
        let mut heard = Vec::new();
        let mut until_prompt = |stream: &mut UnixStream| -> std::io::Result<String> {
            heard.clear();
            let mut byte = [0];
            while !heard.ends_with(PROMPT) {
                stream.read_exact(&mut byte)?;
                heard.push(byte[0]);
            }
            Ok(String::from_utf8_lossy(&heard).into_owned())
        };
        until_prompt(&mut stream)?;
        stream.write_all(format!("{command}\n").as_bytes())?;
        until_prompt(&mut stream)
    }
}

/// How an image wants to be booted: `board.env`, as `tests/board/make-image` leaves it.
pub struct Facts {
    text: String,
    file: PathBuf,
}

impl Facts {
    /// Reads those of an image.
    ///
    /// # Panics
    /// When the image was not made: says how to.
    pub fn of(arch: Arch) -> Self {
        let file = arch.image_folder().join("board.env");
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| {
            let make = format!("tests/board/make-image {}", arch.name());
            panic!("{}: {error}; make the board's image first: {make}", file.display())
        });
        Self { text, file }
    }

    /// What follows `name=`.
    ///
    /// # Panics
    /// When there is no such line.
    pub fn word(&self, name: &str) -> String {
        let found = self.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("{} has no {name}", self.file.display())).to_owned()
    }
}
