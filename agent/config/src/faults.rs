//! Faults of a file, each with its place.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::ops::Range;

use titania_core::status::ConfigError;

use crate::{FAULTS_MAX, FILE_BYTES_MAX};

/// Bytes of the text that something stands at.
pub(crate) type Span = Range<usize>;

/// Characters of a bad value shown in a message.
const SHOWN_CHARS_MAX: usize = 80;

/// Faults collected before they are put in order and cut to [`FAULTS_MAX`]: bounds the work on a
/// file that is all faults.
const COLLECTED_MAX: usize = 4 * FAULTS_MAX;

/// The faults found so far in one file.
pub(crate) struct Faults<'a> {
    file: &'a str,
    text: &'a str,
    list: RefCell<Vec<(usize, String, String)>>,
}

impl<'a> Faults<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, list: RefCell::new(Vec::new()) }
    }

    /// One more fault, at the start of `span`.
    pub(crate) fn at(&self, span: &Span, message: impl Into<String>, hint: impl Into<String>) {
        if !self.is_full() {
            let fault = (span.start, message.into(), hint.into());
            self.list.borrow_mut().push(fault);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    /// Whether further ones would not be told anyway.
    pub(crate) fn is_full(&self) -> bool {
        self.list.borrow().len() >= COLLECTED_MAX
    }

    /// All faults in the order of the text, [`FAULTS_MAX`] at most.
    pub(crate) fn finish(self) -> Vec<ConfigError> {
        let mut list = self.list.into_inner();
        list.sort();
        list.dedup();
        list.truncate(FAULTS_MAX);
        let place = |(offset, message, hint)| {
            let (line, column) = place(self.text, offset);
            ConfigError { file: self.file.to_string(), line, column, message, hint }
        };
        list.into_iter().map(place).collect()
    }
}

/// Line and column of a byte, both from 1; columns count characters.
pub(crate) fn place(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (number(line), number(column))
}

/// A stranger's text between quotes: shortened, control characters written out.
pub(crate) fn quote(text: &str) -> String {
    let mut shown = String::from("\"");
    for c in text.chars().take(SHOWN_CHARS_MAX) {
        if c.is_control() {
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if text.chars().count() > SHOWN_CHARS_MAX {
        shown.push('…');
    }
    shown.push('"');
    shown
}

/// See [`crate::text`].
pub(crate) fn text<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, ConfigError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(too_long(file, bytes.len()));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let good = std::str::from_utf8(good).unwrap_or_default();
        let (line, column) = place(good, good.len());
        ConfigError {
            file: file.to_string(),
            line,
            column,
            message: "a byte here is no UTF-8 text".to_string(),
            hint: "save the file as UTF-8".to_string(),
        }
    })
}

/// The fault of a file over [`FILE_BYTES_MAX`].
pub(crate) fn too_long(file: &str, bytes: usize) -> ConfigError {
    ConfigError {
        file: file.to_string(),
        line: 1,
        column: 1,
        message: format!("the file has {bytes} bytes or more, at most {FILE_BYTES_MAX} are read"),
        hint: "is it the right file?".to_string(),
    }
}

/// See [`crate::shown`].
pub(crate) fn shown(error: &ConfigError) -> String {
    let ConfigError { file, line, column, message, hint } = error;
    let mut shown = format!("{file}:{line}:{column}: {message}");
    if !hint.is_empty() {
        let _ = write!(shown, "\n  fix: {hint}");
    }
    shown
}
