//! `agentctl check`: settings and definitions as the agent would read them, without the agent.
//!
//! Promise: every fault of every file at once, as `file:line:column: message` and the fix below it; nothing is changed.
//! Distrusts: every file, also its kind and size.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use titania_config::{App, FILE_BYTES_MAX, Settings};
use titania_core::definition::Definition;
use titania_core::names::AppName;
use titania_core::status::ConfigError;

use crate::words::clean;
use crate::{Exit, say};

/// Where the settings lie unless `--config` says otherwise. There they may be missing.
const CONFIG: &str = "/etc/titania-agent/agent.toml";
/// Most files looked at in one folder: the agent takes no more.
const FILES_MAX: usize = 256;
/// Bits of a mode that let everybody in.
const OTHERS: u32 = 0o007;

/// What settings and definitions say.
pub(crate) struct Files {
    /// Settings; null when they are at fault.
    pub(crate) settings: Option<Settings>,
    /// So many definitions are right.
    pub(crate) good: usize,
    /// All faults.
    pub(crate) faults: Vec<ConfigError>,
}

/// Reads all files.
pub(crate) fn files(config: Option<&Path>) -> Files {
    let mut faults = Vec::new();
    let settings = read_settings(config, &mut faults);
    let file = config.unwrap_or(Path::new(CONFIG));
    let apps = match &settings {
        Some(settings) => PathBuf::from(&settings.paths.apps),
        // Where they usually are: the faults of the definitions are told along with those of the settings.
        None => beside(file, "apps.d"),
    };
    let good = read_apps(&apps, &mut faults);
    Files { settings, good, faults }
}

/// The control socket as the settings name it; where they are at fault, or nobody but root may read them, the usual one.
pub(crate) fn socket(config: Option<&Path>) -> PathBuf {
    read_settings(config, &mut Vec::new()).unwrap_or_default().paths.socket.into()
}

/// In words, where all is right.
pub(crate) fn right(good: usize) -> String {
    let noun = if good == 1 { "definition" } else { "definitions" };
    format!("the settings and {good} {noun} are right")
}

/// Runs the command.
pub(crate) fn run(config: Option<&Path>) -> Exit {
    let Files { good, faults, .. } = files(config);
    for fault in &faults {
        // The one line break is between a fault and its fix.
        let lines: Vec<String> = titania_config::shown(fault).lines().map(clean).collect();
        say(&(lines.join("\n") + "\n"));
    }
    if faults.is_empty() {
        say(&(right(good) + "\n"));
        return Exit::Well;
    }
    Exit::Failed
}

fn read_settings(config: Option<&Path>, faults: &mut Vec<ConfigError>) -> Option<Settings> {
    let file = config.unwrap_or(Path::new(CONFIG));
    let dropins = beside(file, "agent.d");
    let mut files = vec![file.to_path_buf()];
    if dropins.exists() {
        files.extend(list(&dropins).map_err(|fault| faults.push(fault)).unwrap_or_default());
    }
    let mut texts = Vec::new();
    for (place, path) in files.iter().enumerate() {
        let may_be_missing = place == 0 && config.is_none();
        let text = match open(path) {
            Err(error) if may_be_missing && error.kind() == io::ErrorKind::NotFound => {
                Ok(String::new())
            }
            _ => text(path),
        };
        match text {
            Ok(text) => texts.push((path.display().to_string(), text)),
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        return None;
    }
    let texts: Vec<(&str, &str)> =
        texts.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    let ((file, text), dropins) = texts.split_first()?;
    titania_config::settings(file, text, dropins).map_err(|found| faults.extend(found)).ok()
}

/// Reads all definitions; tells how many are right.
fn read_apps(folder: &Path, faults: &mut Vec<ConfigError>) -> usize {
    let files = match list(folder) {
        Ok(files) => files,
        Err(fault) => {
            faults.push(fault);
            return 0;
        }
    };
    let mut good: BTreeMap<AppName, (String, String, Definition)> = BTreeMap::new();
    for path in files {
        match read_app(&path) {
            Ok((name, text, definition)) => {
                good.insert(name, (path.display().to_string(), text, definition));
            }
            Err(found) => faults.extend(found),
        }
    }
    let together: Vec<App<'_>> = good
        .iter()
        .map(|(name, (file, text, definition))| App { name, file, text, definition })
        .collect();
    let clashes = titania_config::check_together(&together);
    faults.extend(clashes.into_iter().map(|clash| clash.error));
    good.len()
}

fn read_app(path: &Path) -> Result<(AppName, String, Definition), Vec<ConfigError>> {
    let file = path.display().to_string();
    let name = titania_config::app_name(&file).map_err(|fault| vec![fault])?;
    let text = text(path).map_err(|fault| vec![fault])?;
    let definition = titania_config::definition(&name, &file, &text)?;
    if let Some(env_file) = &definition.shape.env_file {
        check_env(Path::new(env_file))?;
    }
    Ok((name, text, definition))
}

/// An env file holds secrets: it is refused when everybody can get at it.
fn check_env(path: &Path) -> Result<(), Vec<ConfigError>> {
    let shown = path.display().to_string();
    let found = open(path).and_then(|file| file.metadata());
    let mode = found.map_err(|error| vec![unreadable(path, &error)])?.mode() & 0o7777;
    if mode & OTHERS != 0 {
        let message =
            format!("the env file's mode is {mode:04o}: everybody on the board can get at it");
        return Err(vec![fault(path, message, &format!("chmod o= {shown}"))]);
    }
    let text = text(path).map_err(|fault| vec![fault])?;
    titania_config::env_file(&shown, &text).map(|_| ())
}

fn beside(file: &Path, name: &str) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(name)
}

/// The `*.toml` files of a folder, by name.
fn list(folder: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let found: io::Result<Vec<PathBuf>> = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect());
    let mut files = found.map_err(|error| {
        fault(folder, format!("can't be listed: {error}"), "make it a folder that root can read")
    })?;
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        name.ends_with(b".toml") && !name.starts_with(b".")
    });
    files.sort();
    if files.len() > FILES_MAX {
        let message = format!("has {} files, more than {FILES_MAX}", files.len());
        return Err(fault(folder, message, "remove what is not needed"));
    }
    Ok(files)
}

fn text(path: &Path) -> Result<String, ConfigError> {
    // One byte more than is allowed, so that the parser sees that there is more.
    let most = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    open(path)
        .and_then(|file| file.take(most).read_to_end(&mut bytes))
        .map_err(|error| unreadable(path, &error))?;
    titania_config::text(&path.display().to_string(), &bytes).map(str::to_owned)
}

fn open(path: &Path) -> io::Result<File> {
    // A pipe that nobody writes to would wait for ever.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no regular file")),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> ConfigError {
    let fix = match error.kind() {
        io::ErrorKind::PermissionDenied => "use sudo",
        _ => "make it a file that root can read",
    };
    fault(path, format!("can't be read: {error}"), fix)
}

fn fault(path: &Path, message: String, hint: &str) -> ConfigError {
    let file = path.display().to_string();
    ConfigError { file, line: 1, column: 1, message, hint: hint.to_owned() }
}
