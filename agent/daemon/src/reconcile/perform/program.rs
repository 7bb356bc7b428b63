//! What a program needs to be loaded, as far as its image shows: heads that make sense, all of its bytes, its loader, its
//! libraries. A power cut empties files of a layer, or fills them with zeros.
//!
//! Promise: what is told is proven; at most [`PROGRAM_BYTES_MAX`] are read of a program, and the first [`HEAD_BYTES`] of
//! what it needs. Pure, but for [`judge`], which asks for one path at a time. Distrusts: all that the program says.

use titania_core::definition::Shape;
use titania_core::platform::Platform;

use super::elf::{self, Elf, Kind};
use super::image::{self, Entry, Found};
use crate::engine::{ImageFacts, Lies};

/// Bytes read of a program: all that tells what it needs, but in those larger than this.
pub const PROGRAM_BYTES_MAX: usize = 512 * 1024;
/// Bytes read of a loader or a library, and no kernel runs a program of which these are zeros: one page.
const HEAD_BYTES: usize = 4096;
/// Where loaders look for libraries when nobody tells them more (ld.so(8); musl's are among them).
const FOLDERS: [&str; 5] = ["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib"];

/// An image, as it would run here.
pub struct Case<'a> {
    pub shape: &'a Shape,
    pub image: &'a ImageFacts,
    /// The board's platform; null where programs of another processor may run, too (binfmt_misc).
    pub board: Option<&'a Platform>,
}

/// Judges the program at `path`, of `bytes`. `look` tells what lies at a path of the image, `read` the first bytes of a
/// file.
///
/// # Errors
/// What could not be told.
pub async fn judge<E>(
    case: &Case<'_>,
    path: &str,
    bytes: u64,
    look: impl AsyncFn(&str) -> Result<Lies, E>,
    read: impl AsyncFn(&str, usize) -> Result<Vec<u8>, E>,
) -> Result<Entry, E> {
    let head = read(path, PROGRAM_BYTES_MAX).await?;
    if is_zeros(&head) {
        return Ok(Entry::Damaged(format!("its entry point {path} holds nothing but zeros")));
    }
    let asks = Asks { case, look, read };
    if let Some(interpreter) = script(&head) {
        return asks.loader("interpreter", &interpreter).await;
    }
    match elf::read(&head, bytes) {
        Kind::Other => Ok(Entry::Fine),
        Kind::Broken => {
            Ok(Entry::Damaged(format!("the head of its entry point {path} makes no sense")))
        }
        Kind::Elf(elf) if elf.end > bytes => {
            Ok(Entry::Damaged(format!("its entry point {path} is cut off")))
        }
        Kind::Elf(elf) => asks.elf(path, &elf).await,
    }
}

/// The interpreter that a script names (execve(2)); null where it is none, or names no whole path.
fn script(head: &[u8]) -> Option<String> {
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let path = line.split(|byte| matches!(byte, b' ' | b'\t')).find(|word| !word.is_empty())?;
    let path = String::from_utf8(path.to_vec()).ok()?;
    (path.starts_with('/') && path.len() < HEAD_BYTES && !path.ends_with('\r')).then_some(path)
}

fn is_zeros(head: &[u8]) -> bool {
    !head.is_empty() && head.iter().take(HEAD_BYTES).all(|byte| *byte == 0)
}

/// Processors of one family: which of both a kernel runs its userland does not tell.
fn family(architecture: &str) -> &str {
    match architecture {
        "arm" | "arm64" => "arm",
        "386" | "amd64" => "x86",
        other => other,
    }
}

/// Debian's own folder of a processor's libraries.
fn multiarch(architecture: &str) -> Option<&'static str> {
    Some(match architecture {
        "amd64" => "x86_64-linux-gnu",
        "arm64" => "aarch64-linux-gnu",
        "arm" => "arm-linux-gnueabihf",
        "386" => "i386-linux-gnu",
        _ => return None,
    })
}

/// Whether somebody tells the loader where libraries lie.
fn is_led(case: &Case<'_>, elf: &Elf) -> bool {
    elf.has_paths
        || case.shape.env_file.is_some()
        || case.shape.env.contains_key("LD_LIBRARY_PATH")
        || case.image.env.iter().any(|line| line.starts_with("LD_LIBRARY_PATH="))
}

struct Asks<'a, L, R> {
    case: &'a Case<'a>,
    look: L,
    read: R,
}

/// What became of a file that is needed.
#[derive(PartialEq, Eq)]
enum State {
    Nothing,
    Sound,
    /// So, in words.
    Lost(&'static str),
}

impl<E, L, R> Asks<'_, L, R>
where
    L: AsyncFn(&str) -> Result<Lies, E>,
    R: AsyncFn(&str, usize) -> Result<Vec<u8>, E>,
{
    async fn state(&self, path: &str) -> Result<State, E> {
        Ok(match image::what(path, self.case.shape, &self.look).await? {
            Found::Nothing => State::Nothing,
            Found::Unknown => State::Sound,
            Found::File { bytes: 0, .. } => State::Lost("is an empty file"),
            Found::File { path, .. } if is_zeros(&(self.read)(&path, HEAD_BYTES).await?) => {
                State::Lost("holds nothing but zeros")
            }
            Found::File { .. } => State::Sound,
        })
    }

    async fn loader(&self, word: &str, path: &str) -> Result<Entry, E> {
        Ok(match self.state(path).await? {
            State::Sound => Entry::Fine,
            State::Nothing => Entry::NoLoader(format!("{path}, the {word} of its entry point,")),
            State::Lost(how) => {
                Entry::Damaged(format!("{path}, the {word} of its entry point, {how}"))
            }
        })
    }

    async fn elf(&self, path: &str, elf: &Elf) -> Result<Entry, E> {
        match (self.case.board, elf.architecture) {
            (Some(board), Some(own)) if family(own) != family(&board.architecture) => {
                let what = format!("its entry point {path} is a program for {own}");
                return Ok(Entry::Foreign(what));
            }
            (Some(_), Some(_)) => {}
            // Who runs it may bring its loader.
            _ => return Ok(Entry::Fine),
        }
        let Some(loader) = elf.interpreter.as_deref().filter(|path| path.starts_with('/')) else {
            return Ok(Entry::Fine);
        };
        let entry = self.loader("loader", loader).await?;
        if entry != Entry::Fine || is_led(self.case, elf) {
            return Ok(entry);
        }
        for name in elf.needed.iter().filter(|name| !name.contains('/')) {
            if let Some((path, how)) = self.lost(name, elf.architecture).await? {
                return Ok(Entry::Damaged(format!("the library {path} of its entry point {how}")));
            }
        }
        Ok(Entry::Fine)
    }

    /// A library of which there is one, and none that is sound.
    async fn lost(
        &self,
        name: &str,
        architecture: Option<&str>,
    ) -> Result<Option<(String, &'static str)>, E> {
        let mut lost = None;
        let own = architecture.and_then(multiarch);
        let own = own.iter().flat_map(|own| [format!("/lib/{own}"), format!("/usr/lib/{own}")]);
        for folder in own.chain(FOLDERS.map(str::to_owned)) {
            let path = format!("{folder}/{name}");
            match self.state(&path).await? {
                State::Sound => return Ok(None),
                State::Lost(how) => lost = lost.or(Some((path, how))),
                State::Nothing => {}
            }
        }
        Ok(lost)
    }
}

#[cfg(test)]
mod tests;
