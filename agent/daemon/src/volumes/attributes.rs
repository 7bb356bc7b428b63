//! Extended attributes of one file or folder: a person's (`user.*`), access control lists, capabilities of programs.
//!
//! Promise: what the source has, the copy has; what the disk or this process may not set is told, and stops nothing.
//! Distrusts: their names and contents, which are an app's: taken as bytes, bounded by the kernel's own limits.

use std::ffi::{CStr, CString};
use std::os::fd::AsFd;

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};
use rustix::io::Errno;

/// Longest list of names and longest value, in bytes: the kernel's `XATTR_LIST_MAX` and `XATTR_SIZE_MAX`.
const BYTES_MAX: usize = 64 * 1024;

/// Bytes of names that are looked for first.
const FEW: usize = 256;

/// Labels of a security module follow its own policy for the place that a file lies in, and are not carried there.
const LABELS: [&[u8]; 2] = [b"security.selinux", b"security.SMACK64"];

/// Copies all of `from` to `to`, whose owner and mode are set already: a new owner takes capabilities away. Returns the
/// names of those that could not be set.
///
/// # Errors
/// The disk's: it is full, or broken.
pub(super) fn copy(from: impl AsFd, to: impl AsFd) -> Result<Vec<CString>, Errno> {
    let mut few = [0; FEW];
    let mut many = Vec::new();
    // Nearly all files have none or few: asked without a large buffer's cost.
    let names = match flistxattr(&from, &mut few[..]) {
        Ok(length) => few.get(..length).unwrap_or_default(),
        Err(Errno::RANGE) => {
            many.resize(BYTES_MAX, 0);
            let length = flistxattr(&from, &mut many[..])?;
            many.get(..length).unwrap_or_default()
        }
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => &[],
        Err(e) => return Err(e),
    };
    let mut missed = Vec::new();
    if names.is_empty() {
        return Ok(missed);
    }
    let mut value = vec![0; BYTES_MAX];
    for name in names.split_inclusive(|byte| *byte == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else {
            continue;
        };
        if LABELS.contains(&name.to_bytes()) {
            continue;
        }
        let length = match fgetxattr(&from, name, &mut value[..]) {
            Ok(length) => length,
            Err(Errno::NODATA) => continue, // gone since it was listed
            Err(e) => return Err(e),
        };
        let bytes = value.get(..length).unwrap_or_default();
        match fsetxattr(&to, name, bytes, XattrFlags::empty()) {
            Ok(()) => {}
            Err(Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP) => missed.push(name.to_owned()),
            Err(e) => return Err(e),
        }
    }
    Ok(missed)
}
