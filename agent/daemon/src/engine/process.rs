//! Whether a container that the engine calls running has a process.
//!
//! After a crash of containerd inspect says `running` of a dead process for ever. The proof is the kernel's: a
//! pidfd (Linux 5.3) tells in how many pid namespaces the process lives and whether it has ended, whoever asks and
//! whatever /proc hides; before it, /proc's `status`, which is world-readable. Where neither can tell (an engine in
//! another pid namespace, a hidden /proc on an old kernel) the engine is believed.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

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
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", process.as_raw_fd())).ok()?;
    let pids = text.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    Some(Traced::Lives(pids.split_whitespace().count()))
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
