//! A manual page, line by line, in the macros of man(7).
//!
//! Promise: no text can become a macro or an escape: what is given as text comes out as text.

/// Text with a font.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Plain(String),
    /// What is to be typed.
    Bold(String),
    /// What is to be replaced.
    Italic(String),
}

/// A page that grows.
pub struct Roff {
    text: String,
}

impl Roff {
    /// Begins a page with its title and its line in `apropos`.
    pub fn new(name: &str, section: u8, about: &str) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let (title, shown) = (plain(&name.to_uppercase()), plain(name));
        let text = format!(
            ".\\\" Generated from the sources of the programs; do not edit.\n\
             .TH \"{title}\" \"{section}\" \"\" \"titania\\-agent {version}\" \"titania\\-agent\"\n\
             .nh\n.ad l\n.SH NAME\n{shown} \\- {}\n",
            plain(about)
        );
        Self { text }
    }

    /// A heading.
    pub fn section(&mut self, title: &str) {
        self.line(&format!(".SH \"{}\"", plain(&title.to_uppercase()).replace('"', "\\(dq")));
    }

    /// A heading below a heading.
    pub fn part(&mut self, title: &str) {
        self.line(&format!(".SS \"{}\"", plain(title).replace('"', "\\(dq")));
    }

    /// A paragraph.
    pub fn paragraph(&mut self, pieces: &[Piece]) {
        self.line(".PP");
        self.line(&pieces_text(pieces));
    }

    /// A paragraph of plain text.
    pub fn say(&mut self, text: &str) {
        self.paragraph(&[Piece::Plain(text.to_owned())]);
    }

    /// A term, and below it, indented, what it means.
    pub fn entry(&mut self, term: &[Piece], meaning: &[Piece]) {
        self.line(".TP");
        self.line(&pieces_text(term));
        self.line(&pieces_text(meaning));
    }

    /// An item of a list.
    pub fn item(&mut self, pieces: &[Piece]) {
        self.line(".IP \\(bu 2");
        self.line(&pieces_text(pieces));
    }

    /// Lines as they are to be typed or written.
    pub fn example(&mut self, text: &str) {
        self.line(".PP\n.RS 4\n.nf");
        for line in text.lines() {
            self.line(&at_start(plain(line)));
        }
        self.line(".fi\n.RE");
    }

    /// The page.
    pub fn finish(self) -> String {
        self.text
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

fn pieces_text(pieces: &[Piece]) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Plain(words) => text.push_str(&plain(words)),
            Piece::Bold(words) => text.push_str(&format!("\\fB{}\\fR", plain(words))),
            Piece::Italic(words) => text.push_str(&format!("\\fI{}\\fR", plain(words))),
        }
    }
    // One line each: a line break in the source is a blank here.
    at_start(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A dot or an apostrophe at the start of a line would be a macro.
fn at_start(line: String) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

/// Signs that roff reads as its own, and those that a terminal without UTF-8 can't show.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '`' => out.push_str("\\(ga"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            '–' => out.push_str("\\(en"),
            '—' => out.push_str("\\(em"),
            '…' => out.push_str("..."),
            '±' => out.push_str("\\(+-"),
            '→' => out.push_str("\\(->"),
            '·' => out.push_str("\\(pc"),
            sign if sign.is_ascii() => out.push(sign),
            sign => out.push_str(&format!("\\[u{:04X}]", u32::from(sign))),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_never_becomes_a_macro() {
        let mut page = Roff::new("a", 1, "b");
        page.paragraph(&[Piece::Plain(".so /etc/shadow".to_owned())]);
        page.paragraph(&[Piece::Bold("'x".to_owned()), Piece::Plain(" \\fIy\n.z".to_owned())]);
        page.example(".SH no\n'br\n\\n");
        let text = page.finish();
        let commands =
            [".\\\"", ".TH", ".nh", ".ad", ".SH NAME", ".PP", ".RS", ".nf", ".fi", ".RE"];
        for line in text.lines().filter(|line| line.starts_with(['.', '\''])) {
            assert!(commands.iter().any(|command| line.starts_with(command)), "{line}");
        }
        assert!(text.contains("\\fB\\(aqx\\fR \\efIy .z\n"), "{text}");
        assert!(text.contains("\\&.SH no\n"), "{text}");
    }
}
