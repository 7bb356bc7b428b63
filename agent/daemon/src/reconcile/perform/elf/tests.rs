//! Real programs of this machine, and the same torn at every place.

use super::*;

fn own() -> Vec<u8> {
    std::fs::read("/bin/ls").expect("each system has one")
}

fn elf(bytes: &[u8]) -> Elf {
    match read(bytes, bytes.len() as u64) {
        Kind::Elf(elf) => elf,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_program_of_this_machine_tells_its_loader_and_its_libraries() {
    let bytes = own();
    let found = elf(&bytes);
    let built = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm" };
    assert!(found.architecture.is_some_and(|name| name.starts_with(built)), "{found:?}");
    let loader = found.interpreter.expect("it is linked dynamically");
    assert!(loader.starts_with("/lib") && loader.contains("ld-linux"), "{loader}");
    assert!(found.needed.contains(&"libc.so.6".to_owned()), "{:?}", found.needed);
    assert!(!found.has_paths);
    assert!(found.end > 4096 && found.end <= bytes.len() as u64, "{}", found.end);
}

#[test]
fn a_library_is_read_too() {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("proc is there");
    let libc = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
    let libc = libc.into_iter().find(|path| path.ends_with("libc.so.6")).expect("it is loaded");
    let bytes = std::fs::read(libc).expect("it is read by all");
    assert!(elf(&bytes).end <= bytes.len() as u64);
}

#[test]
fn a_program_cut_off_anywhere_never_panics_and_says_how_long_it_was() {
    let bytes = own();
    let whole = elf(&bytes);
    for length in (0..4096).chain((4096..bytes.len()).step_by(997)) {
        match read(&bytes[..length], length as u64) {
            Kind::Other => assert!(length < 4),
            Kind::Broken => assert!(length < 4096, "{length}: its headers lie at its beginning"),
            Kind::Elf(cut) => {
                assert_eq!(cut.end, whole.end, "{length}");
                assert!(cut.needed.len() <= whole.needed.len());
            }
        }
    }
}

#[test]
fn no_byte_that_is_another_makes_it_panic_or_loop() {
    let mut bytes = own();
    bytes.truncate(256 * 1024);
    for at in 0..1024.min(bytes.len()) {
        for value in [0, 1, 0x7f, 0xff] {
            let old = std::mem::replace(&mut bytes[at], value);
            let _any = read(&bytes, bytes.len() as u64);
            bytes[at] = old;
        }
    }
}

/// A 32-bit program of the other byte order with one loaded segment, its loader and a library's name.
fn narrow_and_big() -> Vec<u8> {
    let mut bytes = b"\x7fELF\x01\x02\x01".to_vec();
    bytes.resize(256, 0);
    let mut put = |at: usize, value: u32| bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
    put(16, (2 << 16) | 40); // type, machine: arm
    put(28, 52);
    put(40, (52 << 16) | 32); // its own size, that of a header
    put(44, 3 << 16);
    for (n, (kind, offset, size)) in [(3, 160, 8), (1, 0, 256), (2, 180, 24)].iter().enumerate() {
        let at = 52 + n * 32;
        put(at, *kind);
        put(at + 4, *offset);
        put(at + 8, 0x1_0000 + offset);
        put(at + 16, *size);
    }
    for (n, value) in [1, 1, 5, 0x1_0000 + 210, 29, 9].iter().enumerate() {
        put(180 + n * 4, *value);
    }
    bytes[160..167].copy_from_slice(b"/lib/ld");
    bytes[211..218].copy_from_slice(b"libx.so");
    bytes
}

#[test]
fn files_of_32_bits_and_of_the_other_byte_order_are_read() {
    let wanted = Elf {
        architecture: Some("arm"),
        end: 256,
        interpreter: Some("/lib/ld".into()),
        needed: vec!["libx.so".into()],
        has_paths: true,
    };
    assert_eq!(elf(&narrow_and_big()), wanted);
}

#[test]
fn what_is_no_elf_and_what_no_kernel_loads_are_told_apart() {
    for other in [&b""[..], b"\x7fEL", b"#!/bin/sh\n", &[0; 4096]] {
        assert_eq!(read(other, other.len() as u64), Kind::Other);
    }
    let broken = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = narrow_and_big();
        change(&mut bytes);
        read(&bytes, bytes.len() as u64) == Kind::Broken
    };
    assert!(broken(&|bytes| bytes.truncate(15)), "no machine");
    assert!(broken(&|bytes| bytes[4] = 3), "neither 32 nor 64 bits");
    assert!(broken(&|bytes| bytes[5] = 0), "no byte order");
    assert!(broken(&|bytes| bytes[8..].fill(0)), "only its first bytes are there");
    assert!(broken(&|bytes| bytes[28] = 0xff), "its headers lie nowhere");
    let cut = &narrow_and_big()[..60];
    assert!(matches!(read(cut, 61), Kind::Elf(_)), "they may lie in what was not read");
}
