//! The files a person writes: settings and definitions, read at start and on SIGHUP, at no other time.
//!
//! Promise: nothing here fails. A bad file leaves the last good one in force and its faults are kept
//! for the status document; a file that is removed is gone. Bounded: each file in bytes, each folder in files.
//! Distrusts: every file, also its kind: a pipe in `apps.d` must not hold up the loop.
//!
//! A folder of definitions that can't be listed is not one whose files were removed: the apps stay as they were.
//!
//! Settings at start: there is no last good file in memory then, and an agent that does not start can't say
//! what is wrong. So the tables that are at fault are left out and the rest is in force, but never with
//! `[paths]` or `[engine]` left out: another volume root or engine than the one meant would be another board.
//! Then [`InForce::unusable`] is set: the agent answers, and touches nothing.

mod read;
mod salvage;

pub use read::env;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use titania_config::{App, Settings};
use titania_core::definition::Definition;
use titania_core::names::AppName;
use titania_core::reason::{Class, Code, Reason};
use titania_core::status::ConfigError;
use titania_core::time::Timestamp;

/// Where the settings lie unless `--config` says otherwise.
pub const CONFIG: &str = "/etc/titania-agent/agent.toml";

/// Most definitions: a board has some dozen apps, and each costs memory.
pub const APPS_MAX: usize = 256;

/// Most drop-ins.
pub const DROPINS_MAX: usize = 64;

/// What is in force.
#[derive(Clone, Debug)]
pub struct InForce {
    /// The file that `--config` names.
    pub config: PathBuf,
    /// Settings.
    pub settings: Settings,
    /// Why no app may be touched: what says where everything lies, or which apps there are, is at fault.
    pub unusable: Option<Reason>,
    /// Every app that has a file, also a bad one.
    pub apps: BTreeMap<AppName, AppFile>,
    /// All faults of all files, for `agent.config_errors`.
    pub errors: Vec<ConfigError>,
}

/// One app's file.
#[derive(Clone, Debug, PartialEq)]
pub struct AppFile {
    /// Its path.
    pub file: String,
    /// The definition in force. Null where the file was never good in this run: then the one in the app's record counts.
    pub definition: Option<Arc<Definition>>,
    /// What its `env_file` holds. Values never leave the board.
    pub env: BTreeMap<String, String>,
    /// Why the file as it is now does not count.
    pub error: Option<Reason>,
    /// Its text as far as it is in force, to place the faults between apps.
    text: String,
}

/// Reads everything, at the start of the agent.
pub fn load(config: &Path, at: Timestamp) -> InForce {
    read(config, None, at)
}

/// Reads everything again; what is bad now stays as it was `before`. Paths and the engine's socket only change
/// with a restart: a running agent keeps those of `before`, and says so in the log.
pub fn reload(before: &InForce, at: Timestamp) -> InForce {
    let mut now = read(&before.config, Some(before), at);
    if before.unusable.is_none() {
        let (old, new) = (&before.settings, &mut now.settings);
        if old.paths != new.paths || old.engine != new.engine || old.board != new.board {
            log::warn!(
                "[paths], [engine] and [board] in {} changed: they take effect when the agent is restarted",
                before.config.display()
            );
        }
        new.paths = old.paths.clone();
        new.engine = old.engine.clone();
        new.board = old.board.clone();
    }
    now
}

/// Checks everything, as `--check-config` does: the faults, and how many definitions there are.
pub fn check(config: &Path, at: Timestamp) -> (Vec<ConfigError>, usize) {
    let now = load(config, at);
    let good = now.apps.values().filter(|app| app.error.is_none()).count();
    (now.errors, good)
}

fn read(config: &Path, before: Option<&InForce>, at: Timestamp) -> InForce {
    let mut errors = Vec::new();
    let (settings, unusable) = read_settings(config, before, at, &mut errors);
    let mut in_force =
        InForce { config: config.to_owned(), settings, unusable, apps: BTreeMap::new(), errors };
    let files = match read::list(Path::new(&in_force.settings.paths.apps), APPS_MAX) {
        Ok(files) => files,
        Err(fault) => {
            match before {
                Some(before) => {
                    in_force.apps = before.apps.clone();
                    in_force.unusable = in_force.unusable.or_else(|| before.unusable.clone());
                }
                None => in_force.unusable = in_force.unusable.or_else(|| Some(no_apps(&fault, at))),
            }
            in_force.errors.push(fault);
            return in_force;
        }
    };
    for file in files {
        let shown = file.display().to_string();
        let name = match titania_config::app_name(&shown) {
            Ok(name) => name,
            Err(error) => {
                in_force.errors.push(error);
                continue;
            }
        };
        let last = before.and_then(|before| before.apps.get(&name));
        let (app, faults) = read_app(&name, shown, last, at);
        in_force.errors.extend(faults);
        in_force.apps.insert(name, app);
    }
    settle_clashes(&mut in_force.apps, before, at, &mut in_force.errors);
    in_force
}

fn no_apps(fault: &ConfigError, at: Timestamp) -> Reason {
    let message = format!(
        "the definitions can't be read, so no app is touched: {}",
        titania_config::shown(fault)
    );
    let hint = format!("mend {}, then: systemctl reload titania-agent", fault.file);
    Reason::new(Code::ConfigInvalid, Class::Config, message, hint, at)
}

fn read_settings(
    config: &Path,
    before: Option<&InForce>,
    at: Timestamp,
    errors: &mut Vec<ConfigError>,
) -> (Settings, Option<Reason>) {
    let (texts, faults) = read::settings_texts(config);
    let could_read = faults.is_empty();
    errors.extend(faults);
    let faults = match salvage::parse(&texts) {
        Ok(settings) if could_read => return (settings, None),
        Ok(_) => Vec::new(),
        Err(faults) => faults,
    };
    errors.extend(faults.iter().cloned());
    if let Some(before) = before {
        return (before.settings.clone(), before.unusable.clone());
    }
    match salvage::without_faults(&texts, &faults) {
        Some(settings) if could_read => (settings, None),
        rest => {
            let place = errors.first().map_or_else(String::new, titania_config::shown);
            let reason = Reason::new(
                Code::ConfigInvalid,
                Class::Config,
                format!("the settings can't be used, so no app is touched: {place}"),
                format!(
                    "mend it, try `agentd --config {} --check-config`, then restart the agent",
                    config.display()
                ),
                at,
            );
            (rest.unwrap_or_default(), Some(reason))
        }
    }
}

fn read_app(
    name: &AppName,
    file: String,
    last: Option<&AppFile>,
    at: Timestamp,
) -> (AppFile, Vec<ConfigError>) {
    let parsed = read::text(Path::new(&file)).and_then(|text| {
        let definition = titania_config::definition(name, &file, &text)?;
        let env = match &definition.shape.env_file {
            Some(path) => read::env(Path::new(path))?,
            None => BTreeMap::new(),
        };
        Ok((text, definition, env))
    });
    match parsed {
        Ok((text, definition, env)) => {
            let app =
                AppFile { file, definition: Some(Arc::new(definition)), env, error: None, text };
            (app, Vec::new())
        }
        Err(faults) => (kept(file, last, faults.first(), at), faults),
    }
}

/// The last good definition stays in force.
fn kept(
    file: String,
    last: Option<&AppFile>,
    fault: Option<&ConfigError>,
    at: Timestamp,
) -> AppFile {
    let error = fault.map(|fault| {
        let message = format!("{}:{}:{}: {}", fault.file, fault.line, fault.column, fault.message);
        Reason::new(Code::ConfigInvalid, Class::Config, message, fault.hint.clone(), at)
    });
    // The same fault keeps the time it was found first.
    let found_before = last.and_then(|last| last.error.clone());
    let error = match (error, found_before) {
        (Some(now), Some(then)) if now.same(&then) => Some(then),
        (now, _) => now,
    };
    AppFile {
        file,
        definition: last.and_then(|last| last.definition.clone()),
        env: last.map(|last| last.env.clone()).unwrap_or_default(),
        error,
        text: last.map(|last| last.text.clone()).unwrap_or_default(),
    }
}

/// Faults between apps: a definition that is new and takes part in one does not come into force. Each round
/// takes at least one new definition back, so it ends.
fn settle_clashes(
    apps: &mut BTreeMap<AppName, AppFile>,
    before: Option<&InForce>,
    at: Timestamp,
    errors: &mut Vec<ConfigError>,
) {
    loop {
        let clashes = titania_config::check_together(&together(apps));
        let mut taken_back = false;
        for clash in clashes {
            let last = before.and_then(|before| before.apps.get(&clash.app));
            let Some(app) = apps.get_mut(&clash.app) else {
                continue;
            };
            let is_new = app.error.is_none()
                && app.definition.as_deref() != last.and_then(|last| last.definition.as_deref());
            if !is_new {
                continue;
            }
            *app = kept(app.file.clone(), last, Some(&clash.error), at);
            errors.push(clash.error);
            taken_back = true;
        }
        if !taken_back {
            return;
        }
    }
}

fn together(apps: &BTreeMap<AppName, AppFile>) -> Vec<App<'_>> {
    apps.iter()
        .filter_map(|(name, app)| {
            Some(App {
                name,
                file: &app.file,
                text: &app.text,
                definition: app.definition.as_deref()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
