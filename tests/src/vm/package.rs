//! The product's Debian package, as `packaging/deb/build` leaves it.

use super::arch::Arch;
use crate::process::run;
use std::path::{Path, PathBuf};

/// Where packages lie; `TITANIA_DEB_DIR` holds others.
fn folder() -> PathBuf {
    let usual = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/debian");
    std::env::var_os("TITANIA_DEB_DIR").map_or_else(|| PathBuf::from(usual), PathBuf::from)
}

/// The newest package for an architecture.
///
/// # Panics
/// When there is none: says how to make one.
pub fn package_for(arch: Arch) -> PathBuf {
    let end = format!("_{}.deb", arch.name());
    let list = std::fs::read_dir(folder()).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = list.map(|entry| entry.path()).collect();
    found.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("titania-agent_") && name.ends_with(&end)
    });
    found.sort_by_key(|path| path.metadata().and_then(|meta| meta.modified()).ok());
    found.pop().unwrap_or_else(|| {
        let place = folder();
        let make = format!("packaging/deb/build {}", arch.name());
        panic!("no package for {} in {}; make it: {make}", arch.name(), place.display())
    })
}

/// The same package under a higher version, in `into`: what an upgrade installs.
///
/// # Panics
/// When it can't be unpacked and packed again.
pub fn newer(package: &Path, number: u32, into: &Path) -> PathBuf {
    let tree = into.join(format!("newer-{number}"));
    let _ = std::fs::remove_dir_all(&tree);
    let word = |path: &Path| path.to_string_lossy().into_owned();
    run("dpkg-deb", &["-R", &word(package), &word(&tree)]);
    let control = tree.join("DEBIAN/control");
    let text = std::fs::read_to_string(&control).expect("a package has a control file");
    let lines = text.lines().map(|line| match line.strip_prefix("Version: ") {
        Some(version) => format!("Version: {version}+upgrade{number}\n"),
        None => format!("{line}\n"),
    });
    std::fs::write(&control, lines.collect::<String>()).expect("it can be written");
    let out = into.join(format!("newer-{number}.deb"));
    run("dpkg-deb", &["--root-owner-group", "-Zgzip", "-b", &word(&tree), &word(&out)]);
    let _ = std::fs::remove_dir_all(&tree);
    out
}
