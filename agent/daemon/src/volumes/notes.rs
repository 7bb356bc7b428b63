//! What is odd but stops nothing, as a list that can't grow without end.

use std::path::Path;

/// Notes kept; the rest is counted.
pub const NOTES_MAX: usize = 20;

/// Longest path shown, in characters: one in a volume can have any length.
const PATH_CHARACTERS_MAX: usize = 300;

/// A path for a note, shortened where it is long.
pub(super) fn shown(path: &Path) -> String {
    let path = path.to_string_lossy();
    let mut characters = path.chars();
    let mut text: String = characters.by_ref().take(PATH_CHARACTERS_MAX).collect();
    if characters.next().is_some() {
        text.push('…');
    }
    text
}

/// Notes for a person, the first [`NOTES_MAX`] in full.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// The first ones.
    pub first: Vec<String>,
    /// How many more there were.
    pub more: u64,
}

impl Notes {
    /// Takes one down; `text` is made only if it is kept.
    pub(super) fn add(&mut self, text: impl FnOnce() -> String) {
        if self.first.len() < NOTES_MAX {
            self.first.push(text());
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// All in one line; null when there are none.
    pub fn line(&self) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let mut line = self.first.join("; ");
        if self.more > 0 {
            line.push_str(&format!("; and {} more", self.more));
        }
        Some(line)
    }
}
