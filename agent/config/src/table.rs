//! A TOML table that knows which keys it has, read key by key.
//!
//! By hand instead of through serde: each fault keeps its own place, and none hides the next one.

use std::collections::BTreeMap;

use titania_core::time::Millis;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::faults::{Faults, Span, quote};
use crate::nearest;
use crate::units::{self, UnitFault};

/// Most items of a list: items are compared with each other, and no list in the field has a tenth of it.
const ITEMS_MAX: usize = 256;

/// One key with its value, and where both stand.
#[derive(Clone)]
pub(crate) struct Field<'a> {
    /// With the tables around it: `health.interval`.
    pub(crate) name: String,
    /// The key alone.
    key: &'a str,
    key_at: Span,
    /// Where the value stands.
    pub(crate) at: Span,
    pub(crate) value: &'a DeValue<'a>,
    faults: &'a Faults<'a>,
}

/// A table with its fields, those with unknown keys left out and told.
pub(crate) struct Table<'a> {
    name: String,
    at: Span,
    faults: &'a Faults<'a>,
    fields: BTreeMap<&'a str, Field<'a>>,
}

/// Reads a file; `None`, with faults told, when it is no TOML.
pub(crate) fn parse<'a>(text: &'a str, faults: &Faults<'a>) -> Option<DeTable<'a>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut last_line = None;
    for error in &errors {
        let at = error.span().unwrap_or(0..0);
        // One missing quote makes several errors of one line.
        let line = text.get(..at.start).map(|before| before.matches('\n').count());
        if last_line != Some(line) {
            let (message, hint) = (error.message(), syntax_hint(text, &at, error.message()));
            faults.at(&at, format!("no TOML: {message}"), hint);
        }
        last_line = Some(line);
    }
    errors.is_empty().then(|| document.into_inner())
}

fn syntax_hint(text: &str, at: &Span, message: &str) -> &'static str {
    let line_start = text.get(..at.start).and_then(|t| t.rfind('\n'));
    let line = text.get(line_start.map_or(0, |n| n + 1)..).and_then(|t| t.lines().next());
    let value = line.and_then(|l| l.split_once('=')).map_or("", |(_, value)| value.trim());
    let bare = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    match message {
        m if m.contains("duplicate key") => "leave one of them out",
        m if m.contains("basic string") => "close the text with \" on the same line",
        _ if bare && !matches!(value, "true" | "false") => {
            "text stands between quotes: key = \"value\""
        }
        _ => "each line is key = value, [table] or a comment after #",
    }
}

impl<'a> Table<'a> {
    /// The table of a whole file.
    pub(crate) fn file(
        document: &'a DeTable<'a>,
        faults: &'a Faults<'a>,
        known: &[&str],
        stray: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Self::new("", 0..0, document, faults).known(known, stray)
    }

    fn new(name: &str, at: Span, map: &'a DeTable<'a>, faults: &'a Faults<'a>) -> Self {
        let field = |(key, value): (&'a Spanned<_>, &'a Spanned<DeValue<'a>>)| {
            let key_text: &'a std::borrow::Cow<'a, str> = key.get_ref();
            let field = Field {
                name: if name.is_empty() {
                    key_text.to_string()
                } else {
                    format!("{name}.{key_text}")
                },
                key: key_text,
                key_at: key.span(),
                at: value.span(),
                value: value.get_ref(),
                faults,
            };
            (field.key, field)
        };
        Self { name: name.to_string(), at, faults, fields: map.iter().map(field).collect() }
    }

    /// Tells every key that is not among `known`, and forgets it. `stray` may know where it belongs.
    fn known(mut self, known: &[&str], stray: &dyn Fn(&str) -> Option<String>) -> Self {
        self.fields.retain(|key, field| {
            let is_known = known.contains(key);
            if !is_known && !field.faults.is_full() {
                let hint = stray(key).unwrap_or_else(|| nearest::hint(key, known, "key"));
                let place = if self.name.is_empty() {
                    String::new()
                } else {
                    format!(" in [{}]", self.name)
                };
                field.faults.at(&field.key_at, format!("unknown key {}{place}", quote(key)), hint);
            }
            is_known
        });
        self
    }

    /// One table out of those of several files: a later file's key replaces an earlier one's.
    pub(crate) fn merged(tables: Vec<Self>) -> Option<Self> {
        tables.into_iter().reduce(|mut all, later| {
            all.fields.extend(later.fields);
            all
        })
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Field<'a>> {
        self.fields.get(key)
    }

    /// The field, or a fault at the table's own place with an example of it.
    pub(crate) fn required(&self, key: &str, example: &str) -> Option<&Field<'a>> {
        let field = self.fields.get(key);
        if field.is_none() {
            let whole =
                if self.name.is_empty() { key.to_string() } else { format!("{}.{key}", self.name) };
            self.faults.at(
                &self.at,
                format!("\"{whole}\" is missing"),
                format!("for example: {key} = {example}"),
            );
        }
        field
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'a str, &Field<'a>)> {
        self.fields.iter().map(|(key, field)| (*key, field))
    }

    /// A fault of the table as a whole.
    pub(crate) fn wrong(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.faults.at(&self.at, message, hint);
    }
}

impl<'a> Field<'a> {
    /// A fault of the value.
    pub(crate) fn wrong(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.faults.at(&self.at, message, hint);
    }

    /// A fault of the key.
    pub(crate) fn wrong_key(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.faults.at(&self.key_at, message, hint);
    }

    /// A key whose room comes later.
    pub(crate) fn refused(&self, hint: &str) {
        self.wrong_key(format!("\"{}\" is not in this version", self.name), hint);
    }

    /// Another type than `takes`.
    pub(crate) fn wrong_type(&self, takes: &str, example: &str) {
        self.wrong(
            format!("\"{}\" takes {takes}, not {}", self.name, described(self.value)),
            format!("for example: {} = {example}", self.key),
        );
    }

    /// Any text without a zero byte, which no argument, variable or path can hold.
    pub(crate) fn free_text(&self, example: &str) -> Option<&'a str> {
        let Some(text) = self.value.as_str() else {
            self.wrong_type("text", example);
            return None;
        };
        if text.contains('\0') {
            self.wrong(format!("\"{}\" has a zero byte in it", self.name), "leave \\u0000 out");
            return None;
        }
        Some(text)
    }

    /// Text without control characters, not empty.
    pub(crate) fn text(&self, example: &str) -> Option<&'a str> {
        let text = self.free_text(example)?;
        if text.is_empty() {
            let hint = format!("for example: {} = {example}", self.key);
            self.wrong(format!("\"{}\" is empty", self.name), hint);
            return None;
        }
        if text.chars().any(char::is_control) {
            let message = format!("{} has a control character in it", quote(text));
            self.wrong(message, "write plain text on one line");
            return None;
        }
        Some(text)
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        let flag = self.value.as_bool();
        if flag.is_none() {
            self.wrong_type("true or false, without quotes", "true");
        }
        flag
    }

    /// A whole number between `least` and `most`.
    pub(crate) fn whole(&self, least: i64, most: i64, example: &str) -> Option<i64> {
        let DeValue::Integer(number) = self.value else {
            self.wrong_type("a whole number, without quotes", example);
            return None;
        };
        let value = i64::from_str_radix(number.as_str(), number.radix()).ok();
        let good = value.filter(|n| (least..=most).contains(n));
        if good.is_none() {
            let message = format!(
                "\"{}\" takes a number from {least} to {most}, not {}",
                self.name,
                number.as_str()
            );
            self.wrong(message, format!("for example: {} = {example}", self.key));
        }
        good
    }

    /// The items of a list, each with its own place and the list's name.
    pub(crate) fn list(&self, example: &str) -> Option<Vec<Self>> {
        let Some(list) = self.value.as_array() else {
            self.wrong_type("a list", example);
            return None;
        };
        if list.len() > ITEMS_MAX {
            let message =
                format!("\"{}\" has {} items, at most {ITEMS_MAX} are read", self.name, list.len());
            self.wrong(message, "is it the right file?");
            return None;
        }
        let item = |item: &'a Spanned<DeValue<'a>>| Self {
            at: item.span(),
            value: item.get_ref(),
            ..self.clone()
        };
        Some(list.iter().map(item).collect())
    }

    /// The items of a list, or the one value that stands for a list of one.
    pub(crate) fn one_or_list(&self, example: &str) -> Vec<Self> {
        if self.value.is_array() {
            self.list(example).unwrap_or_default()
        } else {
            vec![self.clone()]
        }
    }

    /// A list of texts, not empty.
    pub(crate) fn texts(&self, example: &str) -> Option<Vec<String>> {
        let items = self.list(example)?;
        if items.is_empty() {
            self.wrong(
                format!("\"{}\" is an empty list", self.name),
                "leave the key out, or write at least one item",
            );
            return None;
        }
        let texts: Vec<_> = items.iter().map(|item| item.free_text(example)).collect();
        texts.into_iter().map(|text| text.map(String::from)).collect()
    }

    /// A table of known keys.
    pub(crate) fn table(
        &self,
        known: &[&str],
        example: &str,
        stray: &dyn Fn(&str) -> Option<String>,
    ) -> Option<Table<'a>> {
        Some(self.free_table(example)?.known(known, stray))
    }

    /// A table of any keys.
    pub(crate) fn free_table(&self, example: &str) -> Option<Table<'a>> {
        let Some(map) = self.value.as_table() else {
            self.wrong_type("a table", example);
            return None;
        };
        Some(Table::new(&self.name, self.at.clone(), map, self.faults))
    }

    pub(crate) fn duration(&self, example: &str, least: Millis, most: Millis) -> Option<Millis> {
        let Some(text) = self.value.as_str() else {
            self.wrong_type("a duration with its unit", example);
            return None;
        };
        let time = self.unit(units::duration(text))?;
        if (least..=most).contains(&time) {
            return Some(time);
        }
        let (least, most) = (units::shown(least), units::shown(most));
        self.wrong(
            format!("\"{}\" takes \"{least}\" to \"{most}\", not {}", self.name, quote(text)),
            format!("for example: {} = {example}", self.key),
        );
        None
    }

    pub(crate) fn size(&self, example: &str) -> Option<u64> {
        let Some(text) = self.value.as_str() else {
            self.wrong_type("a size with its unit", example);
            return None;
        };
        self.unit(units::size(text))
    }

    pub(crate) fn unit<T>(&self, value: Result<T, UnitFault>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(fault) => {
                self.wrong(format!("\"{}\": {}", self.name, fault.message), fault.hint);
                None
            }
        }
    }
}

/// A value for a message.
fn described(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text {}", quote(text)),
        DeValue::Integer(number) => format!("the number {}", number.as_str()),
        DeValue::Float(number) => format!("the number {}", number.as_str()),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => "a date or time".to_string(),
        DeValue::Array(_) => "a list".to_string(),
        DeValue::Table(_) => "a table".to_string(),
    }
}
