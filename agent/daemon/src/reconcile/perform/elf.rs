//! What the heads of an ELF file say that is needed to load it (System V gABI, chapters 4 and 5).
//!
//! Pure. Promise: never panics and never loops, whatever the bytes; what lies beyond those that were read is told as not
//! known. Distrusts: every number.

use titania_core::platform::Elf as Machine;

/// Most program headers and most entries of the dynamic section that are looked at: programs have a dozen and some
/// dozens.
const HEADERS_MAX: u64 = 64;
const DYNAMIC_MAX: u64 = 512;
/// Most libraries told of, and the longest name.
const NEEDED_MAX: usize = 32;
const NAME_BYTES_MAX: usize = 4096;

const LOAD: u64 = 1;
const DYNAMIC: u64 = 2;
const INTERPRETER: u64 = 3;

/// What is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elf {
    /// For which processor, in Go's word; null for one that this agent is not built for.
    pub architecture: Option<&'static str>,
    /// Bytes that the file must have at least: the end of the last segment that is loaded from it.
    pub end: u64,
    /// Its loader.
    pub interpreter: Option<String>,
    /// Names of the libraries that it needs.
    pub needed: Vec<String>,
    /// It says itself where they lie (RPATH, RUNPATH).
    pub has_paths: bool,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Not of this kind.
    Other,
    /// It begins as one, and its heads make no sense: no kernel loads it.
    Broken,
    /// A program or a library.
    Elf(Elf),
}

struct Bytes<'a> {
    all: &'a [u8],
    is_wide: bool,
    is_big: bool,
}

impl Bytes<'_> {
    fn number(&self, at: u64, size: usize) -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let bytes = self.all.get(at..at.checked_add(size)?)?;
        let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        Some(match self.is_big {
            true => bytes.iter().fold(0, add),
            false => bytes.iter().rev().fold(0, add),
        })
    }

    /// A number as wide as an address: `narrow` is its place in a 32-bit file, `wide` in a 64-bit one.
    fn word(&self, base: u64, narrow: u64, wide: u64) -> Option<u64> {
        let (at, size) = if self.is_wide { (wide, 8) } else { (narrow, 4) };
        self.number(base.checked_add(at)?, size)
    }

    fn text(&self, at: u64) -> Option<String> {
        let rest = self.all.get(usize::try_from(at).ok()?..)?;
        let end = rest.iter().take(NAME_BYTES_MAX).position(|byte| *byte == 0)?;
        String::from_utf8(rest.get(..end)?.to_vec()).ok().filter(|text| !text.is_empty())
    }
}

/// Reads the beginning of a file of `bytes`.
pub fn read(head: &[u8], bytes: u64) -> Kind {
    if !head.starts_with(b"\x7fELF") {
        return Kind::Other;
    }
    let Some(machine) = Machine::read(head) else {
        return Kind::Broken;
    };
    let read = Bytes { all: head, is_wide: machine.bits == 64, is_big: head.get(5) == Some(&2) };
    let elf = match headers(&read) {
        Some(headers) => of_headers(&read, &headers),
        None if bytes > head.len() as u64 => Elf::default(), // they may lie further on
        None => return Kind::Broken,
    };
    Kind::Elf(Elf { architecture: machine.architecture(), ..elf })
}

/// One program header.
struct Header {
    kind: u64,
    offset: u64,
    address: u64,
    bytes: u64,
}

/// The program headers; null where they make no sense.
fn headers(bytes: &Bytes<'_>) -> Option<Vec<Header>> {
    let size_is = if bytes.is_wide { 56 } else { 32 };
    let (size_at, count_at) = if bytes.is_wide { (54, 56) } else { (42, 44) };
    let first = bytes.word(0, 28, 32)?;
    let count = bytes.number(count_at, 2)?;
    if bytes.number(size_at, 2)? != size_is || count == 0 {
        return None;
    }
    (0..count.min(HEADERS_MAX))
        .map(|n| {
            let at = first.checked_add(n * size_is)?;
            Some(Header {
                kind: bytes.number(at, 4)?,
                offset: bytes.word(at, 4, 8)?,
                address: bytes.word(at, 8, 16)?,
                bytes: bytes.word(at, 16, 32)?,
            })
        })
        .collect()
}

fn of_headers(bytes: &Bytes<'_>, headers: &[Header]) -> Elf {
    let of = |kind| headers.iter().filter(move |header| header.kind == kind);
    let mut elf = Elf {
        end: of(LOAD).map(|header| header.offset.saturating_add(header.bytes)).max().unwrap_or(0),
        interpreter: of(INTERPRETER).next().and_then(|header| bytes.text(header.offset)),
        ..Elf::default()
    };
    let (mut names, mut strings) = (Vec::new(), None);
    for header in of(DYNAMIC).take(1) {
        let size = if bytes.is_wide { 16 } else { 8 };
        for n in 0..(header.bytes / size).min(DYNAMIC_MAX) {
            let at = header.offset.saturating_add(n * size);
            match (bytes.word(at, 0, 0), bytes.word(at, 4, 8)) {
                (Some(1), Some(name)) => names.push(name),
                (Some(5), Some(address)) => strings = Some(address),
                (Some(15 | 29), _) => elf.has_paths = true,
                (Some(0) | None, _) => break,
                _ => {}
            }
        }
    }
    let table = strings.and_then(|address| {
        let holds = |header: &&Header| {
            address.checked_sub(header.address).is_some_and(|into| into < header.bytes)
        };
        let header = of(LOAD).find(holds)?;
        (address - header.address).checked_add(header.offset)
    });
    if let Some(table) = table {
        let text = |name: u64| bytes.text(table.checked_add(name)?);
        elf.needed = names.into_iter().take(NEEDED_MAX).filter_map(text).collect();
    }
    elf
}

#[cfg(test)]
mod tests;
