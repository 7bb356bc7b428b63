//! What can be known of an image before it runs: does its architecture fit, is its entry point there, are its
//! VOLUMEs covered? Refused is on proof alone.
//!
//! Pure, but for [`find`], which asks for one path at a time. Distrusts: all that the image says of itself.

use titania_core::definition::Shape;
use titania_core::platform::Platform;

use crate::engine::{ImageFacts, Lies};

/// Where commands are looked for when the environment says nothing (runc, Docker: `DefaultPathEnv`).
const PATH_DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Links followed until a path is given up.
const LINKS_MAX: usize = 8;

/// What became of the search for an entry point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Nothing speaks against it, or it can't be looked at.
    Fine,
    /// It is there: a file, of so many bytes.
    There(String, u64),
    /// The image names no command.
    NoCommand,
    /// No such file.
    Missing(String),
    /// It, or what it can't do without, lost its content: what, and how, in words.
    Damaged(String),
    /// Nobody may execute it.
    NotExecutable(String),
    /// It is for another processor, in words.
    Foreign(String),
    /// What loads it is not in the image: what, in words.
    NoLoader(String),
}

/// What lies at a path, links followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A volume hides it, or it is no file.
    Unknown,
    /// A file.
    File {
        /// Where it really lies.
        path: String,
        bytes: u64,
        mode: u32,
    },
}

/// Whether an image as stored can't run on the board, by its architecture. An image that keeps its variant to
/// itself (Podman) is judged by the architecture alone.
pub fn is_foreign(image: &ImageFacts, board: &Platform) -> bool {
    let stored = Platform::of(&image.os, &image.architecture, &image.variant);
    if image.variant.is_empty() {
        return !board
            .runs()
            .iter()
            .any(|own| own.os == stored.os && own.architecture == stored.architecture);
    }
    board.accepts(&stored).is_none()
}

/// VOLUMEs of the image that no state, data, scratch or host path covers: the engine would make a volume for each,
/// and all in it would be lost with the container.
pub fn uncovered<'a>(volumes: &'a [String], shape: &Shape) -> Vec<&'a str> {
    let targets: Vec<&str> = targets(shape).collect();
    let plain = |path: &'a String| path.trim_end_matches('/');
    let mut found: Vec<&str> = volumes
        .iter()
        .map(plain)
        .filter(|path| !path.is_empty() && !targets.contains(path))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn targets(shape: &Shape) -> impl Iterator<Item = &str> {
    let volumes = &shape.volumes;
    let data = volumes.data.iter().map(|volume| volume.path.as_str());
    let mounts = shape.mounts.iter().map(|mount| mount.container.as_str());
    let texts = volumes.state.iter().chain(&volumes.scratch).map(String::as_str);
    texts.chain(data).chain(mounts).map(|path| path.trim_end_matches('/'))
}

/// The first word of what would run; null when the image names nothing. An entry point of the definition's own
/// leaves the image's CMD out, as the engine does.
pub fn first_word<'a>(shape: &'a Shape, image: &'a ImageFacts) -> Option<&'a str> {
    let own = shape.entrypoint.as_deref().filter(|words| !words.is_empty());
    let words = match (own, &shape.command) {
        (Some(words), _) => words,
        (None, _) if !image.entrypoint.is_empty() => &image.entrypoint,
        (None, Some(command)) => command,
        (None, None) => &image.command,
    };
    words.first().map(String::as_str)
}

/// Paths at which a first word may be found, in order.
pub fn places(word: &str, shape: &Shape, image: &ImageFacts) -> Vec<String> {
    if word.starts_with('/') {
        return vec![word.to_owned()];
    }
    if word.contains('/') {
        let folder = shape.working_dir.as_deref().unwrap_or("/");
        return vec![format!("{}/{word}", folder.trim_end_matches('/'))];
    }
    let of_image = image.env.iter().find_map(|line| line.strip_prefix("PATH="));
    let path = shape.env.get("PATH").map(String::as_str).or(of_image).unwrap_or(PATH_DEFAULT);
    let folders = path.split(':').filter(|folder| folder.starts_with('/'));
    folders.map(|folder| format!("{}/{word}", folder.trim_end_matches('/'))).collect()
}

/// Whether what lies at `path` can't be told from the image alone: a volume hides it.
pub fn is_hidden(path: &str, shape: &Shape) -> bool {
    targets(shape).any(|target| {
        path == target || path.strip_prefix(target).is_some_and(|rest| rest.starts_with('/'))
    })
}

/// Looks for the entry point. `look` tells what lies at one path of the image.
///
/// # Errors
/// What `look` could not tell.
pub async fn find<E>(
    shape: &Shape,
    image: &ImageFacts,
    look: impl AsyncFn(&str) -> Result<Lies, E>,
) -> Result<Entry, E> {
    let Some(word) = first_word(shape, image) else {
        return Ok(Entry::NoCommand);
    };
    // Where the image's WORKDIR counts, or an env file may set PATH, a word that is no whole path proves nothing.
    let is_unsure = !word.starts_with('/')
        && (shape.env_file.is_some() || (word.contains('/') && shape.working_dir.is_none()));
    if is_unsure {
        return Ok(Entry::Fine);
    }
    for place in places(word, shape, image) {
        return Ok(match what(&place, shape, &look).await? {
            Found::Nothing => continue,
            Found::Unknown => Entry::Fine,
            Found::File { path, bytes: 0, .. } => {
                Entry::Damaged(format!("its entry point {path} is an empty file"))
            }
            Found::File { path, mode, .. } if mode & 0o111 == 0 => Entry::NotExecutable(path),
            Found::File { path, bytes, .. } => Entry::There(path, bytes),
        });
    }
    Ok(Entry::Missing(word.to_owned()))
}

/// What lies at `path` of the image, links followed.
///
/// # Errors
/// What `look` could not tell.
pub async fn what<E>(
    path: &str,
    shape: &Shape,
    look: &impl AsyncFn(&str) -> Result<Lies, E>,
) -> Result<Found, E> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        if is_hidden(&path, shape) {
            return Ok(Found::Unknown);
        }
        match look(&path).await? {
            Lies::Nothing => return Ok(Found::Nothing),
            Lies::Link(target) => path = follow(&path, &target),
            Lies::File { bytes, mode } => return Ok(Found::File { path, bytes, mode }),
            Lies::Other => return Ok(Found::Unknown),
        }
    }
    Ok(Found::Nothing)
}

/// Where a link at `path` points to.
fn follow(path: &str, target: &str) -> String {
    if target.starts_with('/') {
        return target.to_owned();
    }
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests;
