//! A definition in the making: what a case says of an app, quick defaults for the rest.

use crate::app::App;
use crate::board::Board;
use crate::toml_text::Document;
use serde_json::{Value, json};

/// Written to its file by [`Definition::define`].
#[must_use = "nothing is written before define()"]
pub struct Definition<'b> {
    board: &'b Board,
    app: String,
    document: Document,
}

impl<'b> Definition<'b> {
    pub(crate) fn new(board: &'b Board, app: &str) -> Self {
        let mut document = Document::default();
        document.set("stop", json!({"grace": "5s"}));
        document.set_in("health", "http", json!({"port": 8080, "path": "/health"}));
        for (key, value) in [("interval", "1s"), ("settle", "2s"), ("deadline", "20s")] {
            document.set_in("health", key, value);
        }
        Self { board, app: app.to_owned(), document }
    }

    /// Sets any key above the tables.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.document.set(key, value);
        self
    }

    /// Sets any key of any table.
    pub fn set_in(mut self, table: &str, key: &str, value: impl Into<Value>) -> Self {
        self.document.set_in(table, key, value);
        self
    }

    /// `image`.
    pub fn image(self, reference: &str) -> Self {
        self.set("image", reference)
    }

    /// `track = { semver = … }`.
    pub fn semver(self, range: &str) -> Self {
        self.set("track", json!({"semver": range}))
    }

    /// `user`: a word, a number or `uid:gid`.
    pub fn user(self, user: impl Into<Value>) -> Self {
        self.set("user", user)
    }

    /// `after`.
    pub fn after(self, apps: &[&str]) -> Self {
        self.set("after", apps)
    }

    /// `ports`.
    pub fn ports(self, ports: &[&str]) -> Self {
        self.set("ports", ports)
    }

    /// `command`.
    pub fn command(self, words: &[&str]) -> Self {
        self.set("command", words)
    }

    /// `[volumes] state`, one path.
    pub fn state(self, path: &str) -> Self {
        self.set_in("volumes", "state", path)
    }

    /// `[volumes] data`, one path.
    pub fn data(self, path: &str) -> Self {
        self.set_in("volumes", "data", json!([path]))
    }

    /// A variable of `[env]`.
    pub fn env(self, key: &str, value: &str) -> Self {
        self.set_in("env", key, value)
    }

    /// A key of `[health]` beside the kind of probe: `settle`, `deadline`, `retries`, …
    pub fn health(self, key: &str, value: impl Into<Value>) -> Self {
        self.set_in("health", key, value)
    }

    /// Another kind of probe instead of http: `tcp`, `exec`, `container`, `http`.
    pub fn probe(self, kind: &str, value: impl Into<Value>) -> Self {
        self.no_probe().set_in("health", kind, value)
    }

    /// No probe: it is well while it stays up (or by its image's HEALTHCHECK).
    pub fn no_probe(mut self) -> Self {
        for kind in ["http", "tcp", "exec", "container"] {
            self.document.remove_in("health", kind);
        }
        self
    }

    /// A key of `[update]`.
    pub fn update(self, key: &str, value: impl Into<Value>) -> Self {
        self.set_in("update", key, value)
    }

    /// The text that [`Definition::define`] writes.
    pub fn text(&self) -> String {
        self.document.text()
    }

    /// Writes the file. A running agent takes it at its next reload.
    pub fn define(self) -> App<'b> {
        self.board.define(&self.app, &self.document.text())
    }
}
