//! Which board is emulated.

use std::path::{Path, PathBuf};

/// An architecture by Debian's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// For speed: the emulator translates it best.
    Amd64,
    /// 32-bit ARM.
    Armhf,
    /// 64-bit ARM.
    Arm64,
}

impl Arch {
    /// By Debian's name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Amd64, Self::Armhf, Self::Arm64].into_iter().find(|arch| arch.name() == name)
    }

    /// Debian's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Armhf => "armhf",
            Self::Arm64 => "arm64",
        }
    }

    /// As the config of an image says it.
    pub fn platform(self) -> &'static str {
        match self {
            Self::Amd64 => "linux/amd64",
            Self::Armhf => "linux/arm/v7",
            Self::Arm64 => "linux/arm64",
        }
    }

    /// Rust's name.
    pub fn target(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-gnu",
            Self::Armhf => "armv7-unknown-linux-gnueabihf",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// Folder of its disk image, kernel and key, made by `tests/board/make-image`; `TITANIA_BOARD_DIR`
    /// holds others.
    pub fn image_folder(self) -> PathBuf {
        let usual = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/board"));
        let folder = std::env::var_os("TITANIA_BOARD_DIR").map_or(usual.to_owned(), PathBuf::from);
        folder.join(self.name())
    }

    /// How much slower than amd64 everything is, roughly: for deadlines.
    pub fn patience(self) -> u32 {
        match self {
            Self::Amd64 => 1,
            _ => 3,
        }
    }
}
