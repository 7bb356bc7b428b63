//! The instance id: whose board it is (DESIGN §3.4).

use std::path::{Path, PathBuf};

use titania_core::names::InstanceId;

use super::error::StoreError;
use super::{bounded, durable};

/// An id is 36 characters and a newline.
const ID_BYTES_MAX: u64 = 64;

fn path(state: &Path) -> PathBuf {
    state.join("instance")
}

/// The id in the state folder. A file that holds none counts as lost: it is found again at the volume root.
///
/// # Errors
/// The disk's.
pub fn read(state: &Path) -> Result<Option<InstanceId>, StoreError> {
    match bounded::read(&path(state), ID_BYTES_MAX) {
        Ok(bytes) => Ok(bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| InstanceId::read(&text))),
        Err(StoreError::TooLarge { .. }) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Writes the id.
///
/// # Errors
/// The disk's.
pub fn write(state: &Path, id: &InstanceId) -> Result<(), StoreError> {
    let path = path(state);
    durable::replace(&path, format!("{}\n", id.0).as_bytes(), 0o600)
        .map_err(StoreError::io("write", &path))
}

/// A new id: a random uuid (RFC 9562, version 4) from the kernel.
///
/// # Errors
/// The kernel has no random bytes.
pub fn fresh() -> Result<InstanceId, StoreError> {
    let mut bytes = [0u8; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|e| StoreError::io("ask the kernel for", "random bytes")(e.into()))?;
    let number = u128::from_be_bytes(bytes);
    let number = number & !(0xf << 76) | (4 << 76); // version
    let number = number & !(0b11 << 62) | (0b10 << 62); // variant
    let hex = format!("{number:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    let text = parts.into_iter().filter_map(|part| hex.get(part)).collect::<Vec<_>>().join("-");
    Ok(InstanceId(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_fresh_id_is_a_uuid_and_another_each_time() {
        let (a, b) = (fresh().unwrap(), fresh().unwrap());
        assert_ne!(a, b);
        assert_eq!(InstanceId::read(&a.0), Some(a.clone()));
        assert_eq!(a.0.as_bytes().get(14), Some(&b'4'));
        assert!(matches!(a.0.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
    }

    #[test]
    fn an_id_is_found_again_and_a_damaged_one_counts_as_lost() {
        let state = Scratch::new();
        assert_eq!(read(state.path()).unwrap(), None);
        let id = fresh().unwrap();
        write(state.path(), &id).unwrap();
        assert_eq!(read(state.path()).unwrap(), Some(id.clone()));
        let text = std::fs::read_to_string(state.path().join("instance")).unwrap();
        assert_eq!(text, format!("{}\n", id.0));
        for damaged in ["", "no uuid", &"f".repeat(1000)] {
            std::fs::write(state.path().join("instance"), damaged).unwrap();
            assert_eq!(read(state.path()).unwrap(), None, "{damaged:.20}");
        }
    }
}
