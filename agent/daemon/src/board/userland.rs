//! The userland: what the board says of its own platform, beside the engine's words.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use titania_core::platform::{Elf, Facts};

use super::identity::read_short;

/// Bytes of an ELF header up to and with `e_machine`.
const ELF_HEAD: u64 = 20;

/// What the board itself says. Read once: none of it changes while the agent runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Userland {
    /// `uname -m`.
    pub kernel: String,
    /// dpkg's own architecture, where its file names it.
    pub dpkg: String,
    /// The agent's own binary.
    pub elf: Option<Elf>,
    /// /proc/cpuinfo.
    pub cpuinfo: String,
}

impl Userland {
    /// Looks around.
    pub fn look() -> Self {
        Self {
            kernel: rustix::system::uname().machine().to_string_lossy().into_owned(),
            // There where foreign architectures were added; the first line is the native one (dpkg(1)).
            dpkg: read_short(Path::new("/var/lib/dpkg/arch"))
                .and_then(|text| text.lines().next().map(|line| line.trim().to_owned()))
                .unwrap_or_default(),
            elf: own_elf(),
            cpuinfo: read_short(Path::new("/proc/cpuinfo")).unwrap_or_default(),
        }
    }

    /// With what the engine says of itself (`Os` and `Arch` of its `/version`); both empty before the first contact.
    pub fn facts<'a>(&'a self, engine_os: &'a str, engine_arch: &'a str) -> Facts<'a> {
        Facts {
            engine_os,
            engine_arch,
            kernel: &self.kernel,
            dpkg: &self.dpkg,
            elf: self.elf,
            cpuinfo: &self.cpuinfo,
        }
    }
}

/// Whether the kernel may have been told of programs that run those of others, emulators among them (binfmt_misc): also
/// where that can't be seen, as in a /proc of the unit's own.
pub fn runs_others() -> bool {
    let folder = Path::new("/proc/sys/fs/binfmt_misc");
    let Some(told) = std::fs::read_dir(folder).ok().filter(|_| folder.join("status").exists())
    else {
        return true;
    };
    told.flatten().any(|entry| !matches!(entry.file_name().to_str(), Some("register" | "status")))
}

fn own_elf() -> Option<Elf> {
    let mut head = Vec::new();
    File::open("/proc/self/exe").ok()?.take(ELF_HEAD).read_to_end(&mut head).ok()?;
    Elf::read(&head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boards_own_platform_is_found_without_an_engine() {
        let userland = Userland::look();
        let (platform, reason) = titania_core::platform::board_platform(&userland.facts("", ""))
            .expect("this binary runs here");
        let built = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm" };
        assert!(platform.architecture.starts_with(built), "{platform}");
        assert!(!reason.is_empty());
    }
}
