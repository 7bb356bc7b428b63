//! Reading: bounded, regular files alone, in the order of their names.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use titania_config::FILE_BYTES_MAX;
use titania_core::status::ConfigError;

use super::DROPINS_MAX;

/// One file of settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Its path.
    pub file: String,
    /// Its text.
    pub text: String,
}

/// Bits of a mode that let everybody in.
const OTHERS: u32 = 0o007;

/// `agent.toml` and the drop-ins of the `agent.d` beside it. A missing `agent.toml` is an empty one.
/// The second part: what could not be read.
pub fn settings_texts(config: &Path) -> (Vec<Text>, Vec<ConfigError>) {
    let mut faults = Vec::new();
    let mut texts = Vec::new();
    let mut files = vec![config.to_owned()];
    let folder = config.parent().unwrap_or(Path::new("")).join("agent.d");
    match list(&folder, DROPINS_MAX) {
        Ok(dropins) => files.extend(dropins),
        Err(_) if !folder.exists() => {}
        Err(fault) => faults.push(fault),
    }
    for (place, file) in files.into_iter().enumerate() {
        let shown = file.display().to_string();
        match open(&file) {
            Err(error) if place == 0 && error.kind() == io::ErrorKind::NotFound => {
                texts.push(Text { file: shown, text: String::new() })
            }
            _ => match text(&file) {
                Ok(text) => texts.push(Text { file: shown, text }),
                Err(found) => faults.extend(found),
            },
        }
    }
    (texts, faults)
}

/// The `*.toml` files of a folder, by name.
///
/// # Errors
/// One fault when the folder can't be listed to its end, or has more than `most`: a part of it would
/// look as if the rest had been removed.
pub fn list(folder: &Path, most: usize) -> Result<Vec<PathBuf>, ConfigError> {
    let found: io::Result<Vec<PathBuf>> = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect());
    let mut files = found.map_err(|error| {
        fault(folder, format!("can't be listed: {error}"), "make it a folder that root can read")
    })?;
    files.retain(|path| {
        // An editor's own files: `.#wallet.toml` is a link to nowhere.
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        name.ends_with(b".toml") && !name.starts_with(b".")
    });
    files.sort();
    if files.len() > most {
        let message = format!("has {} files, more than {most}", files.len());
        return Err(fault(folder, message, "remove what is not needed"));
    }
    Ok(files)
}

/// The text of a file.
///
/// # Errors
/// One fault, when it can't be read, is no regular file, is too long or no UTF-8.
pub fn text(path: &Path) -> Result<String, Vec<ConfigError>> {
    let bytes =
        open(path).and_then(|file| bytes(&file)).map_err(|error| vec![unreadable(path, &error)])?;
    titania_config::text(&path.display().to_string(), &bytes)
        .map(str::to_owned)
        .map_err(|fault| vec![fault])
}

/// What an env file holds. It is refused when others can read, write or run it: values are secrets.
///
/// # Errors
/// Its mode, or its faults as the parser tells them.
pub fn env(path: &Path) -> Result<BTreeMap<String, String>, Vec<ConfigError>> {
    let shown = path.display().to_string();
    let file = open(path).map_err(|error| vec![unreadable(path, &error)])?;
    let mode = file.metadata().map_or(OTHERS, |found| found.mode()) & 0o7777;
    if mode & OTHERS != 0 {
        let message =
            format!("the env file's mode is {mode:04o}: everybody on the board can get at it");
        return Err(vec![fault(path, message, &format!("chmod o= {shown}"))]);
    }
    let bytes = bytes(&file).map_err(|error| vec![unreadable(path, &error)])?;
    let text = titania_config::text(&shown, &bytes).map_err(|fault| vec![fault])?;
    titania_config::env_file(&shown, text)
}

fn open(path: &Path) -> io::Result<File> {
    // O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is no regular file"))
    }
}

/// One byte more than is allowed, so that the parser sees that there is more.
fn bytes(file: &File) -> io::Result<Vec<u8>> {
    let most = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(path: &Path, error: &io::Error) -> ConfigError {
    fault(path, format!("can't be read: {error}"), "make it a file that root can read")
}

fn fault(path: &Path, message: String, hint: &str) -> ConfigError {
    ConfigError {
        file: path.display().to_string(),
        line: 1,
        column: 1,
        message,
        hint: hint.to_owned(),
    }
}
