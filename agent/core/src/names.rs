//! Names that are parsed once, at the door, and are never text again.

use alloc::string::{String, ToString};
use core::fmt;
use core::ops::RangeInclusive;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// Name of an app: the stem of its definition file.
///
/// `^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$`, not ending in `-probe` or `-g<number>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppName(String);

/// Why a text is no app name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameError {
    /// The rule for length and characters is broken.
    Shape(String),
    /// The name ends like a container the agent makes for itself.
    Reserved(String),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(name) => write!(
                f,
                "\"{name}\" is no app name: 1 to 63 of a-z, 0-9, '.', '_', '-', with a letter or digit at both ends"
            ),
            Self::Reserved(name) => write!(
                f,
                "\"{name}\" is no app name: endings -probe and -g<number> are the agent's own"
            ),
        }
    }
}

impl core::error::Error for NameError {}

impl AppName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Name of the container of one generation: `<app>-g<generation>`.
    pub fn container(&self, generation: Generation) -> String {
        alloc::format!("{}-g{}", self.0, generation.0)
    }
}

impl FromStr for AppName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let inner = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        let edge = |c: Option<&u8>| matches!(c, Some(b'a'..=b'z' | b'0'..=b'9'));
        let bytes = text.as_bytes();
        if bytes.len() > 63
            || !edge(bytes.first())
            || !edge(bytes.last())
            || !bytes.iter().all(|c| inner(*c))
        {
            return Err(NameError::Shape(text.chars().take(80).collect()));
        }
        let numbered = text
            .rsplit_once("-g")
            .is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|c| c.is_ascii_digit()));
        if numbered || text.ends_with("-probe") {
            return Err(NameError::Reserved(text.to_string()));
        }
        Ok(Self(text.to_string()))
    }
}

impl TryFrom<String> for AppName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<AppName> for String {
    fn from(name: AppName) -> Self {
        name.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Number of a container and its fork. Never goes back.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whose board it is: a uuid that lies in the state folder, at the volume root and on every container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(pub String);

impl InstanceId {
    /// The id that `text` holds: a uuid in its usual form (RFC 9562), with or without a newline; null when none.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let is_uuid = text.len() == 36
            && text.bytes().enumerate().all(|(place, c)| match place {
                8 | 13 | 18 | 23 => c == b'-',
                _ => c.is_ascii_hexdigit(),
            });
        is_uuid.then(|| Self(text.to_ascii_lowercase()))
    }
}

/// The kernel's boot id: another one means the board was started anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(pub String);

/// `StartedAt` of a container as the engine wrote it: compared for equality only, never ordered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StartedAt(pub String);

/// Uids for apps whose image names none: outside of Debian's and systemd's ranges (DESIGN §5).
pub const POOL: RangeInclusive<u32> = 70_000..=79_999;

/// How many numbers an engine maps: what `useradd` and Docker's own documentation give (subuid(5)). No API tells.
pub const MAPPED_IDS: u32 = 65_536;

/// By how much a number of the pool is lower inside a container whose engine maps only [`MAPPED_IDS`].
const POOL_SHIFT: u32 = 20_000;

/// Uid and gid of an app, both always given to the engine: those of a specification, before an engine maps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// Whether a container whose engine maps users has this number by the pool.
pub fn is_pool_inside(id: u32) -> bool {
    id.checked_add(POOL_SHIFT).is_some_and(|id| POOL.contains(&id))
}

impl Owner {
    /// Uid and gid inside the container. Numbers of the pool are none of those that an engine maps, so there they are
    /// 50000 to 59999, still another for each app.
    #[must_use]
    pub fn inside(self, is_mapped: bool) -> Self {
        let lower = |id: u32| match is_mapped && POOL.contains(&id) {
            true => id - POOL_SHIFT,
            false => id,
        };
        Self { uid: lower(self.uid), gid: lower(self.gid) }
    }

    /// Uid and gid on the board, where `base` is what uid 0 and gid 0 of a container are; an engine that maps none
    /// (null) leaves them as they are. Null where the engine maps none of that number: on the board it would be a
    /// stranger's.
    pub fn on_board(self, base: Option<Self>) -> Option<Self> {
        let Some(base) = base else {
            return Some(self);
        };
        let inside = self.inside(true);
        if inside.uid >= MAPPED_IDS || inside.gid >= MAPPED_IDS {
            return None;
        }
        Some(Self {
            uid: base.uid.checked_add(inside.uid)?,
            gid: base.gid.checked_add(inside.gid)?,
        })
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

#[cfg(test)]
mod tests;
