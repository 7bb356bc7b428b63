//! How text is laid out: columns, wrapped paragraphs, and colour where a person looks on.

use std::io::IsTerminal;

/// Width where a terminal does not tell its own.
const WIDTH_USUAL: usize = 80;
/// A narrower one gets longer lines.
const WIDTH_LEAST: usize = 40;
/// Lines that go on are so far in.
const INDENT: &str = "    ";

/// What the reader can see.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Characters a line; none: lines are not broken.
    pub(crate) width: Option<usize>,
    /// Colour?
    pub(crate) colour: bool,
}

impl Look {
    /// Of stdout: a terminal's width and colour, else neither.
    pub(crate) fn of_stdout() -> Self {
        let out = std::io::stdout();
        if !out.is_terminal() {
            return Self { width: None, colour: false };
        }
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let asked = || rustix::termios::tcgetwinsize(&out).ok().map(|size| size.ws_col.into());
        let width: usize = columns.or_else(asked).filter(|width| *width > 0).unwrap_or(WIDTH_USUAL);
        Self { width: Some(width.max(WIDTH_LEAST)), colour: !set("NO_COLOR") && !is_dumb }
    }

    /// `text` behind `before` (already so wide as it looks), broken between words; further lines are indented.
    pub(crate) fn paragraph(self, before: &str, text: &str) -> String {
        let mut lines = String::from(before);
        let mut used = before.chars().count();
        let mut is_first = true;
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let length = word.chars().count();
            let is_full = self.width.is_some_and(|width| used + 1 + length > width);
            if is_full && (!is_first || used > INDENT.len()) {
                lines = lines.trim_end().to_string() + "\n" + INDENT;
                used = INDENT.len();
            } else if !is_first {
                lines.push(' ');
                used += 1;
            }
            lines += word;
            used += length;
            is_first = false;
        }
        lines.trim_end().to_string() + "\n"
    }

    /// `text` in the colour of `state`, if there is colour.
    pub(crate) fn state(self, state: &str, text: &str) -> String {
        let code = match state {
            "ok" | "committed" => "32",
            "degraded" | "blocked" | "unknown" | "rolled_back" | "refused" | "fail" => "31",
            _ => "33",
        };
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }
}

/// Widths of columns: each as wide as its widest cell, at most the limit. A name (the first column) over the limit is
/// not cut, so it does not count: one long name must not make room for itself in every line.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]], most: [usize; N]) -> [usize; N] {
    let mut widths = [0; N];
    for row in rows {
        for (place, ((width, cell), most)) in widths.iter_mut().zip(row).zip(most).enumerate() {
            let length = cell.chars().count();
            let counted = if place == 0 && length > most { 0 } else { length.min(most) };
            *width = (*width).max(counted);
        }
    }
    widths
}

/// `text` filled up with blanks.
pub(crate) fn padded(text: &str, width: usize) -> String {
    format!("{text:width$}")
}
