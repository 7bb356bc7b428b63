use alloc::string::ToString;
use alloc::vec::Vec;

use super::*;

const PI4: &str =
    "processor\t: 0\nmodel name\t: ARMv8 Processor rev 3 (v8l)\nCPU architecture: 8\n";
const PI2: &str =
    "processor\t: 0\nmodel name\t: ARMv7 Processor rev 5 (v7l)\nCPU architecture: 7\n";
const PI1: &str =
    "processor\t: 0\nmodel name\t: ARMv6-compatible processor rev 7 (v6l)\nCPU architecture: 7\n";
const V2: &str = "flags\t\t: fpu cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3 avx\n";
const V3: &str = "flags\t\t: cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3 avx avx2 bmi1 bmi2 f16c fma abm movbe xsave\n";
const ARM: Option<Elf> = Some(Elf { bits: 32, machine: 40 });

/// engine's own build, kernel, dpkg, own binary, cpuinfo → platform, reason
type Board = (
    &'static str,
    &'static str,
    &'static str,
    Option<Elf>,
    &'static str,
    &'static str,
    &'static str,
);

const BOARDS: [Board; 15] = [
    ("arm64", "aarch64", "arm64", None, PI4, "linux/arm64", "the engine is built for arm64"),
    (
        "arm",
        "aarch64",
        "armhf",
        ARM,
        PI4,
        "linux/arm/v8",
        "the engine is built for arm (the kernel says arm64: its userland decides); the processor's architecture is 8, \
         in 32 bits: v8, then v7, v6 and v5",
    ),
    (
        "arm",
        "aarch64",
        "armhf",
        ARM,
        "",
        "linux/arm/v7",
        "the engine is built for arm (the kernel says arm64: its userland decides); the processor's architecture is \
         unknown, v7 is assumed",
    ),
    (
        "",
        "aarch64",
        "armhf",
        None,
        PI4,
        "linux/arm/v8",
        "the engine does not say what it is built for; dpkg's architecture is arm (the kernel says arm64: its userland \
         decides); the processor's architecture is 8, in 32 bits: v8, then v7, v6 and v5",
    ),
    (
        "aarch64",
        "",
        "armhf",
        ARM,
        PI2,
        "linux/arm/v7",
        "the engine does not say what it is built for; dpkg's architecture is arm (the kernel says arm64: its userland \
         decides); the processor's architecture is 7",
    ),
    (
        "",
        "aarch64",
        "",
        ARM,
        PI2,
        "linux/arm/v7",
        "the engine does not say what it is built for; the agent's own binary is arm (the kernel says arm64: its \
         userland decides); the processor's architecture is 7",
    ),
    (
        "arm",
        "armv7l",
        "armhf",
        ARM,
        PI2,
        "linux/arm/v7",
        "the engine is built for arm; the processor's architecture is 7",
    ),
    (
        "arm",
        "armv6l",
        "armhf",
        ARM,
        PI1,
        "linux/arm/v6",
        "the engine is built for arm; the processor is an ARMv6 that the kernel calls 7",
    ),
    (
        "arm",
        "armv6l",
        "armel",
        ARM,
        "",
        "linux/arm/v6",
        "the engine is built for arm; the processor's architecture is unknown, the kernel says armv6l",
    ),
    (
        "arm",
        "",
        "armel",
        ARM,
        "",
        "linux/arm/v6",
        "the engine is built for arm; the processor's architecture is unknown, v6 is assumed",
    ),
    (
        "amd64",
        "x86_64",
        "amd64",
        None,
        V2,
        "linux/amd64/v2",
        "the engine is built for amd64; the processor has level v2, for the next it lacks avx2",
    ),
    (
        "amd64",
        "x86_64",
        "amd64",
        None,
        V3,
        "linux/amd64/v3",
        "the engine is built for amd64; the processor has level v3, for the next it lacks avx512f",
    ),
    (
        "amd64",
        "x86_64",
        "amd64",
        None,
        "flags : fpu sse2\n",
        "linux/amd64",
        "the engine is built for amd64; the processor has level v1, for the next it lacks cx16",
    ),
    (
        "386",
        "x86_64",
        "i386",
        None,
        V2,
        "linux/386",
        "the engine is built for 386 (the kernel says amd64: its userland decides)",
    ),
    (
        "",
        "x86_64",
        "",
        None,
        "",
        "linux/amd64",
        "nothing but the kernel names an architecture, it says amd64",
    ),
];

#[test]
fn p5_the_userland_that_runs_the_engine_decides_not_the_kernel() {
    for (engine_arch, kernel, dpkg, elf, cpuinfo, wanted, why) in BOARDS {
        let facts = Facts { engine_os: "linux", engine_arch, kernel, dpkg, elf, cpuinfo };
        let (found, reason) = board_platform(&facts).unwrap();
        assert_eq!((found.to_string().as_str(), reason.as_str()), (wanted, why), "{facts:?}");
    }
    let nothing = board_platform(&Facts::default()).unwrap_err();
    assert_eq!(
        nothing.to_string(),
        "the board's platform can't be told: neither engine, dpkg, the agent's binary nor the kernel names an architecture"
    );
}

#[test]
fn the_machine_of_a_binary_is_read_from_its_header() {
    let header = |bits: u8, order: u8, machine: [u8; 2]| {
        let mut head = Vec::from(*b"\x7fELF");
        head.extend([bits, order, 1]);
        head.resize(18, 0);
        head.extend(machine);
        head
    };
    for (head, wanted) in [
        (header(1, 1, [40, 0]), Some("arm")),
        (header(2, 1, [183, 0]), Some("arm64")),
        (header(2, 1, [62, 0]), Some("amd64")),
        (header(1, 1, [3, 0]), Some("386")),
        (header(1, 2, [0, 40]), Some("arm")),
        (header(3, 1, [40, 0]), None),
        (header(1, 3, [40, 0]), None),
        (Vec::from(*b"\x7fELF"), None),
        (Vec::from(*b"#!/bin/sh and more bytes"), None),
        (Vec::new(), None),
    ] {
        assert_eq!(Elf::read(&head).and_then(Elf::architecture), wanted, "{head:?}");
    }
}

#[test]
fn cpuinfo_of_any_shape_is_read_without_harm() {
    for cpuinfo in [
        "",
        ":",
        "flags",
        "flags:",
        "CPU architecture",
        &"a:".repeat(10_000),
        "CPU architecture: 99999",
    ] {
        for engine_arch in ["arm", "amd64", "arm64"] {
            let facts = Facts { engine_arch, cpuinfo, ..Facts::default() };
            assert!(board_platform(&facts).is_ok(), "{cpuinfo:?}");
        }
    }
}
