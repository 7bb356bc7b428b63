//! What is printed, and how it ends.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A root of a system that goes with the test.
pub(super) struct Root(PathBuf);

impl Root {
    pub(super) fn with(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let root =
            Self(std::env::temp_dir().join(format!("doctor-{}-{number}", std::process::id())));
        std::fs::create_dir_all(&root.0).unwrap();
        for (path, text) in files {
            root.write(path, text);
        }
        root
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(super) fn system(&self, machine: &str) -> System {
        System::at(&self.0, machine)
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_gravest_comes_first_with_its_fix_below_and_warnings_alone_are_well() {
    let mut checks = vec![
        ok("clock", "the clock is set"),
        warn("live_restore", "apps go down", "set it"),
        fail("engine", "no \u{1b}[31mengine", "install one"),
    ];
    let plain = Look { width: None, colour: false };
    assert_eq!(
        render(&checks, plain),
        "fail  engine        no [31mengine\n  fix: install one\n\
         warn  live_restore  apps go down\n  fix: set it\n\
         ok    clock         the clock is set\n"
    );
    assert_eq!(exit(&checks), Exit::Failed);
    checks.pop();
    assert_eq!(exit(&checks), Exit::Well);
}

#[test]
fn a_bare_board_is_looked_at_to_the_end() {
    let root = Root::with(&[]);
    let system = root.system("armv7l");
    let client = Client::new(root.0.join("agent.sock"));
    let files = Files { settings: None, good: 0, faults: Vec::new() };
    let checks = all(&client, &files, &system);
    let failed: Vec<&str> = checks
        .iter()
        .filter(|check| check.state == Verdict::Fail)
        .map(|check| check.check.as_str())
        // What the machine's own /var lies on is asked of the kernel; in a container it is an overlay.
        .filter(|check| *check != "state_folder")
        .collect();
    assert_eq!(failed, ["agent", "engine"], "{checks:#?}");
    assert!(checks.iter().all(|check| check.state == Verdict::Ok || !check.hint.is_empty()));
}
