//! Gzip without compressing (RFC 1952 around stored blocks of RFC 1951), and with.
//!
//! The first is enough to push the same content under other layer digests: what unpacks to the same bytes must be
//! the same release. The second is for layers that become much larger when they are unpacked.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

/// Compresses with the machine's gzip, without name and time: the same bytes give the same bytes.
pub fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = Command::new("gzip")
        .args(["-n", "-6"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip can be started");
    let (stdin, stdout) = (gzip.stdin.take(), gzip.stdout.take());
    let (mut stdin, mut stdout) = (stdin.expect("a pipe"), stdout.expect("a pipe"));
    let mut out = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(bytes).expect("gzip takes all"));
        stdout.read_to_end(&mut out).expect("gzip tells all");
    });
    assert!(gzip.wait().is_ok_and(|status| status.success()), "gzip failed");
    out
}

/// Wraps `bytes` in stored blocks of at most `block` bytes: another size, another digest.
pub fn store(bytes: &[u8], block: u16) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let parts: Vec<&[u8]> = bytes.chunks(usize::from(block.max(1))).collect();
    for (at, part) in parts.iter().enumerate() {
        let size = u16::try_from(part.len()).unwrap_or(u16::MAX);
        out.push(u8::from(at + 1 == parts.len()));
        out.extend_from_slice(&size.to_le_bytes());
        out.extend_from_slice(&(!size).to_le_bytes());
        out.extend_from_slice(part);
    }
    out.extend_from_slice(&checksum(bytes).to_le_bytes());
    let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&size.to_le_bytes());
    out
}

/// CRC-32 as in RFC 1952, section 8.
fn checksum(bytes: &[u8]) -> u32 {
    let mut table = [0u32; 256];
    for (at, slot) in (0u32..).zip(table.iter_mut()) {
        *slot = (0..8).fold(at, |sum, _| (sum >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(sum & 1)));
    }
    let sum = bytes.iter().fold(u32::MAX, |sum, byte| {
        let at = (sum ^ u32::from(*byte)) & 0xff;
        table[at as usize] ^ (sum >> 8)
    });
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
    }
}
