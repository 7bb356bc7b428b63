//! A disk spoken to over NBD: one connection, from the handshake to its end.
//!
//! Promise: answers come in the order of the requests; a flush is answered when all writes answered
//! before it are safe. What a client asks is bounded before anything is set aside for it: an option
//! of [`OPTION_BYTES_MAX`], a request of [`REQUEST_BYTES_MAX`], [`OPTIONS_MAX`] options.
//! Source: the NBD protocol, `doc/proto.md` of NetworkBlockDevice/nbd: fixed newstyle, simple replies.
//! Distrusts the client.

use super::disk::{Disk, SECTOR};
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Longest option: names and lists of block sizes are far shorter.
pub const OPTION_BYTES_MAX: u32 = 8 * 1024;
/// Longest read or write: what the protocol lets every client ask ("Block size constraints").
pub const REQUEST_BYTES_MAX: u32 = 32 * 1024 * 1024;
/// Options that one client may send: a usual one sends five.
pub const OPTIONS_MAX: usize = 64;

const MAGIC: u64 = 0x4e42_444d_4147_4943;
const MAGIC_OPTION: u64 = 0x4948_4156_454f_5054;
const MAGIC_OPTION_REPLY: u64 = 0x0003_e889_0455_65a9;
const MAGIC_REQUEST: u32 = 0x2560_9513;
const MAGIC_REPLY: u32 = 0x6744_6698;

/// Fixed newstyle, and no padding after an export's flags.
const HANDSHAKE_FLAGS: u16 = 0b11;
/// The same as a client gives it back.
const NO_ZEROES: u32 = 0b10;
/// Has flags, takes FLUSH, FUA, TRIM.
const EXPORT_FLAGS: u16 = 0b10_1101;

const OPTION_EXPORT_NAME: u32 = 1;
const OPTION_ABORT: u32 = 2;
const OPTION_INFO: u32 = 6;
const OPTION_GO: u32 = 7;
const REPLY_ACK: u32 = 1;
const REPLY_INFO: u32 = 3;
const REPLY_UNSUPPORTED: u32 = (1 << 31) + 1;
const INFO_EXPORT: u16 = 0;
const INFO_BLOCK_SIZE: u16 = 3;

const COMMAND_READ: u16 = 0;
const COMMAND_WRITE: u16 = 1;
const COMMAND_DISCONNECT: u16 = 2;
const COMMAND_FLUSH: u16 = 3;
const COMMAND_TRIM: u16 = 4;
const FLAG_FORCED: u16 = 1;

const ERROR_IO: u32 = 5;
const ERROR_INVALID: u32 = 22;

/// Serves one client to its end.
///
/// # Errors
/// When the connection breaks, or `InvalidData` when the client does not speak the protocol.
pub fn serve(mut stream: impl Read + Write, disk: &Mutex<Disk>) -> io::Result<()> {
    let bytes = locked(disk).bytes();
    if !shake_hands(&mut stream, bytes)? {
        return Ok(());
    }
    while let Some(request) = Request::read(&mut stream)? {
        let (error, body) = request.perform(&mut locked(disk));
        let mut answer = Vec::with_capacity(16 + body.len());
        answer.extend(MAGIC_REPLY.to_be_bytes());
        answer.extend(error.to_be_bytes());
        answer.extend(request.cookie);
        answer.extend(body);
        stream.write_all(&answer)?;
    }
    Ok(())
}

/// The disk; a panic elsewhere leaves it as it was between two requests.
pub fn locked(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_protocol(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("no NBD client: {what}"))
}

fn read_array<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_u32(stream: &mut impl Read) -> io::Result<u32> {
    Ok(u32::from_be_bytes(read_array(stream)?))
}

/// True: the client goes on with requests; false: it has left.
fn shake_hands(stream: &mut (impl Read + Write), disk_bytes: u64) -> io::Result<bool> {
    let mut greeting = Vec::new();
    greeting.extend(MAGIC.to_be_bytes());
    greeting.extend(MAGIC_OPTION.to_be_bytes());
    greeting.extend(HANDSHAKE_FLAGS.to_be_bytes());
    stream.write_all(&greeting)?;
    let client_flags = read_u32(stream)?;
    for _ in 0..OPTIONS_MAX {
        if u64::from_be_bytes(read_array(stream)?) != MAGIC_OPTION {
            return Err(no_protocol("an option begins otherwise"));
        }
        let option = read_u32(stream)?;
        let length = read_u32(stream)?;
        if length > OPTION_BYTES_MAX {
            return Err(no_protocol("an option is too long"));
        }
        io::copy(&mut stream.take(u64::from(length)), &mut io::sink())?;
        match option {
            // There is one export, whatever its name.
            OPTION_EXPORT_NAME => {
                let mut answer = export(disk_bytes);
                if client_flags & NO_ZEROES == 0 {
                    answer.extend([0; 124]);
                }
                stream.write_all(&answer)?;
                return Ok(true);
            }
            OPTION_INFO | OPTION_GO => {
                let mut about = INFO_EXPORT.to_be_bytes().to_vec();
                about.extend(export(disk_bytes));
                reply(stream, option, REPLY_INFO, &about)?;
                let mut sizes = INFO_BLOCK_SIZE.to_be_bytes().to_vec();
                for size in [SECTOR, 4096, u64::from(REQUEST_BYTES_MAX)] {
                    sizes.extend(&size.to_be_bytes()[4..]);
                }
                reply(stream, option, REPLY_INFO, &sizes)?;
                reply(stream, option, REPLY_ACK, &[])?;
                if option == OPTION_GO {
                    return Ok(true);
                }
            }
            OPTION_ABORT => {
                reply(stream, option, REPLY_ACK, &[])?;
                return Ok(false);
            }
            _ => reply(stream, option, REPLY_UNSUPPORTED, &[])?,
        }
    }
    Err(no_protocol("it asks options without end"))
}

fn export(disk_bytes: u64) -> Vec<u8> {
    let mut about = disk_bytes.to_be_bytes().to_vec();
    about.extend(EXPORT_FLAGS.to_be_bytes());
    about
}

fn reply(stream: &mut impl Write, option: u32, kind: u32, body: &[u8]) -> io::Result<()> {
    let mut answer = MAGIC_OPTION_REPLY.to_be_bytes().to_vec();
    answer.extend(option.to_be_bytes());
    answer.extend(kind.to_be_bytes());
    answer.extend(u32::try_from(body.len()).map_err(io::Error::other)?.to_be_bytes());
    answer.extend(body);
    stream.write_all(&answer)
}

struct Request {
    flags: u16,
    command: u16,
    cookie: [u8; 8],
    offset: u64,
    length: u32,
    body: Vec<u8>,
}

impl Request {
    /// None: the client has left.
    fn read(stream: &mut impl Read) -> io::Result<Option<Self>> {
        if read_u32(stream)? != MAGIC_REQUEST {
            return Err(no_protocol("a request begins otherwise"));
        }
        let mut request = Self {
            flags: u16::from_be_bytes(read_array(stream)?),
            command: u16::from_be_bytes(read_array(stream)?),
            cookie: read_array(stream)?,
            offset: u64::from_be_bytes(read_array(stream)?),
            length: read_u32(stream)?,
            body: Vec::new(),
        };
        let has_bytes = matches!(request.command, COMMAND_READ | COMMAND_WRITE);
        if has_bytes && request.length > REQUEST_BYTES_MAX {
            return Err(no_protocol("a request is too long"));
        }
        if request.command == COMMAND_WRITE {
            request.body = vec![0; usize::try_from(request.length).map_err(io::Error::other)?];
            stream.read_exact(&mut request.body)?;
        }
        Ok((request.command != COMMAND_DISCONNECT).then_some(request))
    }

    /// The error number, 0 for none, and what was read.
    fn perform(&self, disk: &mut Disk) -> (u32, Vec<u8>) {
        let mut body = Vec::new();
        let done = match self.command {
            COMMAND_READ if disk.holds(self.offset, u64::from(self.length)) => {
                body = vec![0; self.length as usize];
                disk.read(self.offset, &mut body)
            }
            COMMAND_WRITE => {
                let is_forced = self.flags & FLAG_FORCED != 0;
                disk.write(self.offset, self.body.clone(), is_forced)
            }
            COMMAND_FLUSH => disk.flush(),
            // Leave is given to forget, not an order to.
            COMMAND_TRIM => Ok(()),
            _ => Err(ErrorKind::InvalidInput.into()),
        };
        match done {
            Ok(()) => (0, body),
            Err(error) if error.kind() == ErrorKind::InvalidInput => (ERROR_INVALID, Vec::new()),
            Err(_) => (ERROR_IO, Vec::new()),
        }
    }
}

#[cfg(test)]
#[path = "nbd_tests.rs"]
mod tests;
