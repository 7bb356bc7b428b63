//! Folders and small disks for tests, gone when they are dropped.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// An empty folder of one test.
pub struct Scratch {
    path: PathBuf,
    is_mount: bool,
}

impl Scratch {
    /// An empty folder.
    pub fn new() -> Self {
        let name =
            format!("titania-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("the folder for temporary files can be written");
        Self { path, is_mount: false }
    }

    /// An empty disk of `bytes` (tmpfs; needs root).
    pub fn disk(bytes: u64) -> Self {
        let mut scratch = Self::new();
        let options = format!("size={bytes},mode=0755");
        nix::mount::mount(
            Some("scratch"),
            &scratch.path,
            Some("tmpfs"),
            nix::mount::MsFlags::empty(),
            Some(options.as_str()),
        )
        .expect("these tests run as root, who may mount");
        scratch.is_mount = true;
        scratch
    }

    /// An empty folder on which a test mounts something.
    pub fn mount_point() -> Self {
        let mut scratch = Self::new();
        scratch.is_mount = true;
        scratch
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.is_mount {
            let _gone = nix::mount::umount2(&self.path, nix::mount::MntFlags::MNT_DETACH);
        }
        let _gone = std::fs::remove_dir_all(&self.path);
    }
}

/// Fills the disk of `folder` to the last byte, in the file `filler`.
pub fn fill(folder: &Path) {
    use std::io::Write;
    let mut filler = std::fs::File::create(folder.join("filler")).expect("a name is left");
    let block = [b'x'; 4096];
    for size in [4096, 1] {
        while let Some(part) = block.get(..size) {
            match filler.write(part) {
                Ok(n) if n > 0 => {}
                _ => break,
            }
        }
    }
    let _full = filler.sync_all();
}
