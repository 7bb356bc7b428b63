//! Events as log lines with structured fields: `journalctl TITANIA_APP=wallet` finds them.
//!
//! Promise: one event, one line; no character in it moves a terminal's cursor or begins another line.

use log::kv::Value;
use log::{Level, Record};
use titania_core::event::{self, Event};

/// Target of the log lines that are events: begins as all that is the agent's own, of which the log shows more than of a
/// library.
pub const TARGET: &str = "titania::event";

/// Logs one event: fields `TITANIA_EVENT`, `TITANIA_SEQ` and, where there is one, `TITANIA_APP`, `TITANIA_UPDATE`,
/// `TITANIA_REASON`, `TITANIA_CLASS`, `TITANIA_HINT`, `TITANIA_VERSION`, `TITANIA_CONFIG`.
pub fn log(event: &Event) {
    let level = match event.level {
        event::Level::Info => Level::Info,
        event::Level::Warning => Level::Warn,
        event::Level::Error => Level::Error,
    };
    if level <= log::max_level() {
        write(event, level, log::logger());
    }
}

fn write(event: &Event, level: Level, logger: &dyn log::Log) {
    let fields = fields(event);
    let pairs: Vec<(&str, Value<'_>)> =
        fields.iter().map(|(name, value)| (*name, Value::from(value.as_str()))).collect();
    let text = one_line(&event.text);
    let line = match &event.app {
        Some(app) if !text.starts_with(app.as_str()) => format!("{app}: {text}"),
        _ => text,
    };
    logger.log(
        &Record::builder()
            .level(level)
            .target(TARGET)
            .key_values(&pairs.as_slice())
            .args(format_args!("{line}"))
            .build(),
    );
}

fn fields(event: &Event) -> Vec<(&'static str, String)> {
    let mut fields =
        vec![("TITANIA_EVENT", word(&event.kind)), ("TITANIA_SEQ", event.seq.to_string())];
    let mut put = |name, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            fields.push((name, one_line(&value)));
        }
    };
    let reason = event.reason.as_ref();
    let release = event.release.as_ref();
    put("TITANIA_APP", event.app.as_ref().map(ToString::to_string));
    put("TITANIA_UPDATE", event.update.clone());
    put("TITANIA_REASON", reason.map(|reason| reason.code.word()));
    put("TITANIA_CLASS", reason.map(|reason| word(&reason.class)));
    put("TITANIA_HINT", reason.map(|reason| reason.hint.clone()));
    put("TITANIA_VERSION", release.and_then(|release| release.version.clone()));
    put(
        "TITANIA_CONFIG",
        release.and_then(|release| release.config.map(|config| config.to_string())),
    );
    fields
}

/// The word as it stands in JSON.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
