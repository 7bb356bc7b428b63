//! Kernel, processor and supply: what the board itself is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::system::System;
use super::{Check, fail, ok, warn};

/// What gives a Raspberry Pi its memory cgroup: the firmware turns it off.
pub(super) const MEMORY_HINT: &str = "on Raspberry Pi OS add cgroup_enable=memory to the one line of \
    /boot/firmware/cmdline.txt (before Debian 12: /boot/cmdline.txt) and reboot";
/// The Raspberry Pi firmware's word on supply and cooling (`vcgencmd get_throttled`).
const THROTTLED: &str = "/sys/devices/platform/soc/soc:firmware/get_throttled";
/// Under-voltage now, and since boot.
const UNDER_VOLTAGE: u32 = 1 | 1 << 16;
/// Capped or slowed down now (1, 2, 3), and since boot (17, 18, 19).
const SLOWED: u32 = 0b1110 | 0b1110 << 16;
/// 2024-01-01, from 1970: a clock before this was never set.
const PLAUSIBLE: Duration = Duration::from_secs(1_704_067_200);
/// ELF class of 32 bits (elf(5), `EI_CLASS`).
const ELF_32: u8 = 1;

pub(super) fn checks(system: &System) -> Vec<Check> {
    let mut checks =
        vec![memory_cgroup(system), userland(system), clock(system, SystemTime::now())];
    checks.extend(supply(system));
    checks
}

/// cgroup v2 lists its controllers in one file; v1 (and a hybrid) in /proc/cgroups, with those that are off.
fn memory_cgroup(system: &System) -> Check {
    let name = "memory_cgroup";
    let unified = system.text("/sys/fs/cgroup/cgroup.controllers").ok();
    if let Some(controllers) = &unified
        && controllers.split_whitespace().any(|one| one == "memory")
    {
        return ok(name, "cgroup v2 with its memory controller");
    }
    // name, hierarchy, count, enabled
    let table = system.text_or_empty("/proc/cgroups");
    let line = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let memory = line.into_iter().find(|words| words.first() == Some(&"memory"));
    let is_on = memory.is_some_and(|words| words.get(3) == Some(&"1"));
    if is_on && unified.is_none() {
        return ok(name, "cgroup v1 with its memory controller");
    }
    let by = match system.text_or_empty("/proc/cmdline").contains("cgroup_disable=memory") {
        true => " (cgroup_disable=memory on its command line)",
        false => "",
    };
    warn(name, format!("the kernel has no memory cgroup{by}: no memory limit is kept"), MEMORY_HINT)
}

fn userland(system: &System) -> Check {
    let machine = &system.machine;
    let cpu = system.text_or_empty("/proc/cpuinfo");
    let is_v6 = machine == "armv6l" || cpu.contains("(v6l)");
    if is_v6 {
        let message = format!("the processor is an ARMv6 ({machine}), the programs are for ARMv7");
        return fail("processor", message, "take a Raspberry Pi 2 or newer (not Zero, not Zero W)");
    }
    let is_64 = matches!(machine.as_str(), "aarch64" | "x86_64");
    let class = std::fs::read("/proc/self/exe").ok().and_then(|bytes| bytes.get(4).copied());
    if is_64 && class == Some(ELF_32) {
        let message =
            format!("a 32-bit system on a 64-bit kernel ({machine}): 32-bit images are taken");
        return ok("processor", message);
    }
    ok("processor", format!("{machine}, as the system on it"))
}

/// A plausible year, and where systemd-timesyncd keeps the clock its word that it set it in this boot.
fn clock(system: &System, now: SystemTime) -> Check {
    let folder = system.path("/run/systemd/timesync");
    let is_plausible = now > UNIX_EPOCH + PLAUSIBLE;
    match is_plausible && (!folder.is_dir() || folder.join("synchronized").exists()) {
        true => ok("clock", "the clock is set"),
        false => warn(
            "clock",
            "the clock was not set since the board started: times may be wrong, and windows stay shut",
            "give the board a time server or a clock: timedatectl",
        ),
    }
}

fn supply(system: &System) -> Option<Check> {
    let text = system.text(THROTTLED).ok()?;
    let flags = u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()?;
    if flags & UNDER_VOLTAGE != 0 {
        let when = if flags & 1 != 0 { "now" } else { "since the board started" };
        let message = format!("the supply was too weak {when}: cards and disks lose data by it");
        return Some(warn("supply", message, "take a better supply and a shorter cable"));
    }
    if flags & SLOWED != 0 {
        let message = "the processor was slowed down for its heat since the board started";
        return Some(warn("supply", message, "cool it"));
    }
    Some(ok("supply", "voltage and heat are well"))
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::super::tests::Root;
    use super::*;

    const V1: &str =
        "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t2\t1\t1\nmemory\t5\t1\t1\n";

    #[test]
    fn a_v1_and_a_v2_board_are_told_apart_and_one_without_memory_gets_the_line_to_add() {
        let off = V1.replace("5\t1\t1", "0\t1\t0");
        for (files, want, word) in [
            (
                vec![("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n")],
                Verdict::Ok,
                "v2",
            ),
            (vec![("proc/cgroups", V1)], Verdict::Ok, "v1"),
            (
                vec![("sys/fs/cgroup/cgroup.controllers", "cpu io pids\n"), ("proc/cgroups", V1)],
                Verdict::Warn,
                "no memory cgroup:",
            ),
            (
                vec![
                    ("proc/cgroups", off.as_str()),
                    ("proc/cmdline", "console=tty1 cgroup_disable=memory root=/dev/mmcblk0p2"),
                ],
                Verdict::Warn,
                "(cgroup_disable=memory",
            ),
            (vec![], Verdict::Warn, "no memory cgroup"),
        ] {
            let root = Root::with(&files);
            let check = memory_cgroup(&root.system("armv7l"));
            assert_eq!(check.state, want, "{files:?}: {check:?}");
            assert!(check.message.contains(word), "{check:?}");
            let names_the_line = check.hint.contains("cgroup_enable=memory");
            assert_eq!(names_the_line, want == Verdict::Warn, "{check:?}");
        }
    }

    #[test]
    fn a_clock_that_was_not_set_is_a_warning() {
        let (board, now) = (Root::with(&[]), UNIX_EPOCH + 2 * PLAUSIBLE);
        let system = board.system("x");
        assert_eq!(clock(&system, now).state, Verdict::Ok);
        assert_eq!(clock(&system, UNIX_EPOCH).state, Verdict::Warn);
        board.write("run/systemd/timesync/here", "");
        assert_eq!(clock(&system, now).state, Verdict::Warn);
        board.write("run/systemd/timesync/synchronized", "");
        assert_eq!(clock(&system, now).state, Verdict::Ok);
    }

    #[test]
    fn an_armv6_board_fails_whatever_its_kernel_calls_it() {
        let zero = Root::with(&[(
            "proc/cpuinfo",
            "model name\t: ARMv6-compatible processor rev 7 (v6l)\n",
        )]);
        assert_eq!(userland(&zero.system("armv6l")).state, Verdict::Fail);
        assert_eq!(userland(&zero.system("armv7l")).state, Verdict::Fail);
        let two = Root::with(&[("proc/cpuinfo", "model name\t: ARMv7 Processor rev 4 (v7l)\n")]);
        assert_eq!(userland(&two.system("armv7l")).state, Verdict::Ok);
    }

    #[test]
    fn a_weak_supply_is_told_and_a_board_that_does_not_know_is_silent() {
        let path = THROTTLED.trim_start_matches('/');
        for (text, want) in [
            ("0\n", Some(Verdict::Ok)),
            ("50005\n", Some(Verdict::Warn)),
            ("0x50000\n", Some(Verdict::Warn)),
            ("80008\n", Some(Verdict::Warn)),
            ("?", None),
        ] {
            let root = Root::with(&[(path, text)]);
            assert_eq!(supply(&root.system("armv7l")).map(|one| one.state), want, "{text}");
        }
        assert_eq!(supply(&Root::with(&[]).system("armv7l")), None);
    }
}
