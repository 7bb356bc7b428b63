//! The board as a whole: emulator, disk and the way in.
//!
//! Promise: every wait has a deadline, and ends at once when the emulator has ended by itself. What
//! the board said on its console stays in a file.

use super::arch::Arch;
use super::chance::Chance;
use super::disk::{Disk, Lost};
use super::disk_server::DiskServer;
use super::machine::{Facts, Hardware, Machine, SSH_PORT};
use super::ssh::Ssh;
use crate::Said;
use crate::wait::{Seen, wait_between};
use serde_json::Value;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time for an emulated amd64 board to boot, or to do anything else that is waited for: twenty times
/// what it takes on an idle machine.
const PATIENCE: Duration = Duration::from_secs(600);
/// Time between two looks at a board: each costs it some of what it is waited for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// What a kernel says of itself when its processors turn in circles with interrupts on, as the emulator makes it do
/// once in some hundred boots.
const LOCKED_UP: &str = "BUG: soft lockup";
/// How often a board is reset for that before it is given up.
const RESETS_MAX: u32 = 3;
/// Lines of the console that a diagnosis shows.
const CONSOLE_LINES: usize = 30;

/// See the head of the module.
pub struct Guest {
    arch: Arch,
    machine: Machine,
    disk: DiskServer,
    ssh: Ssh,
    boots: Cell<u32>,
    resets: Cell<u32>,
    /// Length of the console's file when it was switched on or reset.
    console_from: Cell<usize>,
}

impl Guest {
    /// A board that is off, with a fresh disk; its files lie in `folder`.
    ///
    /// # Panics
    /// When the image was not made, or `folder` can't be written.
    pub fn new(arch: Arch, folder: &Path) -> Self {
        Self::over(arch, folder, &arch.image_folder().join("disk.img"))
    }

    /// The same with another disk to begin with, which is never written.
    ///
    /// # Panics
    /// As [`Guest::new`].
    pub fn over(arch: Arch, folder: &Path, base: &Path) -> Self {
        let machine = Machine::new(arch, folder);
        let disk = Disk::over(base, &folder.join("medium"))
            .unwrap_or_else(|error| panic!("a disk over {}: {error}", base.display()));
        Self {
            arch,
            machine,
            disk: DiskServer::start(disk, &folder.join("disk.sock")),
            ssh: Ssh::new(&arch.image_folder().join("id_ed25519"), SSH_PORT, folder),
            boots: Cell::new(0),
            resets: Cell::new(0),
            console_from: Cell::new(0),
        }
    }

    /// Which board it is.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// How its image wants to be booted.
    pub fn facts(&self) -> &Facts {
        self.machine.facts()
    }

    /// The emulator.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The disk.
    pub fn disk(&self) -> &DiskServer {
        &self.disk
    }

    /// The way in.
    pub fn ssh(&self) -> &Ssh {
        &self.ssh
    }

    /// How often it was switched on.
    pub fn boots(&self) -> u32 {
        self.boots.get()
    }

    /// Time that is given to whatever is waited for.
    pub fn patience(&self) -> Duration {
        PATIENCE * self.arch.patience()
    }

    /// Switches it on, without waiting.
    pub fn power_on(&self, hardware: &Hardware) {
        self.boots.set(self.boots.get() + 1);
        self.console_from.set(self.console_bytes().len());
        self.machine.power_on(self.disk.socket(), hardware);
    }

    /// Switches it on and waits until it lets one in.
    #[track_caller]
    pub fn boot(&self, hardware: &Hardware) {
        self.power_on(hardware);
        self.wait_in();
    }

    /// Waits until it lets one in. A kernel that locks up before is reset, as a board's own watchdog does.
    #[track_caller]
    pub fn wait_in(&self) {
        self.wait("a shell on the board", || {
            self.reset_if_locked_up();
            self.ssh.open()?;
            let said = self.ssh.run(self.patience(), "true", b"");
            match said.code {
                0 => Ok(()),
                _ => {
                    self.ssh.close();
                    Err(format!("{said:?}"))
                }
            }
        });
    }

    fn reset_if_locked_up(&self) {
        let console = self.console_bytes();
        let since = console.get(self.console_from.get()..).unwrap_or_default();
        if !String::from_utf8_lossy(since).contains(LOCKED_UP) || self.resets.get() == RESETS_MAX {
            return;
        }
        println!("       the board's kernel locked up while it booted: reset");
        self.resets.set(self.resets.get() + 1);
        self.console_from.set(console.len());
        if let Err(error) = self.machine.monitor_say("system_reset") {
            println!("       the emulator takes no reset: {error}");
        }
    }

    fn console_bytes(&self) -> Vec<u8> {
        std::fs::read(self.machine.console()).unwrap_or_default()
    }

    /// Waits for anything on the board.
    ///
    /// # Panics
    /// When its patience is at an end, or the board went off.
    #[track_caller]
    pub fn wait<S: Seen>(&self, what: &str, mut look: impl FnMut() -> S) -> S::Fact {
        wait_between(self.patience(), BETWEEN_LOOKS, what, || {
            let seen = look().seen();
            if let (Err(_), Some(status)) = (&seen, self.machine.ended()) {
                panic!("waited for {what}, but the emulator ended by itself: {status}");
            }
            seen
        })
    }

    /// Runs a shell script as root.
    pub fn run(&self, script: &str) -> Said {
        self.ssh.run(self.patience(), script, b"")
    }

    /// The same; it must end with 0. Returns what it printed.
    ///
    /// # Panics
    /// With all it said, when it does not.
    #[track_caller]
    pub fn shell(&self, script: &str) -> String {
        let said = self.run(script);
        assert_eq!(said.code, 0, "on the board: {script}\n{}{}", said.out, said.err);
        said.out
    }

    /// Writes a file, making its folder.
    #[track_caller]
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let script = format!("mkdir -p \"$(dirname '{path}')\" && cat >'{path}'");
        let said = self.ssh.run(self.patience(), &script, bytes);
        assert_eq!(said.code, 0, "{path} can't be written on the board: {}", said.err);
        let size = self.shell(&format!("stat -c %s '{path}'"));
        assert_eq!(size.trim(), bytes.len().to_string(), "all of {path} arrived");
    }

    /// Whether `agentctl` answers, and with what status document; null when it does not.
    pub fn status(&self) -> Value {
        let said = self.run("agentctl status --json");
        serde_json::from_str(&said.out).unwrap_or(Value::Null)
    }

    /// An app's part of it.
    pub fn app(&self, app: &str) -> Value {
        app_of(&self.status(), app)
    }

    /// Waits until an app's part of the status document is as wanted, and returns it.
    #[track_caller]
    pub fn wait_app(&self, app: &str, what: &str, mut is_so: impl FnMut(&Value) -> bool) -> Value {
        self.wait(&format!("{app}: {what}"), || {
            let status = self.status();
            let part = app_of(&status, app);
            match is_so(&part) {
                true => Ok(part),
                false => Err(format!("{status:#}")),
            }
        })
    }

    /// The plug is pulled: emulator ended by SIGKILL, unflushed writes left to their fate.
    pub fn cut(&self, chance: &mut Chance) -> Lost {
        self.machine.pull_plug();
        self.ssh.close();
        self.disk.cut(chance)
    }

    /// Shuts it down as a person does, and waits until it is off.
    #[track_caller]
    pub fn shut_down(&self) {
        let _ = self.run("systemctl poweroff");
        self.ssh.close();
        wait_between(self.patience(), BETWEEN_LOOKS, "the board to switch itself off", || {
            !self.machine.is_on()
        });
        self.disk.settle();
    }

    /// Reboots it as a person does, and waits until it lets one in again.
    #[track_caller]
    pub fn reboot(&self) {
        let before = self.shell("cat /proc/sys/kernel/random/boot_id");
        let _ = self.run("systemctl reboot");
        self.ssh.close();
        self.boots.set(self.boots.get() + 1);
        self.wait("the board to have booted again", || {
            self.ssh.open()?;
            let said = self.run("cat /proc/sys/kernel/random/boot_id");
            if said.code != 0 {
                self.ssh.close();
            }
            match said.code == 0 && said.out != before {
                true => Ok(()),
                false => Err(format!("{said:?}")),
            }
        });
    }

    /// What a person would look at first: the end of the console, and of the agent's journal.
    pub fn diagnosis(&self) -> String {
        let console = self.console_bytes();
        let console = String::from_utf8_lossy(&console);
        let lines: Vec<&str> = console.lines().collect();
        let tail = lines[lines.len().saturating_sub(CONSOLE_LINES)..].join("\n");
        let mut text = format!("── console, its end\n{tail}\n");
        if self.machine.is_on() && self.ssh.open().is_ok() {
            let script = "agentctl status; systemctl --no-pager --failed; docker ps -a; \
                journalctl --no-pager -n 60 -u titania-agent -u docker -u containerd; df -h /";
            let said = self.run(script);
            text += &format!("── on the board\n{}{}", said.out, said.err);
        }
        text
    }

    /// Folder of the console's file, for those who want to keep it.
    pub fn console(&self) -> PathBuf {
        self.machine.console()
    }
}

fn app_of(status: &Value, app: &str) -> Value {
    let mut apps = status["apps"].as_array().into_iter().flatten();
    apps.find(|one| one["app"] == app).cloned().unwrap_or(Value::Null)
}
