//! Whether a container that the engine calls running has a process.
//!
//! After a crash of containerd inspect says `running` of a dead process for ever. The proof is the kernel's: a
//! pidfd (Linux 5.3) tells in how many pid namespaces the process lives and whether it has ended, whoever asks and
//! whatever /proc hides; before it, /proc's `status`, which is world-readable. Where neither can tell (an engine in
//! another pid namespace, a hidden /proc on an old kernel) the engine is believed.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::unix::AsyncFd;

/// What /proc says of one pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Traced {
    /// There is none, or only its zombie.
    Gone,
    /// One that lives so many pid namespaces deep, this one included.
    Lives(usize),
    /// It can't tell.
    Unreadable,
}

/// Whether the process of a running container lives: false only on proof.
///
/// `engine` is the engine's own pid as the kernel names it on the socket.
pub(super) fn is_alive(engine: Option<u32>, pid: u32) -> bool {
    // Only an engine whose own pid is right here counts the same way as this /proc.
    let comparable = engine.is_some_and(|engine| trace(engine) == Traced::Lives(1));
    if !comparable {
        return true;
    }
    match trace(pid) {
        Traced::Gone => false,
        // A container's first process has a pid namespace of its own: this is a stranger with a reused pid.
        Traced::Lives(depth) => depth > 1,
        Traced::Unreadable => true,
    }
}

/// Whether that pid is, on proof, a living process of some container.
pub(super) fn is_in_container(engine: Option<u32>, pid: u32) -> bool {
    engine.is_some_and(|engine| trace(engine) == Traced::Lives(1))
        && matches!(trace(pid), Traced::Lives(depth) if depth > 1)
}

/// The first process of a container, whose end can be waited for.
#[derive(Debug)]
pub struct FirstProcess(AsyncFd<OwnedFd>);

impl FirstProcess {
    /// Waits until no process of the container lives, also none that was put into it (exec): the first process of
    /// a pid namespace does not end before the kernel has ended, and reaped, all others (pid_namespaces(7);
    /// `zap_pid_ns_processes`). For ever where that can't be waited for.
    pub async fn ended(&self) {
        if self.0.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// That pid as a process whose end can be waited for; null unless it is, on proof, the first one of a pid namespace
/// of its own, and lives.
pub(super) fn first(engine: Option<u32>, pid: u32) -> Option<FirstProcess> {
    if engine.is_none_or(|engine| trace(engine) != Traced::Lives(1)) {
        return None;
    }
    let target = i32::try_from(pid).ok().and_then(Pid::from_raw)?;
    let process = pidfd_open(target, PidfdFlags::empty()).ok()?;
    // Of the very process that the descriptor is of: none has this pid instead of it by now.
    is_first(&pids(&process)?).then_some(())?;
    // Called unsound for types whose descriptor may become another one; an `OwnedFd`'s never does.
    #[allow(deprecated)]
    AsyncFd::with_interest(process, tokio::io::Interest::READABLE).ok().map(FirstProcess)
}

/// Pids of a process, from the outermost namespace to its own; null once it is reaped.
fn pids(process: &OwnedFd) -> Option<Vec<i64>> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", process.as_raw_fd())).ok()?;
    let pids = text.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    pids.split_whitespace().map(|pid| pid.parse().ok()).collect()
}

fn is_first(pids: &[i64]) -> bool {
    pids.len() > 1 && pids.last() == Some(&1)
}

fn trace(pid: u32) -> Traced {
    by_pidfd(pid).unwrap_or_else(|| by_proc(pid))
}

/// Null where the kernel has no pidfds, or does not tell about them.
fn by_pidfd(pid: u32) -> Option<Traced> {
    let target = i32::try_from(pid).ok().and_then(Pid::from_raw)?;
    let process = match pidfd_open(target, PidfdFlags::empty()) {
        Ok(process) => process,
        Err(Errno::SRCH) => return Some(Traced::Gone),
        Err(_) => return None,
    };
    // Readable when it has ended, its zombie included (pidfd_open(2)).
    let mut ended = [PollFd::new(&process, PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut ended, Some(&at_once)).ok()? > 0 {
        return Some(Traced::Gone);
    }
    pids(&process).map(|pids| Traced::Lives(pids.len()))
}

fn by_proc(pid: u32) -> Traced {
    match fs::read_to_string(format!("/proc/{pid}/status")) {
        Ok(text) => read(&text),
        Err(error)
            if error.kind() == io::ErrorKind::NotFound
                && fs::exists("/proc/self/status").is_ok_and(|it| it) =>
        {
            Traced::Gone
        }
        Err(_) => Traced::Unreadable,
    }
}

/// Reads /proc/<pid>/status (proc_pid_status(5)).
fn read(text: &str) -> Traced {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    if field("State:")
        .is_some_and(|state| matches!(state.trim_start().chars().next(), Some('Z' | 'X')))
    {
        return Traced::Gone;
    }
    field("NSpid:")
        .map_or(Traced::Unreadable, |pids| Traced::Lives(pids.split_whitespace().count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_tells_depth_and_death() {
        for (text, want) in [
            ("Name:\tapp\nState:\tS (sleeping)\nNSpid:\t4711\t1\n", Traced::Lives(2)),
            ("Name:\tdockerd\nState:\tR (running)\nNSpid:\t800\n", Traced::Lives(1)),
            ("Name:\tapp\nState:\tZ (zombie)\nNSpid:\t4711\t1\n", Traced::Gone),
            ("Name:\tapp\nState:\tS (sleeping)\n", Traced::Unreadable),
            ("", Traced::Unreadable),
        ] {
            assert_eq!(read(text), want, "{text:?}");
        }
    }

    #[test]
    fn only_the_first_process_of_a_namespace_of_its_own_is_waited_for() {
        for (pids, want) in [
            (&[4711, 1][..], true),
            (&[4711, 30, 1], true),
            (&[4711, 7], false),
            (&[1], false),
            (&[], false),
        ] {
            assert_eq!(is_first(pids), want, "{pids:?}");
        }
        let own = std::process::id();
        assert!(first(Some(own), own).is_none(), "a process of the board");
        assert!(first(None, own).is_none());
    }

    #[test]
    fn p2_the_end_is_told_when_the_last_process_of_the_namespace_is_gone() {
        use std::io::{BufRead, BufReader};
        use std::process::{Command, Stdio};
        // The second process ignores what it is asked.
        let mut made = Command::new("unshare")
            .args(["--pid", "--fork", "--kill-child", "sh", "-c"])
            .arg("(trap '' TERM HUP; echo two; exec sleep 1000) & echo one; exec sleep 1000")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(made.stdout.take().unwrap());
        let mut words = String::new();
        said.read_line(&mut words).unwrap();
        said.read_line(&mut words).unwrap();
        assert_eq!(words.len(), "one\ntwo\n".len(), "{words}");
        let child = |of: u32| -> u32 {
            let children = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap();
            children.trim().parse().unwrap()
        };
        let inner = child(made.id());
        let second = format!("/proc/{}", child(inner));
        assert!(std::path::Path::new(&second).exists());
        let own = std::process::id();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let process = first(Some(own), inner).expect("a process that can be waited for");
            let pid = Pid::from_raw(inner.cast_signed()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            process.ended().await;
        });
        assert!(!std::path::Path::new(&second).exists(), "the second one is gone, too");
        made.wait().unwrap();
    }

    #[test]
    fn only_proof_calls_a_process_dead() {
        let own = std::process::id();
        let free = (2..)
            .find(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
            .unwrap_or(u32::MAX);
        assert!(is_alive(None, free), "the engine's own pid is not known");
        assert!(is_alive(Some(free), free), "the engine is not in this namespace");
        assert_eq!(by_pidfd(own).unwrap_or(by_proc(own)), by_proc(own), "both ways tell the same");
        assert!(matches!(by_pidfd(free), None | Some(Traced::Gone)));
        if trace(own) == Traced::Lives(1) {
            assert!(!is_alive(Some(own), free), "no such process");
            assert!(!is_alive(Some(own), own), "a process of the board, not of a container");
        }
    }
}
