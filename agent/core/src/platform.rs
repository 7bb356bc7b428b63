//! Platforms: which entry of an index fits a board, and why.
//!
//! Promise: the order is containerd's (github.com/containerd/platforms, `Normalize` and `Only`),
//! the field's rule; each choice carries its reason as text.
//! Distrusts: every word of a platform, which comes from a registry: bounded, odd characters
//! replaced, so that it can be shown.

mod board;
mod choose;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

pub use board::{Elf, Facts, UnknownBoard, board_platform};
pub use choose::{ATTESTATION, Choice, Entry, NoMatch, choose};

/// `os/arch[/variant]` as in the OCI image index specification, normalised.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// Operating system, `linux`.
    pub os: String,
    /// Architecture in Go's words: `arm`, `arm64`, `amd64`.
    pub architecture: String,
    /// `v5` to `v8` on arm, `v2` to `v4` on amd64, `v8.1` to `v9.7` on arm64; empty for the plain one.
    pub variant: String,
}

/// Longest word of a platform, in characters; the longest one in use (`mips64p32le`) has 11.
pub const WORD_CHARS_MAX: usize = 32;

/// A text that is no `os/arch[/variant]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformError(pub String);

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is no platform like linux/arm/v7, linux/arm64 or linux/amd64", self.0)
    }
}

impl core::error::Error for PlatformError {}

/// Lower case, at most [`WORD_CHARS_MAX`], nothing that a terminal would act upon.
fn word(text: &str) -> String {
    text.chars()
        .take(WORD_CHARS_MAX)
        .map(|c| match c {
            'a'..='z' | '0'..='9' | '.' | '_' | '-' => c,
            'A'..='Z' => c.to_ascii_lowercase(),
            _ => '?',
        })
        .collect()
}

impl Platform {
    /// From the words of an index, an image config or an engine, normalised.
    pub fn of(os: &str, architecture: &str, variant: &str) -> Self {
        let os = match word(os).as_str() {
            "macos" => "darwin".to_string(),
            other => other.to_string(),
        };
        let (architecture, variant) = normalised(&word(architecture), &word(variant));
        Self { os, architecture, variant }
    }

    /// Reads `os/arch[/variant]`, or an architecture alone, which is then Linux's.
    ///
    /// # Errors
    /// Another number of words, or a character that no platform has.
    pub fn parse(text: &str) -> Result<Self, PlatformError> {
        let wrong = || PlatformError(text.chars().take(2 * WORD_CHARS_MAX).collect());
        let good = |part: &&str| {
            let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            !part.is_empty() && part.len() <= WORD_CHARS_MAX && part.chars().all(known)
        };
        let parts: Vec<&str> = text.split('/').take(4).collect();
        if !parts.iter().all(good) {
            return Err(wrong());
        }
        match parts.as_slice() {
            [os] if *os == "linux" => Err(wrong()),
            [architecture] => Ok(Self::of("linux", architecture, "")),
            [os, architecture] => Ok(Self::of(os, architecture, "")),
            [os, architecture, variant] => Ok(Self::of(os, architecture, variant)),
            _ => Err(wrong()),
        }
    }

    /// All platforms whose images run here, the best first (containerd's `platformVector`).
    pub fn runs(&self) -> Vec<Self> {
        let with = |architecture: &str, variant: String| Self {
            os: self.os.clone(),
            architecture: architecture.to_string(),
            variant,
        };
        let mut list = Vec::new();
        match self.architecture.as_str() {
            "amd64" => {
                list.push(self.clone());
                let level = number(&self.variant).unwrap_or(1);
                for lower in (1..level).rev() {
                    list.push(Self::of(&self.os, "amd64", &alloc::format!("v{lower}")));
                }
                list.push(with("386", String::new()));
            }
            "arm" => arm(&mut list, self),
            "arm64" => {
                let known = arm64(&self.variant);
                if known.is_empty() {
                    list.push(self.clone());
                    return list;
                }
                for variant in known {
                    list.push(Self::of(&self.os, "arm64", &variant));
                }
                // There is no arm/v9: every arm64 runs what an arm/v8 runs.
                arm(&mut list, &with("arm", "v8".to_string()));
            }
            _ => list.push(self.clone()),
        }
        list
    }

    /// Place of `image` in [`Self::runs`]: 0 is an exact match; `None` when it does not run here.
    pub fn accepts(&self, image: &Self) -> Option<usize> {
        self.runs().iter().position(|runs| runs == image)
    }
}

fn number(variant: &str) -> Option<u32> {
    variant.strip_prefix('v')?.parse().ok().filter(|n| *n < 100)
}

/// An arm platform and the lower variants down to v5; below that nothing but itself.
fn arm(list: &mut Vec<Platform>, own: &Platform) {
    list.push(own.clone());
    let own_number = number(&own.variant).unwrap_or(0);
    for lower in (5..own_number).rev() {
        list.push(Platform { variant: alloc::format!("v{lower}"), ..own.clone() });
    }
}

/// The variants that an arm64 variant runs, its own first; empty for one nobody knows.
///
/// v9.n runs v9 down to v9.0, then v8.(n+5) down to v8 (containerd's `arm64variantToVersion`).
fn arm64(variant: &str) -> Vec<String> {
    let (major, minor) = match variant {
        "" => (8, 0),
        other => {
            let Some(numbers) = other.strip_prefix('v') else {
                return Vec::new();
            };
            let (major, minor) = numbers.split_once('.').unwrap_or((numbers, "0"));
            match (major.parse::<u32>(), minor.parse::<u32>()) {
                (Ok(8), Ok(minor)) if minor <= 9 => (8, minor),
                (Ok(9), Ok(minor)) if minor <= 7 => (9, minor),
                _ => return Vec::new(),
            }
        }
    };
    let mut list = Vec::new();
    let mut down = |major: u32, minor: u32| {
        for n in (0..=minor).rev() {
            list.push(if n == 0 {
                alloc::format!("v{major}")
            } else {
                alloc::format!("v{major}.{n}")
            });
        }
    };
    if major == 9 {
        down(9, minor);
        down(8, (minor + 5).min(9));
    } else {
        down(8, minor);
    }
    list
}

/// containerd's `normalizeArch`.
fn normalised(architecture: &str, variant: &str) -> (String, String) {
    let (architecture, variant) = match architecture {
        "i386" => ("386", ""),
        "x86_64" | "x86-64" | "amd64" => ("amd64", if variant == "v1" { "" } else { variant }),
        "aarch64" | "arm64" => (
            "arm64",
            match variant {
                "8" | "v8" | "v8.0" => "",
                "9" | "9.0" | "v9.0" => "v9",
                other => other,
            },
        ),
        "armhf" => ("arm", "v7"),
        "armel" => ("arm", "v6"),
        "arm" => (
            "arm",
            match variant {
                "" | "7" => "v7",
                "5" => "v5",
                "6" => "v6",
                "8" => "v8",
                other => other,
            },
        ),
        other => (other, variant),
    };
    (architecture.to_string(), variant.to_string())
}

impl FromStr for Platform {
    type Err = PlatformError;
    fn from_str(text: &str) -> Result<Self, PlatformError> {
        Self::parse(text)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "/{}", self.variant) }
    }
}

#[cfg(test)]
mod tests;
