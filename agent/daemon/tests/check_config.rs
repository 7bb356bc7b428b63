//! `agentd --check-config`: what a person sees, and the exit code that a script sees.

#![allow(clippy::unwrap_used)] // a test: what can't be made is a failure

use std::fs;
use std::path::PathBuf;
use std::process::Command;

struct Etc(PathBuf);

impl Etc {
    fn new(name: &str) -> Self {
        let root =
            std::env::temp_dir().join(format!("titania-check-{}-{name}", std::process::id()));
        fs::create_dir_all(root.join("apps.d")).unwrap();
        let apps = root.join("apps.d").display().to_string();
        fs::write(root.join("agent.toml"), format!("[paths]\napps = \"{apps}\"\n")).unwrap();
        Self(root)
    }

    fn app(&self, name: &str, text: &str) {
        fs::write(self.0.join("apps.d").join(format!("{name}.toml")), text).unwrap();
    }

    /// Exit code, stdout, stderr; this folder's path as `ETC`.
    fn check(&self) -> (Option<i32>, String, String) {
        let made = agentd()
            .arg("--config")
            .arg(self.0.join("agent.toml"))
            .arg("--check-config")
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes).unwrap().replace(&self.0.display().to_string(), "ETC")
        };
        (made.status.code(), text(made.stdout), text(made.stderr))
    }
}

impl Drop for Etc {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The program; where it is another kind of board's (`cross test`), by what cargo runs tests with.
fn agentd() -> Command {
    let target = match std::env::consts::ARCH {
        "arm" => "ARMV7_UNKNOWN_LINUX_GNUEABIHF",
        "aarch64" => "AARCH64_UNKNOWN_LINUX_GNU",
        _ => "X86_64_UNKNOWN_LINUX_GNU",
    };
    let program = env!("CARGO_BIN_EXE_agentd");
    let Ok(runner) = std::env::var(format!("CARGO_TARGET_{target}_RUNNER")) else {
        return Command::new(program);
    };
    let mut words = runner.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words).arg(program);
    command
}

#[test]
fn files_that_are_well_end_with_0_and_one_line() {
    let etc = Etc::new("well");
    etc.app("wallet", "image = \"a/wallet:1\"\n");
    let (code, out, err) = etc.check();
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (Some(0), "ETC/agent.toml: well, with 1 definition\n", "")
    );
}

#[test]
fn a_fault_ends_with_2_and_says_where_and_what_to_write() {
    let etc = Etc::new("fault");
    etc.app("wallet", "image = \"a/wallet:1\"\nprots = [\"80:80\"]\n");
    etc.app("tor", "image = \"a/tor:1\"\n");
    let (code, out, err) = etc.check();
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.starts_with("ETC/apps.d/wallet.toml:2:1: "), "{err}");
    assert!(err.contains("\"ports\""), "{err}");
    assert!(err.ends_with("1 fault; 1 definition without\n"), "{err}");
}

#[test]
fn wrong_use_ends_with_2() {
    let made = agentd().arg("--nonsense").output().unwrap();
    assert_eq!(made.status.code(), Some(2));
    let version = agentd().arg("--version").output().unwrap();
    let told = format!("agentd {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8(version.stdout).unwrap(), told);
}
