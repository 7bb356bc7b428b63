//! Logging: to journald with structured fields where it listens, else plain lines on stderr.
//!
//! Promise: one message goes to one place, once; what libraries say is kept to warnings, for some
//! print whole answers of the engine, env values too, at lower levels.

use std::io::Write;

use log::kv::{self, VisitSource};
use log::{Level, LevelFilter, Log, Metadata, Record};
use systemd_journal_logger::{JournalLog, connected_to_journal};

/// Environment variable for the level: `error`, `warn`, `info` (the default), `debug`, `trace`.
pub const LEVEL: &str = "TITANIA_LOG";

struct Logger {
    level: LevelFilter,
    journal: Option<JournalLog>,
}

/// Starts logging. Called once, first thing in main; a second call does nothing.
pub fn start() {
    let asked = std::env::var(LEVEL).ok();
    let level = asked.as_deref().and_then(|word| word.parse().ok()).unwrap_or(LevelFilter::Info);
    // Under systemd stderr is the journal's stream; a journal that does not listen is no reason to be silent.
    let journal = connected_to_journal()
        .then(|| JournalLog::new().ok())
        .flatten()
        .map(|journal| journal.with_syslog_identifier("agentd".to_owned()));
    if log::set_boxed_logger(Box::new(Logger { level, journal })).is_ok() {
        log::set_max_level(level);
    }
    if let Some(word) = asked.filter(|word| word.parse::<LevelFilter>().is_err()) {
        log::warn!("{LEVEL}={word} is no level: error, warn, info, debug or trace; info it is");
    }
}

impl Logger {
    fn is_ours(target: &str) -> bool {
        target.starts_with("titania") || target.starts_with("agentd")
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let limit = if Self::is_ours(metadata.target()) {
            self.level
        } else {
            self.level.min(LevelFilter::Warn)
        };
        metadata.level() <= limit
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        match &self.journal {
            Some(journal) => journal.log(record),
            None => {
                // Nobody is left to tell when stderr is closed.
                let _ = std::io::stderr().lock().write_all(line(record).as_bytes());
            }
        }
    }

    fn flush(&self) {}
}

/// One line: level, message, then the fields that say something.
fn line(record: &Record<'_>) -> String {
    let mut fields = Fields(String::new());
    let _ = record.key_values().visit(&mut fields);
    let level = match record.level() {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    // One message is one line, whatever a stranger's bytes have in them.
    let message: String =
        record.args().to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{level}: {message}{}\n", fields.0)
}

struct Fields(String);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        let value = value.to_string();
        if !value.is_empty() {
            let name = key.as_str().trim_start_matches("TITANIA_").to_ascii_lowercase();
            self.0.push_str(&format!(" {name}={}", value.escape_debug()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_one_line_and_only_the_fields_that_say_something() {
        let fields = [("TITANIA_APP", "wallet"), ("TITANIA_REASON", "")];
        let shown = line(
            &Record::builder()
                .level(Level::Warn)
                .args(format_args!("two\nlines"))
                .key_values(&fields)
                .build(),
        );
        assert_eq!(shown, "warning: two lines app=wallet\n");
    }

    #[test]
    fn libraries_are_kept_to_warnings() {
        let logger = Logger { level: LevelFilter::Trace, journal: None };
        let says = |target, level| {
            logger.enabled(&Metadata::builder().target(target).level(level).build())
        };
        assert!(says("titania_agentd::engine", Level::Debug));
        assert!(says("agentd", Level::Info));
        assert!(says("titania::event", Level::Info), "events are the agent's own");
        assert!(says("bollard::docker", Level::Warn));
        assert!(!says("bollard::docker", Level::Debug));
    }
}
