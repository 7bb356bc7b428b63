//! Where the product's binaries and the images' program are; built when they are not up to date.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

/// What the program in the images is built for: the machine that runs the tests.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// 32-bit ARM.
const ARMHF: &str = "armv7-unknown-linux-gnueabihf";

/// The daemon.
pub fn agentd() -> PathBuf {
    product().join("agentd")
}

/// The operator's tool.
pub fn agentctl() -> PathBuf {
    product().join("agentctl")
}

/// Folder of both.
static PRODUCT: OnceLock<PathBuf> = OnceLock::new();

/// `TITANIA_BIN_DIR`, else the target folder that this test was built into.
fn product() -> &'static PathBuf {
    product_of("debug", &[])
}

/// Boards that are started after this run the product as it is shipped, built when it is not up to
/// date. Returns the folder of its binaries.
pub fn use_release() -> PathBuf {
    product_of("release", &["--release"]).clone()
}

fn product_of(profile: &str, flags: &[&str]) -> &'static PathBuf {
    PRODUCT.get_or_init(|| match std::env::var_os("TITANIA_BIN_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let parts = ["-p", "titania-agentd", "-p", "titania-agentctl", "--bins"];
            build(&[&parts[..], flags].concat());
            target().join(profile)
        }
    })
}

/// The program in the images, for the machine that runs the tests.
pub fn test_app() -> PathBuf {
    test_app_for(TARGET)
}

/// The program in the images, for another machine too: static, so that an image is one file.
pub fn test_app_for(target: &str) -> PathBuf {
    static FILES: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    let found = files.entry(target.to_owned()).or_insert_with(|| build_test_app(target));
    found.clone()
}

fn build_test_app(wanted: &str) -> PathBuf {
    if wanted != TARGET {
        return cross_built(wanted);
    }
    if let Some(file) = std::env::var_os("TITANIA_TEST_APP") {
        return PathBuf::from(file);
    }
    build_static("static", &[])
}

/// The program with an SQLite database in its state, for the machine that runs the tests.
pub fn test_app_with_database() -> PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    // Half a minute of the compiler's time is saved where nobody looks at the database's speed.
    let quick = "profile.release.package.libsqlite3-sys.opt-level=0";
    let features = ["--features", "database", "--config", quick];
    FILE.get_or_init(|| build_static("static-database", &features)).clone()
}

fn build_static(folder: &str, features: &[&str]) -> PathBuf {
    // A folder of its own: its flags would make cargo build the rest again and again.
    let folder = target().join(folder);
    let flags = format!("target.{TARGET}.rustflags=[\"-Ctarget-feature=+crt-static\"]");
    let place = folder.to_string_lossy();
    let parts = [
        "--release",
        "-p",
        "titania-test-app",
        "--target",
        TARGET,
        "--target-dir",
        &place,
        "--config",
        &flags,
    ];
    build(&[&parts[..], features].concat());
    folder.join(TARGET).join("release/test-app")
}

/// As the product itself is built for other boards, so it wants their C library beside it: see
/// [`c_library_for`].
fn cross_built(wanted: &str) -> PathBuf {
    let arch = match wanted {
        ARMHF => "armhf",
        _ => "arm64",
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/cross/build");
    let done = Command::new(script)
        .args([arch, "titania-test-app"])
        .output()
        .expect("packaging/cross/build can be started");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "packaging/cross/build {arch} titania-test-app:\n{said}");
    PathBuf::from(String::from_utf8_lossy(&done.stdout).trim())
}

/// Files that a program for `target` needs in its image: (path there, path here).
pub fn c_library_for(target: &str) -> Vec<(String, PathBuf)> {
    let (folder, loader) = match target {
        TARGET => return Vec::new(),
        ARMHF => ("/usr/arm-linux-gnueabihf/lib", "ld-linux-armhf.so.3"),
        _ => ("/usr/aarch64-linux-gnu/lib", "ld-linux-aarch64.so.1"),
    };
    let names = [loader, "libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"];
    names.iter().map(|name| (format!("/lib/{name}"), Path::new(folder).join(name))).collect()
}

/// Builds all of it now, so that no case waits for it under a deadline.
pub fn prepare() {
    let program = test_app();
    assert!(program.is_file(), "{} is missing", program.display());
    for program in [agentd(), agentctl()] {
        assert!(program.is_file(), "{} is missing", program.display());
    }
}

/// The target folder.
pub fn target() -> PathBuf {
    if let Some(folder) = std::env::var_os("CARGO_TARGET_DIR") {
        return PathBuf::from(folder);
    }
    // …/target/debug/deps/<test> or …/target/debug/demo
    let own = std::env::current_exe().expect("a program knows where it lies");
    let parents: Vec<&Path> = own.ancestors().collect();
    let profile = parents.iter().find(|path| path.ends_with("debug") || path.ends_with("release"));
    let folder = profile.and_then(|path| path.parent());
    folder.unwrap_or_else(|| panic!("{} lies in no target folder", own.display())).to_owned()
}

fn build(arguments: &[&str]) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // What cargo tells a test of its package: build scripts look at these names (ring's does), and would be run again,
    // with all that depends on them, at each turn from a build of a person's to one of a test's.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    let done = command
        .arg("build")
        .arg("--quiet")
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo can be started");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "cargo build {arguments:?}:\n{said}");
}
