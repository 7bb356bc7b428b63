//! Texts that want to bring the agent down.

use super::*;
use crate::FAULTS_MAX;

#[test]
fn a_file_is_read_up_to_its_limit_and_not_past_it() {
    let mut text = String::from("image = \"nginx:1\"\n#");
    text.push_str(&"x".repeat(FILE_BYTES_MAX - text.len()));
    read(&text);
    assert!(crate::text("wallet.toml", text.as_bytes()).is_ok());
    text.push('x');
    let told = shown(&definition(&name("wallet"), "wallet.toml", &text).unwrap_err()[0]);
    assert_eq!(
        told,
        "wallet.toml:1:1: the file has 262145 bytes or more, at most 262144 are read\n  fix: is it the right file?"
    );
    assert!(crate::text("wallet.toml", text.as_bytes()).is_err());
}

#[test]
fn a_byte_that_is_no_text_has_its_place() {
    let error = crate::text("wallet.toml", b"image = \"\xc3\xbc\"\nx = \"\xff\"").unwrap_err();
    assert_eq!(
        shown(&error),
        "wallet.toml:2:6: a byte here is no UTF-8 text\n  fix: save the file as UTF-8"
    );
}

#[test]
fn columns_count_characters_and_lines_end_with_either_ending() {
    let error = &definition(
        &name("wallet"),
        "wallet.toml",
        "image = \"nginx:1\"\r\nenv = { A = \"äöü\", B = [] }",
    )
    .unwrap_err()[0];
    assert_eq!((error.line, error.column), (2, 24));
}

#[test]
fn a_file_that_is_all_faults_is_told_shortly() {
    let lines: Vec<String> = (0..20_000).map(|n| format!("k{n} = 1")).collect();
    let errors = definition(&name("wallet"), "wallet.toml", &lines.join("\n")).unwrap_err();
    assert_eq!(errors.len(), FAULTS_MAX);
}

#[test]
fn deep_nesting_is_a_fault_and_no_crash() {
    let deep = format!("image = {}1{}", "[".repeat(1000), "]".repeat(1000));
    let dotted = format!("{}image = 1", "a.".repeat(1000));
    let tables = format!("image = {}1{}", "{ a = ".repeat(1000), " }".repeat(1000));
    for text in [deep, dotted, tables] {
        assert!(definition(&name("wallet"), "wallet.toml", &text).is_err());
    }
}

#[test]
fn no_text_brings_it_down() {
    // A small generator of its own: the same texts every time.
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let pieces = [
        "\"", "'", "[", "]", "{", "}", "=", ".", "\n", "#", "é", "\u{0}", "9", "-", "\\u", "[[",
        "image",
    ];
    let mut faults = 0;
    for _ in 0..3000 {
        let mut text: Vec<char> = WHOLE.chars().collect();
        for _ in 0..=next(4) {
            let at = next(text.len());
            if next(2) == 0 {
                text.truncate(at.max(1));
            } else {
                let piece = pieces[next(pieces.len())];
                text.splice(at..at, piece.chars());
            }
        }
        let text: String = text.into_iter().collect();
        if let Err(errors) = definition(&name("wallet"), "wallet.toml", &text) {
            assert!(!errors.is_empty(), "{text}");
            let lines = u32::try_from(text.matches('\n').count()).unwrap() + 1;
            assert!(
                errors.iter().all(|e| e.line >= 1 && e.line <= lines && e.column >= 1),
                "{text}"
            );
            faults += 1;
        }
    }
    assert!(faults > 1000, "{faults}");
}
