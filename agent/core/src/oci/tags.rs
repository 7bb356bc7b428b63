//! The tag list, and what a registry says when it says no (distribution-spec, "Content Discovery" and "Error Codes").

use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

use super::json::{self, Bounded};
use super::{OciError, TAGS_BYTES_MAX, TAGS_MAX, excerpt};
use crate::reference::is_tag;

/// Largest complaint read, in bytes; more is no complaint.
const COMPLAINT_BYTES_MAX: usize = 16 * 1024;

#[derive(Deserialize)]
struct RawTags {
    tags: Bounded<String, TAGS_MAX>,
}

/// Reads a page of a tag list. What is no tag is left out.
///
/// # Errors
/// [`OciError`] says what is wrong with it.
pub fn tags(bytes: &[u8]) -> Result<Vec<String>, OciError> {
    let raw: RawTags = json::read(bytes, TAGS_BYTES_MAX)?;
    let mut tags = raw.tags.0;
    tags.retain(|tag| is_tag(tag));
    Ok(tags)
}

#[derive(Deserialize)]
struct RawComplaints {
    errors: Bounded<RawComplaint, 16>,
}

#[derive(Deserialize)]
struct RawComplaint {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// What the body of a refusal says; empty when it says nothing of the kind.
pub fn complaint(bytes: &[u8]) -> String {
    let Ok(raw) = json::read::<RawComplaints>(bytes, COMPLAINT_BYTES_MAX) else {
        return String::new();
    };
    let first = raw.errors.0.into_iter().next();
    let words = first.and_then(|first| first.message.filter(|m| !m.is_empty()).or(first.code));
    excerpt(&words.unwrap_or_default())
}
