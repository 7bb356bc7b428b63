//! Content addresses.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// Content address of a blob, SHA-256 alone (OCI image-spec, descriptor.md).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// Why a text is no digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DigestError {
    /// Another algorithm than sha256, or none.
    Algorithm,
    /// The hex part has another length than 64.
    Length(usize),
    /// A character that is no lower-case hex digit.
    Character(char),
}

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Algorithm => f.write_str("a digest starts with \"sha256:\""),
            Self::Length(n) => write!(f, "a sha256 digest has 64 hex digits, this one {n}"),
            Self::Character(c) => write!(f, "{c:?} is no lower-case hex digit"),
        }
    }
}

impl core::error::Error for DigestError {}

impl Digest {
    /// Digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// From the raw sum of a hasher that read a stream.
    pub fn from_raw(sum: [u8; 32]) -> Self {
        Self(sum)
    }

    /// The first 12 hex digits, as shown on a terminal.
    pub fn short(&self) -> String {
        let mut text = alloc::format!("{self}");
        text.drain(..7);
        text.truncate(12);
        text
    }
}

impl FromStr for Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let hex = text.strip_prefix("sha256:").ok_or(DigestError::Algorithm)?;
        if hex.len() != 64 {
            return Err(DigestError::Length(hex.len()));
        }
        let mut sum = [0u8; 32];
        for (place, c) in hex.chars().enumerate() {
            let value = match c {
                '0'..='9' => c as u8 - b'0',
                'a'..='f' => c as u8 - b'a' + 10,
                other => return Err(DigestError::Character(other)),
            };
            if let Some(byte) = sum.get_mut(place / 2) {
                *byte = *byte << 4 | value;
            }
        }
        Ok(Self(sum))
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;
    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        alloc::format!("{digest}")
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}
