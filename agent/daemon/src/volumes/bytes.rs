//! The contents of one file: shared where the file system can (FICLONE), else copied by the kernel where it can, holes
//! left as holes.

use std::os::fd::OwnedFd;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

use crate::workers::Cancel;

/// Bytes a call: about a second on a slow card, after which a cancel is looked for.
const CALL_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Bytes a call where the kernel can't do it by itself.
const BUFFER_BYTES: usize = 128 * 1024;

/// Copies the first `size` bytes; the number of those that were no hole.
///
/// # Errors
/// The disk's; `CANCELED`.
pub(super) fn copy(from: &OwnedFd, to: &OwnedFd, size: u64, cancel: &Cancel) -> Result<u64, Errno> {
    // One call, whatever the size, where the file system shares blocks (xfs, btrfs); else it refuses at once.
    if size > 0 && rustix::fs::ioctl_ficlone(to, from).is_ok() {
        rustix::fs::ftruncate(to, size)?;
        return Ok(size);
    }
    let (mut at, mut copied) = (0, 0);
    while at < size {
        let (start, end) = match rustix::fs::seek(from, SeekFrom::Data(at)) {
            Ok(start) => (start, rustix::fs::seek(from, SeekFrom::Hole(start))?),
            Err(Errno::NXIO) => break, // nothing but a hole is left
            Err(Errno::INVAL | Errno::OPNOTSUPP) => (at, size),
            Err(e) => return Err(e),
        };
        let end = end.min(size);
        let n = part(from, to, start, end, cancel)?;
        copied += n;
        if start.saturating_add(n) < end || end <= at {
            break; // it became shorter meanwhile
        }
        at = end;
    }
    rustix::fs::ftruncate(to, size)?;
    Ok(copied)
}

fn part(from: &OwnedFd, to: &OwnedFd, start: u64, end: u64, cancel: &Cancel) -> Result<u64, Errno> {
    let mut at = start;
    while at < end {
        if cancel.is_cancelled() {
            return Err(Errno::CANCELED);
        }
        let bytes = usize::try_from((end - at).min(CALL_BYTES_MAX)).unwrap_or(BUFFER_BYTES);
        let (mut reads, mut writes) = (at, at);
        let n = rustix::fs::copy_file_range(from, Some(&mut reads), to, Some(&mut writes), bytes);
        match n {
            Ok(0) => break,
            Ok(n) => at = at.saturating_add(n as u64),
            Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::NOSYS | Errno::INVAL | Errno::OPNOTSUPP | Errno::PERM) => {
                at = by_hand(from, to, at, end, cancel)?;
                break;
            }
            Err(e) => return Err(e),
        }
    }
    Ok(at - start)
}

/// The same without help of the kernel's; where it ended.
fn by_hand(
    from: &OwnedFd,
    to: &OwnedFd,
    start: u64,
    end: u64,
    cancel: &Cancel,
) -> Result<u64, Errno> {
    let mut buffer = vec![0u8; BUFFER_BYTES];
    let mut at = start;
    while at < end {
        if cancel.is_cancelled() {
            return Err(Errno::CANCELED);
        }
        let bytes = usize::try_from(end - at).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
        let part = buffer.get_mut(..bytes).unwrap_or_default();
        let n = rustix::io::retry_on_intr(|| rustix::io::pread(from, &mut *part, at))?;
        let mut left = part.get(..n).unwrap_or_default();
        if left.is_empty() {
            break;
        }
        while !left.is_empty() {
            let n = rustix::io::retry_on_intr(|| rustix::io::pwrite(to, left, at))?;
            left = left.get(n..).unwrap_or_default();
            at = at.saturating_add(n as u64);
        }
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::{FileExt, MetadataExt};

    use super::*;
    use crate::scratch::Scratch;

    fn open(from: &std::path::Path, to: &std::path::Path) -> (OwnedFd, OwnedFd) {
        let to = File::create(to).unwrap();
        (File::open(from).unwrap().into(), to.into())
    }

    #[test]
    fn contents_are_copied_with_and_without_the_kernels_help() {
        let scratch = Scratch::new();
        let (a, b) = (scratch.path().join("a"), scratch.path().join("b"));
        let text: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
        fs::write(&a, &text).unwrap();
        let (from, to) = open(&a, &b);
        assert_eq!(copy(&from, &to, 4_000_000, &Cancel::default()), Ok(4_000_000));
        assert_eq!(fs::read(&b).unwrap(), text);
        let (from, to) = open(&a, &b);
        let end = by_hand(&from, &to, 0, 4_000_000, &Cancel::default());
        assert_eq!(end, Ok(4_000_000));
        assert_eq!(fs::read(&b).unwrap(), text);
    }

    #[test]
    fn a_hole_stays_a_hole() {
        let scratch = Scratch::new();
        let (a, b) = (scratch.path().join("a"), scratch.path().join("b"));
        let file = File::create(&a).unwrap();
        file.set_len(100 << 20).unwrap();
        file.write_all_at(b"head", 0).unwrap();
        file.write_all_at(b"middle", 50 << 20).unwrap();
        let (from, to) = open(&a, &b);
        let bytes = copy(&from, &to, 100 << 20, &Cancel::default()).unwrap();
        assert!(bytes < 1 << 20, "{bytes}");
        let seen = fs::metadata(&b).unwrap();
        assert_eq!(seen.len(), 100 << 20);
        assert!(seen.blocks() * 512 < 1 << 20);
        let mut middle = [0; 6];
        File::open(&b).unwrap().read_exact_at(&mut middle, 50 << 20).unwrap();
        assert_eq!(&middle, b"middle");
    }

    #[test]
    fn a_file_that_shrank_and_a_cancel_end_the_copy() {
        let scratch = Scratch::new();
        let (a, b) = (scratch.path().join("a"), scratch.path().join("b"));
        fs::write(&a, "short").unwrap();
        let (from, to) = open(&a, &b);
        assert_eq!(copy(&from, &to, 5_000_000, &Cancel::default()), Ok(5));
        let cancel = Cancel::default();
        cancel.cancel();
        assert_eq!(copy(&from, &to, 5, &cancel), Err(Errno::CANCELED));
    }
}
