//! The packaged unit and its generator: as tight as the docs say, and nothing that a person writes can break them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

const PACKAGING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/systemd");
const DOCS: &str = include_str!("../../../docs/hardening.md");
/// The most that the unit may be exposed, in tenths (`systemd-analyze security`).
const EXPOSURE_MAX: u32 = 20;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("unit-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The unit with a program that is there, and with a drop-in.
    fn unit(&self, drop_in: &str) -> PathBuf {
        let unit = std::fs::read_to_string(format!("{PACKAGING}/titania-agent.service")).unwrap();
        self.write("titania-agent.service.d/50-paths.conf", drop_in);
        self.write(
            "titania-agent.service",
            &unit.replace("ExecStart=/usr/sbin/agentd", "ExecStart=/bin/true"),
        )
    }

    /// Runs the generator as the manager does; what it wrote, if anything.
    fn generate(&self, agentd: &str, config: &Path) -> Option<String> {
        let [normal, early, late] =
            ["normal", "early", "late"].map(|name| self.0.join(name).display().to_string());
        std::fs::create_dir_all(&normal).unwrap();
        let done = Command::new(format!("{PACKAGING}/titania-agent-generator"))
            .args([&normal, &early, &late])
            .env("TITANIA_AGENTD", agentd)
            .env("TITANIA_CONFIG", config)
            .output()
            .unwrap();
        assert!(done.status.success(), "a generator must not fail: {done:?}");
        let folder = Path::new(&normal).join("titania-agent.service.d");
        let files = std::fs::read_dir(&folder).map_or(0, Iterator::count);
        let text = std::fs::read_to_string(folder.join("50-paths.conf")).ok();
        assert_eq!(files, usize::from(text.is_some()), "nothing half written stays");
        text
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// None where the program is not installed: `packaging/ci/setup` does that.
fn analyze(arguments: &[&str], folder: &Folder) -> Option<Output> {
    let done = Command::new("systemd-analyze")
        .args(arguments)
        .env("SYSTEMD_UNIT_PATH", format!("{}:", folder.0.display()))
        .output();
    match done {
        Ok(done) => Some(done),
        Err(error) => {
            println!(
                "SKIPPED: systemd-analyze can't be run ({error}); packaging/ci/setup installs it"
            );
            None
        }
    }
}

/// `→ Overall exposure level for titania-agent.service: 2.0 OK 🙂`, in tenths.
fn exposure(folder: &Folder, unit: &Path) -> Option<u32> {
    let unit = unit.to_str().unwrap();
    let done = analyze(&["security", "--offline=yes", "--no-pager", unit], folder)?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let line = text.lines().find(|line| line.contains("Overall exposure level"));
    let line = line.unwrap_or_else(|| panic!("no figure: {text} {done:?}"));
    let figure = line.split_once(".service: ").unwrap().1.split(' ').next().unwrap();
    Some(figure.replace('.', "").parse().unwrap())
}

fn agentd(config: &Path) -> String {
    let done = Command::new(env!("CARGO_BIN_EXE_agentd"))
        .args(["--print-unit", "--config"])
        .arg(config)
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap()
}

/// Settings and a definition that ask for all there is, with names that are hard to write.
fn demanding(folder: &Folder) -> PathBuf {
    folder.write(
        "etc/apps.d/kiosk.toml",
        "image = \"example.org/kiosk:1\"\ndevices = [\"/dev/i2c-1\"]\n\
         mounts = [\"/tmp/.X11-unix:/tmp/.X11-unix\", \"/home/pi/site:/srv\"]\n\
         [volumes]\ndata = [{ path = \"/m\", source = \"/mnt/usb stick/50% \\\"x\\\"\", own = true }]\n\
         [health]\nexec = [\"/check\"]\n",
    );
    let apps = folder.0.join("etc/apps.d").display().to_string();
    folder.write(
        "etc/agent.toml",
        &format!("[paths]\napps = \"{apps}\"\nvolumes = \"/datafs/apps\"\n"),
    )
}

#[test]
fn the_unit_is_exposed_no_more_than_the_docs_say() {
    let folder = Folder::new();
    let plain = folder.unit(&agentd(&folder.write("etc/agent.toml", "")));
    let Some(figure) = exposure(&folder, &plain) else {
        return;
    };
    // Other versions of systemd weigh otherwise; the promise is the same.
    assert!(figure <= EXPOSURE_MAX, "{figure}");
    let words = format!("exposure **{}.{}**", EXPOSURE_MAX / 10, EXPOSURE_MAX % 10);
    assert!(DOCS.contains(&words), "docs/hardening.md does not say: {words}");
}

#[test]
fn systemd_reads_unit_and_drop_in_without_a_complaint_whatever_the_files_name() {
    let folder = Folder::new();
    let drop_in = agentd(&demanding(&folder));
    for line in [
        "ReadWritePaths=\"-/datafs/apps\"",
        "ReadWritePaths=\"-/mnt/usb stick/50%% \\\"x\\\"\"",
        "After=datafs-apps.mount",
        "ProtectHome=read-only",
        "PrivateTmp=no",
        "PrivateDevices=no",
        "AmbientCapabilities=CAP_KILL",
    ] {
        assert!(drop_in.lines().any(|one| one == line), "{line}: {drop_in}");
    }
    let unit = folder.unit(&drop_in);
    let unit = unit.to_str().unwrap();
    let Some(done) = analyze(&["verify", "--man=no", "--recursive-errors=no", unit], &folder)
    else {
        return;
    };
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    // What it says of other units of this machine is not ours.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("titania-agent")).collect();
    assert!(ours.is_empty(), "{said}");
}

#[test]
fn the_generator_writes_what_agentd_says_and_nothing_where_it_can_t() {
    let folder = Folder::new();
    let config = demanding(&folder);
    let agentd_path = env!("CARGO_BIN_EXE_agentd");
    assert_eq!(folder.generate(agentd_path, &config), Some(agentd(&config)));
    let broken = folder.write("etc/agent.toml", "[paths]\nvolumes = [1, \n");
    let defaults = folder.generate(agentd_path, &broken).expect("bad settings give the defaults");
    assert!(defaults.contains("ReadWritePaths=\"-/var/lib/titania-volumes\""), "{defaults}");
    let failing = folder.write("failing", "#!/bin/sh\necho half\nexit 1\n");
    std::fs::set_permissions(&failing, PermissionsExt::from_mode(0o755)).unwrap();
    let other = Folder::new();
    assert_eq!(other.generate(failing.to_str().unwrap(), &config), None);
    assert_eq!(other.generate("/nonexistent/agentd", &config), None);
}

/// Both units are read without a complaint, and the service is exposed no more than the agent's own.
#[track_caller]
fn assert_sound(folder: &Folder, service: &Path, starter: &Path) {
    for unit in [service, starter] {
        let unit = unit.to_str().unwrap();
        let arguments = ["verify", "--man=no", "--recursive-errors=no", unit];
        let Some(done) = analyze(&arguments, folder) else {
            return;
        };
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        let ours: Vec<&str> = said.lines().filter(|line| line.contains("titania-agent")).collect();
        assert!(ours.is_empty(), "{said}");
    }
    let Some(figure) = exposure(folder, service) else {
        return;
    };
    assert!(figure <= EXPOSURE_MAX, "{figure}");
}

/// Unit and path of the engine's restart, with a program that is there.
fn engine_units(folder: &Folder) -> [PathBuf; 2] {
    ["titania-agent-engine.service", "titania-agent-engine.path"].map(|name| {
        let unit = std::fs::read_to_string(format!("{PACKAGING}/{name}")).unwrap();
        folder.write(name, &unit.replace("/usr/lib/titania-agent/engine-restart", "/bin/true"))
    })
}

#[test]
fn the_unit_that_restarts_the_engine_is_read_without_a_complaint_and_has_one_right() {
    let folder = Folder::new();
    let [service, path] = engine_units(&folder);
    let text = std::fs::read_to_string(&service).unwrap();
    assert!(text.lines().any(|line| line == "CapabilityBoundingSet=CAP_DAC_OVERRIDE"), "{text}");
    assert_sound(&folder, &service, &path);
}

#[test]
fn the_unit_that_forgets_neighbours_is_read_without_a_complaint_and_has_one_right() {
    let folder = Folder::new();
    let names = ["titania-agent-neighbour@.service", "titania-agent-neighbour.socket"];
    let [service, socket] = names.map(|name| {
        let unit = std::fs::read_to_string(format!("{PACKAGING}/{name}")).unwrap();
        folder.write(name, &unit.replace("/usr/sbin/agentd --forget-neighbour", "/bin/true"))
    });
    let text = std::fs::read_to_string(&service).unwrap();
    assert!(text.lines().any(|line| line == "CapabilityBoundingSet=CAP_NET_ADMIN"), "{text}");
    let listens =
        format!("ListenStream=/run/titania-agent/{}", titania_agentd::board::neighbour::SOCKET);
    let text = std::fs::read_to_string(&socket).unwrap();
    assert!(text.lines().any(|line| line == listens), "{text}");
    assert_sound(&folder, &service, &socket);
}

/// Runs the program of that unit: exit, what it said, and what the service manager was asked for.
fn restart_engine(folder: &Folder, is_active: bool) -> (Option<i32>, String, String) {
    let program = format!("{PACKAGING}/titania-agent-engine-restart");
    let asked = folder.0.join("asked");
    let _ = std::fs::remove_file(&asked);
    let active = u8::from(!is_active);
    let manager = folder.write(
        "bin/systemctl",
        &format!(
            "#!/bin/sh\ncase $* in *is-active*) exit {active} ;; esac\necho \"$*\" >>{asked:?}\n"
        ),
    );
    std::fs::set_permissions(&manager, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::create_dir_all(folder.0.join("once")).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.0.join("bin").display());
    let done = Command::new(program)
        .env("PATH", path)
        .env("RUNTIME_DIRECTORY", folder.0.join("once"))
        .env("TITANIA_REQUEST", folder.0.join("request"))
        .output()
        .unwrap();
    let asked = std::fs::read_to_string(asked).unwrap_or_default();
    (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned(), asked)
}

#[test]
fn the_engine_is_restarted_once_a_boot_where_it_runs_and_whatever_the_request_says() {
    let folder = Folder::new();
    let request = folder.write("request", "docker.service; reboot\n");
    let (exit, said, asked) = restart_engine(&folder, false);
    assert_eq!((exit, asked.as_str()), (Some(0), ""), "{said}");
    assert!(said.contains("does not run"), "{said}");
    assert!(!request.exists());
    std::os::unix::fs::symlink("/nonexistent/elsewhere", &request).unwrap();
    let (exit, said, asked) = restart_engine(&folder, true);
    assert_eq!(exit, Some(0), "{said}");
    assert_eq!(asked, "--no-ask-password try-restart docker.service\n");
    assert!(std::fs::symlink_metadata(&request).is_err(), "a link is taken away, too");
    folder.write("request", "again\n");
    let (exit, said, asked) = restart_engine(&folder, true);
    assert_eq!((exit, asked.as_str()), (Some(0), ""), "{said}");
    assert!(said.starts_with("<4>docker.service was restarted in this boot before"), "{said}");
    std::fs::create_dir(&request).unwrap();
    let (exit, said, asked) = restart_engine(&folder, true);
    assert_eq!((exit, asked.as_str()), (Some(1), ""), "{said}");
}

#[test]
fn run_is_closed_by_name_since_strict_leaves_it_open() {
    let unit = std::fs::read_to_string(format!("{PACKAGING}/titania-agent.service")).unwrap();
    assert!(unit.lines().any(|line| line == "ReadOnlyPaths=/run"), "{unit}");
}

#[test]
fn the_unit_orders_itself_after_engine_and_mounts_and_requires_none() {
    let unit = std::fs::read_to_string(format!("{PACKAGING}/titania-agent.service")).unwrap();
    let folder = Folder::new();
    let text = unit + &agentd(&demanding(&folder));
    for word in ["After=docker.service podman.socket", "After=datafs.mount"] {
        assert!(text.contains(word), "{word}");
    }
    for word in ["Requires", "BindsTo", "Wants=", "Requisite", "PartOf", "SupplementaryGroups"] {
        let has = text.lines().any(|line| line.starts_with(word));
        assert!(!has, "{word}: a board without its disk, engine or group docker must still answer");
    }
}
