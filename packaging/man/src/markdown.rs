//! The part of Markdown in which docs/ is written, as a manual page.
//!
//! Promise: no line is dropped: what is not understood is an error.

use crate::roff::{Piece, Roff};

/// Appends `text` to the page: headings become parts, rows of a table become entries.
///
/// # Errors
/// A block that is not closed, or a row whose cells are not those of its head.
pub fn append(page: &mut Roff, text: &str) -> Result<(), String> {
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("### ").or_else(|| line.strip_prefix("## ")) {
            page.part(title);
        } else if line.starts_with("```") {
            let block: Vec<&str> =
                lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            page.example(&block.join("\n"));
        } else if line.starts_with('|') {
            let head = cells(line);
            while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
                if !row.starts_with("|---") {
                    entry(page, &head, &cells(row))?;
                }
            }
        } else if let Some(first) = line.strip_prefix("- ") {
            let mut item = first.to_owned();
            while let Some(more) = lines.next_if(|line| line.starts_with("  ")) {
                item.push('\n');
                item.push_str(more.trim());
            }
            page.item(&pieces(&item));
        } else if !line.trim().is_empty() {
            let mut paragraph = line.to_owned();
            while let Some(more) = lines.next_if(|line| is_text(line)) {
                paragraph.push('\n');
                paragraph.push_str(more);
            }
            page.paragraph(&pieces(&paragraph));
        }
    }
    Ok(())
}

fn is_text(line: &str) -> bool {
    !line.trim().is_empty() && !["#", "```", "|", "- "].iter().any(|start| line.starts_with(start))
}

/// A row: the key, its default, an example, what it means.
fn entry(page: &mut Roff, head: &[&str], row: &[&str]) -> Result<(), String> {
    let (["key", "default", "example", ""], [key, default, example, meaning]) = (head, row) else {
        return Err(format!("a row of a table is not understood: {row:?} below {head:?}"));
    };
    let mut text = pieces(meaning);
    let mut add = |label: &str, value: &str| {
        if !value.is_empty() && value != "–" {
            let blank = if text.is_empty() { "" } else { " " };
            text.push(Piece::Plain(format!("{blank}{label}")));
            text.extend(pieces(value));
            text.push(Piece::Plain(".".to_owned()));
        }
    };
    match *default {
        "needed" => add("", "Needed"),
        default => add("Default: ", default),
    }
    add("Example: ", example);
    page.entry(&pieces(key), &text);
    Ok(())
}

/// Cells of a row; a `|` between backquotes is none of its borders.
fn cells(line: &str) -> Vec<&str> {
    let inside = line.trim().trim_start_matches('|');
    let inside = inside.strip_suffix('|').unwrap_or(inside);
    let (mut cells, mut start, mut is_code) = (Vec::new(), 0, false);
    for (at, sign) in inside.char_indices() {
        match sign {
            '`' => is_code = !is_code,
            '|' if !is_code => {
                cells.push(inside[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    cells.push(inside[start..].trim());
    cells
}

/// Words between backquotes are bold; of a link, its text stays.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (at, part) in text.split('`').enumerate() {
        if part.is_empty() {
            continue;
        }
        pieces.push(match at % 2 {
            0 => Piece::Plain(unlinked(part)),
            _ => Piece::Bold(part.to_owned()),
        });
    }
    pieces
}

fn unlinked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        out.push_str(before);
        let link = after.split_once("](").and_then(|(shown, target)| {
            let (_, rest) = target.split_once(')')?;
            (!shown.contains(['[', ']'])).then_some((shown, rest))
        });
        match link {
            Some((shown, after_link)) => {
                out.push_str(shown);
                rest = after_link;
            }
            None => {
                out.push('[');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lists_blocks_and_links_are_kept() {
        let text = "See [it](https://a.b)\nand `x = [1]`.\n\n- one\n  two\n\n| key | default | example | |\n|---|---|---|---|\n\
                    | `a|b`, `c` | needed | `a = 1` | Why. |\n| `d` | – | | |\n\n```toml\n.x\n```\n";
        let mut page = Roff::new("t", 5, "t");
        assert_eq!(append(&mut page, text), Ok(()));
        let page = page.finish();
        for want in [
            "See it and \\fBx = [1]\\fR.\n",
            ".IP \\(bu 2\none two\n",
            ".TP\n\\fBa|b\\fR, \\fBc\\fR\nWhy. Needed. Example: \\fBa = 1\\fR.\n",
            "\\&.x\n",
        ] {
            assert!(page.contains(want), "{want}\nin\n{page}");
        }
    }

    #[test]
    fn a_table_of_another_kind_is_an_error() {
        let mut page = Roff::new("t", 5, "t");
        assert!(append(&mut page, "| a | b |\n|---|---|\n| 1 | 2 |\n").is_err());
    }
}
