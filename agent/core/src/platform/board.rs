//! The board's own platform: that of the userland which runs the engine, not of the kernel.
//!
//! A 64-bit kernel under a 32-bit userland is common on a Raspberry Pi: `uname` says `aarch64`
//! there, and so does the engine's `/info`; the engine's `/version` names what it was built for.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use super::Platform;

/// What is known of a board. Every text may be empty where a fact could not be had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts<'a> {
    /// `Os` of the engine's `/version`.
    pub engine_os: &'a str,
    /// `Arch` of the engine's `/version`: what the engine itself was built for (Go's word).
    pub engine_arch: &'a str,
    /// `Architecture` of the engine's `/info`, or `uname -m`: what the kernel calls the machine.
    pub kernel: &'a str,
    /// `dpkg --print-architecture` of the userland: `armhf`, `arm64`, `amd64`.
    pub dpkg: &'a str,
    /// ELF header of the agent's own binary.
    pub elf: Option<Elf>,
    /// Text of /proc/cpuinfo.
    pub cpuinfo: &'a str,
}

/// The words of an ELF header that name its machine (System V ABI, chapter 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elf {
    /// 32 or 64.
    pub bits: u8,
    /// `e_machine`.
    pub machine: u16,
}

/// Nothing that is known names an architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownBoard(pub String);

impl fmt::Display for UnknownBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the board's platform can't be told: {}", self.0)
    }
}

impl core::error::Error for UnknownBoard {}

impl Elf {
    /// Reads the first 20 bytes of a file; `None` when that is no ELF header.
    pub fn read(head: &[u8]) -> Option<Self> {
        let class = head.strip_prefix(b"\x7fELF")?;
        let bits = match class.first()? {
            1 => 32,
            2 => 64,
            _ => return None,
        };
        let machine: [u8; 2] = head.get(18..20)?.try_into().ok()?;
        let machine = match class.get(1)? {
            1 => u16::from_le_bytes(machine),
            2 => u16::from_be_bytes(machine),
            _ => return None,
        };
        Some(Self { bits, machine })
    }

    /// Go's word for its machine; `None` for one this agent is not built for.
    pub fn architecture(self) -> Option<&'static str> {
        match (self.machine, self.bits) {
            (40, 32) => Some("arm"),
            (183, 64) => Some("arm64"),
            (62, 64) => Some("amd64"),
            (3, 32) => Some("386"),
            (243, 64) => Some("riscv64"),
            _ => None,
        }
    }
}

/// The board's platform, and how it was found.
///
/// The engine's own build decides; where it says nothing, the userland (dpkg's word, then the
/// agent's own binary), and the kernel's word last. The variant comes from the processor.
///
/// # Errors
/// [`UnknownBoard`] when no fact names an architecture.
pub fn board_platform(facts: &Facts<'_>) -> Result<(Platform, String), UnknownBoard> {
    let os = if facts.engine_os.is_empty() { "linux" } else { facts.engine_os };
    let elf = facts.elf.and_then(Elf::architecture).unwrap_or_default();
    // Go's words are those of a build; `aarch64`, `x86_64`, `armv7l` are the kernel's, whoever repeats them.
    let (built, kernel) = match facts.engine_arch {
        "amd64" | "arm64" | "arm" | "386" | "riscv64" => (facts.engine_arch, facts.kernel),
        said if facts.kernel.is_empty() => ("", said),
        _ => ("", facts.kernel),
    };
    let facts = &Facts { kernel, ..facts.clone() };
    let sources = [
        (built, "the engine is built for"),
        (facts.dpkg, "the engine does not say what it is built for; dpkg's architecture is"),
        (elf, "the engine does not say what it is built for; the agent's own binary is"),
        (facts.kernel, "nothing but the kernel names an architecture, it says"),
    ];
    let Some((said, how)) = sources.into_iter().find(|(said, _)| !said.is_empty()) else {
        return Err(UnknownBoard(
            "neither engine, dpkg, the agent's binary nor the kernel names an architecture"
                .to_string(),
        ));
    };
    let plain = userland(os, said);
    let mut reason = format!("{how} {}", plain.architecture);
    let kernel = userland(os, facts.kernel);
    if !facts.kernel.is_empty() && kernel.architecture != plain.architecture {
        reason
            .push_str(&format!(" (the kernel says {}: its userland decides)", kernel.architecture));
    }
    let (variant, seen) = match plain.architecture.as_str() {
        "arm" => arm_variant(facts, said),
        "amd64" => amd64_level(facts.cpuinfo),
        _ => (plain.variant.clone(), String::new()),
    };
    if !seen.is_empty() {
        reason.push_str("; ");
        reason.push_str(&seen);
    }
    Ok((Platform::of(os, &plain.architecture, &variant), reason))
}

/// A word for a machine as a platform: also the kernel's `armv7l` and `i686`.
fn userland(os: &str, said: &str) -> Platform {
    match said {
        "i486" | "i586" | "i686" => Platform::of(os, "386", ""),
        _ => match said.strip_prefix("armv") {
            Some(rest) => Platform::of(os, "arm", rest.get(..1).unwrap_or("")),
            None => Platform::of(os, said, ""),
        },
    }
}

/// Value of a line of /proc/cpuinfo, of the first processor that has it.
fn line<'a>(cpuinfo: &'a str, name: &str) -> Option<&'a str> {
    cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Variant of a 32-bit arm userland, as containerd's `getCPUVariant` finds it.
fn arm_variant(facts: &Facts<'_>, said: &str) -> (String, String) {
    let processor = line(facts.cpuinfo, "CPU architecture");
    let model = line(facts.cpuinfo, "model name").unwrap_or_default();
    let old = model.to_ascii_lowercase().starts_with("armv6-compatible");
    let variant = match processor.map(str::to_ascii_lowercase).as_deref() {
        // A quirk of the kernel on the first Raspberry Pi and the Zero.
        Some("7") if old => {
            let why = "the processor is an ARMv6 that the kernel calls 7";
            return ("v6".to_string(), why.to_string());
        }
        Some("8" | "aarch64") => "v8",
        Some("7" | "7m" | "?(12)" | "?(13)" | "?(14)" | "?(15)" | "?(16)" | "?(17)") => "v7",
        Some("6" | "6tej") => "v6",
        Some("5" | "5t" | "5te" | "5tej") => "v5",
        _ => "",
    };
    if !variant.is_empty() {
        let told = processor.unwrap_or_default();
        let mut why = format!("the processor's architecture is {told}");
        if variant == "v8" {
            why.push_str(", in 32 bits: v8, then v7, v6 and v5");
        }
        return (variant.to_string(), why);
    }
    let kernel = userland("linux", facts.kernel);
    if facts.kernel.starts_with("armv") {
        let why =
            format!("the processor's architecture is unknown, the kernel says {}", facts.kernel);
        return (kernel.variant, why);
    }
    let assumed = userland("linux", if facts.dpkg.is_empty() { said } else { facts.dpkg });
    let variant = if assumed.architecture == "arm" { assumed.variant } else { "v7".to_string() };
    let why = format!("the processor's architecture is unknown, {variant} is assumed");
    (variant, why)
}

/// What each level of amd64 adds, in the words of /proc/cpuinfo (x86-64 psABI, table 3.1).
const AMD64_LEVELS: [(&str, &[&str]); 3] = [
    ("v2", &["cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"]),
    ("v3", &["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"]),
    ("v4", &["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]),
];

fn amd64_level(cpuinfo: &str) -> (String, String) {
    let Some(flags) = line(cpuinfo, "flags") else {
        return (String::new(), String::new());
    };
    let has = |flag: &str| flags.split_ascii_whitespace().any(|f| f == flag);
    let (mut level, mut lacks) = ("", "");
    for (name, needs) in AMD64_LEVELS {
        if let Some(missing) = needs.iter().find(|flag| !has(flag)) {
            lacks = missing;
            break;
        }
        level = name;
    }
    let shown = if level.is_empty() { "v1" } else { level };
    let why = if lacks.is_empty() {
        format!("the processor has all of level {shown}")
    } else {
        format!("the processor has level {shown}, for the next it lacks {lacks}")
    };
    (level.to_string(), why)
}

#[cfg(test)]
mod tests;
