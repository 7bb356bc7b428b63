//! The choice among the entries of an index.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::Platform;

/// Value of the annotation `vnd.docker.reference.type` on an entry that describes another one.
pub const ATTESTATION: &str = "attestation-manifest";

/// Entries named in a message at most: an index may have thousands.
const SHOWN_MAX: usize = 16;

/// One entry of an index, as far as the choice needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Platform, [`Platform::of`] the entry's words; none where the entry has none.
    pub platform: Option<Platform>,
    /// Does its media type say that it is an index?
    pub is_index: bool,
    /// Its annotation `vnd.docker.reference.type`, empty where there is none.
    pub reference_type: String,
    /// Its `os.features`: one that asks for any does not match a board, which claims none.
    pub os_features: Vec<String>,
}

/// Which entry a board takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its place in the list, from 0.
    pub place: usize,
    /// An index, to be read in turn?
    pub is_index: bool,
    /// The platform it was chosen for; none where the entry names none: then the image's own config decides.
    pub platform: Option<Platform>,
    /// Further entries, in order, to look at when this one names no platform and turns out not to match.
    pub further: Vec<usize>,
    /// What was chosen and why.
    pub reason: String,
}

/// No entry runs on the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoMatch {
    /// The board.
    pub board: Platform,
    /// Platforms that the index offers, each once, in its order.
    pub offered: Vec<String>,
}

impl fmt::Display for NoMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no image for {}; ", self.board)?;
        if self.offered.is_empty() {
            return f.write_str("the index has no image at all");
        }
        write!(f, "it offers {}", shown(&self.offered))
    }
}

impl core::error::Error for NoMatch {}

fn shown(names: &[String]) -> String {
    let first: Vec<&str> = names.iter().take(SHOWN_MAX).map(String::as_str).collect();
    let text = first.join(", ");
    match names.len().saturating_sub(SHOWN_MAX) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

impl Entry {
    /// Whether it describes another entry instead of being an image (`unknown/unknown`, or annotated so).
    fn is_attestation(&self) -> bool {
        self.reference_type == ATTESTATION
            || self
                .platform
                .as_ref()
                .is_some_and(|p| p.os == "unknown" && p.architecture == "unknown")
    }

    fn name(&self) -> String {
        let mut name = match &self.platform {
            Some(platform) => platform.to_string(),
            None => "an entry without a platform".to_string(),
        };
        if !self.os_features.is_empty() {
            name.push_str(" with features of its own");
        }
        name
    }
}

/// Chooses the entry of an index that fits `board`: the best place in [`Platform::runs`], of
/// equals the first, those without a platform last, attestations never.
///
/// # Errors
/// [`NoMatch`] with what the index offers, attestations left out.
pub fn choose(entries: &[Entry], board: &Platform) -> Result<Choice, NoMatch> {
    let runs = board.runs();
    let mut ranked: Vec<(usize, usize)> = Vec::new();
    let mut skipped: Vec<String> = Vec::new();
    let mut offered: Vec<String> = Vec::new();
    let mut attestations = 0usize;
    for (place, entry) in entries.iter().enumerate() {
        if entry.is_attestation() {
            attestations += 1;
            continue;
        }
        once(&mut offered, entry.name());
        let rank = match &entry.platform {
            _ if !entry.os_features.is_empty() => None,
            Some(platform) => runs.iter().position(|p| p == platform),
            None => Some(usize::MAX),
        };
        match rank {
            Some(rank) => ranked.push((rank, place)),
            None => once(&mut skipped, entry.name()),
        }
    }
    ranked.sort(); // by rank, then by place: of equals the first
    let Some(((rank, place), rest)) = ranked.split_first().map(|(first, rest)| (*first, rest))
    else {
        return Err(NoMatch { board: board.clone(), offered });
    };
    let taken = entries.get(place).cloned().unwrap_or_default();
    for (_, other) in rest {
        if let Some(other) = entries.get(*other) {
            once(&mut skipped, other.name());
        }
    }
    if attestations > 0 {
        skipped.push(format!("{attestations} attestations"));
    }
    let why = match rank {
        0 => "exact match".to_string(),
        usize::MAX => "nothing better; its own config decides".to_string(),
        _ => format!(
            "runs there, and nothing nearer is offered ({} before it)",
            shown(&names(&runs, rank))
        ),
    };
    let mut reason = format!("{} chosen for board {board}: {why}", taken.name());
    if taken.is_index {
        reason.push_str("; it is an index in turn");
    }
    if !skipped.is_empty() {
        reason.push_str("; skipped: ");
        reason.push_str(&shown(&skipped));
    }
    Ok(Choice {
        place,
        is_index: taken.is_index,
        further: match taken.platform {
            Some(_) => Vec::new(),
            None => rest.iter().map(|(_, place)| *place).collect(),
        },
        platform: taken.platform,
        reason,
    })
}

fn names(runs: &[Platform], before: usize) -> Vec<String> {
    runs.iter().take(before).map(ToString::to_string).collect()
}

fn once(list: &mut Vec<String>, name: String) {
    if !list.contains(&name) {
        list.push(name);
    }
}

#[cfg(test)]
pub(super) mod tests;
