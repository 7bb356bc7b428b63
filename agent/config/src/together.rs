//! What is wrong between definitions that are each right.

use titania_core::definition::Definition;
use titania_core::names::AppName;
use titania_core::status::ConfigError;

/// One app as it would come into force.
#[derive(Clone, Copy, Debug)]
pub struct App<'a> {
    /// Its name.
    pub name: &'a AppName,
    /// Its file.
    pub file: &'a str,
    /// The file's text, to find the place of a fault; empty where it is not at hand (then 1:1).
    pub text: &'a str,
    /// Its definition.
    pub definition: &'a Definition,
}

/// One fault, and the app whose definition can't come into force because of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// The app.
    pub app: AppName,
    /// The fault, placed in that app's file.
    pub error: ConfigError,
}

/// Faults between apps: two on one host port, names that are one when `.` is read as `_`, a cycle
/// in `after`, an `after` that names nobody. Each app that takes part gets a fault of its own, so
/// that a definition in force stays in force and a new one that clashes with it does not come in.
pub fn check_together(apps: &[App<'_>]) -> Vec<Clash> {
    todo_next_commit(apps)
}
