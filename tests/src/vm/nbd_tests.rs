//! The protocol word for word, as a client writes it.

use super::*;
use std::io::Cursor;
use std::path::PathBuf;

const SIZE: usize = 16 * 512;

/// A client whose words are known beforehand; what it hears is kept.
struct Client {
    says: Cursor<Vec<u8>>,
    hears: Vec<u8>,
}

impl Read for Client {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.says.read(into)
    }
}

impl Write for Client {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hears.extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Bench {
    folder: PathBuf,
    disk: Mutex<Disk>,
}

impl Bench {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("titania-nbd-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("base"), vec![1; SIZE]).unwrap();
        let disk = Disk::over(&folder.join("base"), &folder.join("medium")).unwrap();
        Self { folder, disk: Mutex::new(disk) }
    }

    /// Says all this; returns how it ended and what came back after the greeting.
    fn hear(&self, says: &[&[u8]]) -> (io::Result<()>, Vec<u8>) {
        let mut client = Client { says: Cursor::new(says.concat()), hears: Vec::new() };
        let end = serve(&mut client, &self.disk);
        assert_eq!(client.hears[..16], *b"NBDMAGICIHAVEOPT");
        assert_eq!(client.hears[16..18], [0, 3]);
        (end, client.hears[18..].to_vec())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

const FLAGS: [u8; 4] = [0, 0, 0, 3];

fn option(number: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    [&b"IHAVEOPT"[..], &number.to_be_bytes(), &length.to_be_bytes(), body].concat()
}

fn request(flags: u16, command: u16, offset: u64, length: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = 0x2560_9513_u32.to_be_bytes().to_vec();
    bytes.extend(flags.to_be_bytes());
    bytes.extend(command.to_be_bytes());
    bytes.extend(*b"cookie00");
    bytes.extend(offset.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend(body);
    bytes
}

fn answer(error: u32, body: &[u8]) -> Vec<u8> {
    [&0x6744_6698_u32.to_be_bytes()[..], &error.to_be_bytes(), b"cookie00", body].concat()
}

/// What comes back for a well-formed GO.
fn gone_on(number: u32) -> Vec<u8> {
    let reply = |kind: u32, body: &[u8]| {
        let length = u32::try_from(body.len()).unwrap();
        let magic = 0x0003_e889_0455_65a9_u64.to_be_bytes();
        [&magic[..], &number.to_be_bytes(), &kind.to_be_bytes(), &length.to_be_bytes(), body]
            .concat()
    };
    let export = [&[0, 0][..], &(SIZE as u64).to_be_bytes(), &[0, 0x2d]].concat();
    let sizes = [0, 3, 0, 0, 2, 0, 0, 0, 16, 0, 2, 0, 0, 0];
    [reply(3, &export), reply(3, &sizes), reply(1, &[])].concat()
}

#[test]
fn a_client_that_goes_on_reads_writes_flushes_and_leaves() {
    let bench = Bench::new("whole");
    let written = vec![7; 512];
    let (end, heard) = bench.hear(&[
        &FLAGS,
        &option(8, b""),
        &option(OPTION_GO, &[0, 0, 0, 0, 0, 0]),
        &request(0, COMMAND_WRITE, 512, 512, &written),
        &request(FLAG_FORCED, COMMAND_WRITE, 1024, 512, &written),
        &request(0, COMMAND_FLUSH, 0, 0, b""),
        &request(0, COMMAND_TRIM, 512, 512, b""),
        &request(0, COMMAND_READ, 0, 1024, b""),
        &request(0, COMMAND_DISCONNECT, 0, 0, b""),
        b"never read",
    ]);
    end.unwrap();
    let unsupported =
        [&0x0003_e889_0455_65a9_u64.to_be_bytes()[..], &[0, 0, 0, 8, 0x80, 0, 0, 1, 0, 0, 0, 0]]
            .concat();
    let read = [vec![1; 512], written].concat();
    let want = [unsupported, gone_on(7), answer(0, b"").repeat(4), answer(0, &read)].concat();
    assert_eq!(heard, want);
    let counts = bench.disk.lock().unwrap().counts();
    assert_eq!((counts.writes, counts.forced, counts.flushes, counts.reads), (2, 1, 1, 1));
}

#[test]
fn an_old_client_names_its_export_and_one_that_only_asks_leaves() {
    let bench = Bench::new("old");
    let (end, heard) = bench.hear(&[&[0, 0, 0, 1], &option(OPTION_EXPORT_NAME, b"disk")]);
    assert_eq!(end.unwrap_err().kind(), ErrorKind::UnexpectedEof, "it may hang up at any time");
    assert_eq!(heard.len(), 8 + 2 + 124);
    let (end, heard) = bench.hear(&[&FLAGS, &option(OPTION_INFO, b""), &option(OPTION_ABORT, b"")]);
    end.unwrap();
    assert_eq!(heard[..gone_on(6).len()], gone_on(6));
}

#[test]
fn what_does_not_lie_on_the_disk_is_an_error_and_the_client_goes_on() {
    let bench = Bench::new("beyond");
    let (_, heard) = bench.hear(&[
        &FLAGS,
        &option(OPTION_GO, b""),
        &request(0, COMMAND_READ, SIZE as u64, 512, b""),
        &request(0, COMMAND_READ, 0, 100, b""),
        &request(0, COMMAND_WRITE, u64::MAX, 1, b"x"),
        &request(0, 77, 0, 0, b""),
        &request(0, COMMAND_FLUSH, 0, 0, b""),
    ]);
    let want = [gone_on(7), answer(22, b"").repeat(4), answer(0, b"")].concat();
    assert_eq!(heard, want);
}

#[test]
fn a_client_that_asks_too_much_or_speaks_otherwise_is_left() {
    let bench = Bench::new("hostile");
    let long = [&b"IHAVEOPT"[..], &[0, 0, 0, 7], &(OPTION_BYTES_MAX + 1).to_be_bytes()].concat();
    let go = option(OPTION_GO, b"");
    let huge = request(0, COMMAND_WRITE, 0, REQUEST_BYTES_MAX + 1, b"");
    for (what, says) in [
        ("long option", vec![long]),
        ("other words", vec![b"GET / HTTP/1.1\r\n\r\n".to_vec()]),
        ("options without end", vec![option(8, b""); OPTIONS_MAX]),
        ("long write", vec![go.clone(), huge]),
        ("torn request", vec![go.clone(), b"GET / HTTP/1.1\r\n\r\n GET / HTTP/1.1".to_vec()]),
    ] {
        let (end, _) = bench.hear(&[&FLAGS, &says.concat()]);
        assert_eq!(end.unwrap_err().kind(), ErrorKind::InvalidData, "{what}");
    }
    let at_most = option(99, &vec![0; OPTION_BYTES_MAX as usize]);
    let (end, _) = bench.hear(&[&FLAGS, &at_most, &option(OPTION_ABORT, b"")]);
    end.unwrap();
}
