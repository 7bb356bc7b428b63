//! What is odd but stops nothing, as a list that can't grow without end.

/// Notes kept; the rest is counted.
pub const NOTES_MAX: usize = 20;

/// Longest note in characters: a path in a volume can have any length.
const CHARACTERS_MAX: usize = 400;

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
            self.first
                .push(text().chars().take(CHARACTERS_MAX).collect());
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
