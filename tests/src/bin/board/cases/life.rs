//! The unit, the app's first and next releases, reboots.

use harness::vm::{APP, Arch, Chance, Hardware, Stand};
use std::time::Instant;

/// A unit of the board that says on its console, without a network, when the app is well.
const CONSOLE_WITNESS: &str = "/etc/systemd/system/console-witness.service";
/// A drop-in that has the agent tell more, until the next boot at the latest.
const TALK: &str = "/run/systemd/system/titania-agent.service.d/talk.conf";

/// Most resident memory of the agent after updates, in KiB: a sixth of the unit's MemoryMax. What it takes is
/// printed, and told in docs/board.md.
const RESIDENT_MAX_KIB: u64 = 16 * 1024;

/// What the unit's properties say.
fn property(stand: &Stand, name: &str) -> String {
    let said = stand.rig.guest().shell(&format!("systemctl show titania-agent -p {name} --value"));
    said.trim().to_owned()
}

/// When the app's one container was started.
pub fn started_at(stand: &Stand) -> String {
    let script = format!("docker inspect -f '{{{{.State.StartedAt}}}}' {}", container(stand));
    stand.rig.guest().shell(&script).trim().to_owned()
}

/// The name of the app's container, by the agent's word.
pub fn container(stand: &Stand) -> String {
    stand.app()["container"]["name"].as_str().unwrap_or_default().to_owned()
}

pub fn unit(stand: &mut Stand) {
    assert_eq!(property(stand, "ActiveState"), "active");
    assert_eq!(property(stand, "Type"), "notify");
    let stamp = || property(stand, "WatchdogTimestampMonotonic").parse::<u64>().unwrap_or(0);
    let first = stamp();
    assert!(first > 0, "the watchdog is fed");
    stand.rig.guest().wait("the watchdog to be fed again", || stamp() > first);
    assert_eq!(property(stand, "NRestarts"), "0");
    let guest = stand.rig.guest();
    assert_eq!(guest.shell("systemctl is-enabled titania-agent").trim(), "enabled");
    let owner = guest.shell("stat -c %U /proc/$(systemctl show titania-agent -p MainPID --value)");
    assert_eq!(owner.trim(), "titania-agent", "not root");
    let socket = guest.shell("stat -c '%a %G' /run/titania-agent/agent.sock");
    assert_eq!(socket.trim(), "660 titania-agent");
    let opened = property(stand, "DropInPaths");
    assert!(opened.contains("50-paths.conf"), "what the files name is opened: {opened}");
}

pub fn memory(stand: &mut Stand) {
    let agent = property(stand, "MainPID");
    let said = stand.rig.guest().shell(&format!(
        "grep -hE '^(VmHWM|VmRSS|RssAnon|Pss|Pss_Anon):' /proc/{agent}/status /proc/{agent}/smaps_rollup; \
         stat -c '%n %s B' /usr/sbin/agentd /usr/bin/agentctl"
    ));
    let words: Vec<&str> = said.split_whitespace().collect();
    println!("       {}", words.join(" "));
    let resident = words.iter().position(|word| *word == "VmRSS:");
    let resident = resident.and_then(|at| words.get(at + 1)?.parse::<u64>().ok());
    assert!(resident.is_some_and(|kib| kib > 0 && kib <= RESIDENT_MAX_KIB), "{said}");
}

pub fn entry(stand: &mut Stand) {
    let arch = stand.rig.guest().arch();
    let image = format!("$(docker inspect -f '{{{{.Image}}}}' {})", container(stand));
    let format = "'{{.Os}}/{{.Architecture}}/{{.Variant}}'";
    let said = stand.rig.guest().shell(&format!("docker image inspect -f {format} {image}"));
    let wanted = match arch {
        Arch::Amd64 => "linux/amd64/",
        Arch::Armhf => "linux/arm/v7",
        Arch::Arm64 => "linux/arm64/",
    };
    assert_eq!(said.trim(), wanted);
    let app = stand.app();
    assert_eq!(app["current"]["platform"], arch.platform(), "{app:#}");
    let status = stand.rig.guest().status();
    assert_eq!(status["board"]["engine"]["state"], "ready", "{status:#}");
}

pub fn pushed(stand: &mut Stand) {
    stand.update_whole();
    let app = stand.app();
    assert_eq!(app["last"]["outcome"], "committed", "{app:#}");
    assert_eq!(app["last"]["trigger"], "tag", "{app:#}");
}

/// Under the unit as it is shipped the kernel tells the agent when a container's last process has ended, and the state is
/// copied then, not when the engine answers.
pub fn early(stand: &mut Stand) {
    let restart = "systemctl daemon-reload && systemctl restart titania-agent";
    let guest = stand.rig.guest();
    guest.put(TALK, b"[Service]\nEnvironment=TITANIA_LOG=debug\n");
    guest.shell(restart);
    stand.rig.wait_version(&stand.version());
    assert_eq!(property(stand, "ProtectProc"), "invisible");
    assert_eq!(property(stand, "NoNewPrivileges"), "yes");
    stand.update_whole();
    let guest = stand.rig.guest();
    let journal = guest.shell("journalctl -b -u titania-agent --no-pager -o cat -n 2000");
    let told = |what: &str| journal.lines().rev().find(|line| line.contains(what));
    let answered = told("ms after its end");
    let answered = answered.unwrap_or_else(|| panic!("the end was not seen: {journal}"));
    println!("       {answered}");
    assert!(told("the copy was made during the stop").is_some(), "it did not count: {journal}");
    guest.shell(&format!("rm {TALK} && {restart}"));
    stand.rig.wait_version(&stand.version());
}

pub fn watchdog(stand: &mut Stand) {
    let guest = stand.rig.guest();
    let before = started_at(stand);
    let stopped = property(stand, "MainPID");
    guest.shell(&format!("kill -STOP {stopped}"));
    guest.wait("another agent", || {
        let now = property(stand, "MainPID");
        now != stopped && now != "0" && property(stand, "ActiveState") == "active"
    });
    let journal = guest.shell("journalctl -u titania-agent --no-pager -n 200");
    assert!(journal.to_lowercase().contains("watchdog timeout"), "{journal}");
    stand.rig.wait_version(&stand.version());
    assert_eq!(started_at(stand), before, "the app was not restarted");
    stand.judge();
}

pub fn reboot(stand: &mut Stand) {
    let (version, _) = stand.push("");
    let heard = stand.listen(|heard, _| heard.step() == "fetch" || heard.is_over());
    assert_eq!(heard.step(), "fetch", "{heard:?}");
    let begun = Instant::now();
    stand.rig.guest().reboot();
    stand.come_to_rest(begun, &version, None);
}

pub fn cut(stand: &mut Stand) {
    let (version, _) = stand.push("");
    stand.listen(|heard, _| heard.step() == "probation" || heard.is_over());
    stand.cut(&mut Chance::of(1));
    stand.come_back(&version, None);
}

pub fn no_network(stand: &mut Stand) {
    let guest = stand.rig.guest();
    let text = format!(
        "[Unit]\nAfter=titania-agent.service\n[Service]\nExecStart=/bin/sh -c 'until agentctl \
         status | grep -q \"^{APP} *ok \"; do sleep 1; done; echo witness: {APP} is ok >/dev/console; \
         exec sleep 1d'\n[Install]\nWantedBy=multi-user.target\n"
    );
    guest.put(CONSOLE_WITNESS, text.as_bytes());
    guest.shell("systemctl daemon-reload && systemctl enable -q console-witness");
    guest.shut_down();
    guest.power_on(&Hardware { has_network: false, ..Hardware::default() });
    guest.wait("the board to say on its console that its app is ok", || {
        let said = std::fs::read(guest.console()).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        said.contains("witness: wallet is ok")
    });
    // Off as if for ever: what counts is that it was up. The next boot has a network again.
    guest.cut(&mut Chance::of(2));
    guest.boot(&Hardware::default());
    stand.rig.wait_version(&stand.version());
    let guest = stand.rig.guest();
    guest.shell(&format!("systemctl disable -q --now console-witness; rm {CONSOLE_WITNESS}"));
    stand.judge();
}
