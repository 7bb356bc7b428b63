//! Reads files whole, up to a limit, and only real ones.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use super::error::StoreError;

/// The bytes of a regular file; null when there is none. Links are not followed, pipes not waited for.
///
/// # Errors
/// The disk's; [`StoreError::TooLarge`] above `bytes_max`.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let opened = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(StoreError::io("read", path)(e)),
    };
    let seen = file.metadata().map_err(StoreError::io("read", path))?;
    if !seen.is_file() {
        return Err(StoreError::io("read", path)(io::ErrorKind::InvalidInput.into()));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(StoreError::io("read", path))?;
    if bytes.len() as u64 > bytes_max {
        return Err(StoreError::TooLarge { path: path.to_owned(), bytes_max });
    }
    Ok(Some(bytes))
}
