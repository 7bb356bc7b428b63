//! The boot of the last run: so that an event can tell that the board was started since.
//!
//! Promise: written once a boot. Where the file is missing or damaged nothing is claimed of the last run.

use std::path::Path;

use titania_core::names::BootId;

use super::error::StoreError;
use super::{bounded, durable};

/// A boot id (a UUID) and a newline, with some slack.
const BOOT_BYTES_MAX: u64 = 128;

/// Whether the last run was in another boot than `boot`, which is kept from here on.
///
/// # Errors
/// The disk's.
pub fn is_other(state: &Path, boot: &BootId) -> Result<bool, StoreError> {
    let path = state.join("boot");
    let known = match bounded::read(&path, BOOT_BYTES_MAX) {
        Ok(bytes) => bytes.and_then(|bytes| String::from_utf8(bytes).ok()),
        Err(StoreError::TooLarge { .. }) => None,
        Err(error) => return Err(error),
    };
    let known = known.as_deref().map(str::trim).filter(|known| !known.is_empty());
    if known == Some(boot.0.as_str()) {
        return Ok(false);
    }
    durable::replace(&path, format!("{}\n", boot.0).as_bytes(), 0o600)
        .map_err(StoreError::io("write", &path))?;
    Ok(known.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_boot_is_another_one_once() {
        let state = Scratch::new();
        let is_other = |boot: &str| is_other(state.path(), &BootId(boot.into())).unwrap();
        assert!(!is_other("a"), "nothing is known of a run before");
        assert!(!is_other("a"));
        assert!(is_other("b"));
        assert!(!is_other("b"));
        std::fs::write(state.path().join("boot"), "").unwrap();
        assert!(!is_other("c"), "damaged");
        assert!(is_other("a"));
    }
}
