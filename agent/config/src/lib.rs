//! Text into definitions and settings, with messages that name line and column.
//!
//! Promise: no IO, no panic, whatever the text; every fault of a file that can be told at once is
//! told at once, each with its place, the bad value and the nearest right one; no key is silently
//! ignored. Values of `[env]` and of an env file never stand in a message.
//! Trusts: nothing. Text comes from files that any person may have written.

mod definition;
mod env_file;
mod faults;
mod nearest;
mod paths;
mod settings;
mod table;
mod together;
mod units;

use titania_core::names::AppName;
use titania_core::status::ConfigError;

pub use definition::definition;
pub use env_file::env_file;
pub use settings::{
    Board, Control, DEFAULT_ENGINE_SOCKETS, Disk, Engine, Mqtt, Paths, RegistrySettings, Settings,
    settings,
};
pub use together::{App, Clash, check_together};

/// Largest file read, in bytes: a definition has some hundred, the longest list of environment
/// values seen in the field some ten thousand; whoever reads a file stops here.
pub const FILE_BYTES_MAX: usize = 256 * 1024;

/// Most faults told of one file: a person mends the first ones and asks again.
pub const FAULTS_MAX: usize = 50;

/// Every key of a definition, with the table it stands in (`""`: above all tables). For those who write about it.
pub fn definition_keys() -> Vec<(&'static str, &'static str)> {
    definition::keys()
}

/// The same of the settings.
pub fn settings_keys() -> Vec<(&'static str, &'static str)> {
    settings::keys()
}

/// The text of a file, or the place where it is none (too long, no UTF-8).
///
/// # Errors
/// One fault, at the first byte that is no UTF-8, or at 1:1 for a file over [`FILE_BYTES_MAX`].
pub fn text<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, ConfigError> {
    faults::text(file, bytes)
}

/// Name of the app that `file` (a path ending in `.toml`) defines: its stem.
///
/// # Errors
/// One fault at 1:1 when the stem is no app name; the hint has the nearest one that is.
pub fn app_name(file: &str) -> Result<AppName, ConfigError> {
    definition::app_name(file)
}

/// One fault as a person reads it: `file:line:column: message`, and the hint below it.
pub fn shown(error: &ConfigError) -> String {
    faults::shown(error)
}
