//! What a power cut may take, and what it may not.

use super::*;
use std::path::PathBuf;

const SIZE: usize = 64 * 512;

/// A disk full of ones, in a folder that goes with it.
struct Bench {
    folder: PathBuf,
    disk: Disk,
}

impl Bench {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("titania-disk-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("base"), vec![1; SIZE]).unwrap();
        let disk = Disk::over(&folder.join("base"), &folder.join("medium")).unwrap();
        Self { folder, disk }
    }

    fn write(&mut self, sector: u64, value: u8, sectors: usize) {
        self.disk.write(sector * SECTOR, vec![value; sectors * 512], false).unwrap();
    }

    /// First byte of each sector.
    fn sectors(&mut self) -> Vec<u8> {
        let mut all = vec![0; SIZE];
        self.disk.read(0, &mut all).unwrap();
        for part in all.chunks(512) {
            assert!(part.iter().all(|byte| *byte == part[0]), "a sector is never torn");
        }
        all.chunks(512).map(|part| part[0]).collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn what_was_written_last_is_read_before_and_after_a_flush() {
    let mut bench = Bench::new("read");
    bench.write(3, 2, 4);
    bench.write(5, 3, 1);
    let want = [1, 1, 1, 2, 2, 3, 2, 1];
    assert_eq!(bench.sectors()[..8], want);
    bench.disk.flush().unwrap();
    assert_eq!(bench.sectors()[..8], want);
    let base = std::fs::read(bench.folder.join("base")).unwrap();
    assert!(base.iter().all(|byte| *byte == 1), "the base is never written");
}

#[test]
fn a_cut_takes_nothing_that_was_flushed_or_forced() {
    for seed in 0..50 {
        let mut bench = Bench::new("safe");
        bench.write(0, 2, 8);
        bench.disk.flush().unwrap();
        bench.write(8, 3, 8);
        bench.disk.write(8 * SECTOR, vec![4; 1024], true).unwrap();
        bench.disk.cut(&mut Chance::of(seed)).unwrap();
        let sectors = bench.sectors();
        assert_eq!(sectors[..8], [2; 8], "seed {seed}");
        assert_eq!(sectors[8..10], [4; 2], "forced, and above an older write: seed {seed}");
    }
}

#[test]
fn a_cut_keeps_drops_and_tears_and_a_later_write_may_be_there_without_an_earlier_one() {
    let (mut sum, mut out_of_order) = (Lost::default(), 0);
    for seed in 0..50 {
        let mut bench = Bench::new("fate");
        bench.write(0, 2, 8);
        bench.write(20, 3, 1);
        let lost = bench.disk.cut(&mut Chance::of(seed)).unwrap();
        assert_eq!(lost.kept + lost.dropped + lost.torn, 2);
        let sectors = bench.sectors();
        let first = sectors[..8].iter().filter(|value| **value == 2).count();
        let is_torn = !matches!(first, 0 | 8);
        assert_eq!(is_torn, lost.torn == 1, "torn is neither none nor all: seed {seed}");
        out_of_order += usize::from(first == 0 && sectors[20] == 3);
        sum.kept += lost.kept;
        sum.dropped += lost.dropped;
        sum.torn += lost.torn;
    }
    assert!(sum.kept > 20 && sum.dropped > 20 && sum.torn > 5, "{sum:?}");
    assert!(out_of_order > 3, "{out_of_order}");
}

#[test]
fn a_seed_decides_the_same_again() {
    let after = |seed| {
        let mut bench = Bench::new("again");
        for sector in 0..30 {
            bench.write(sector * 2, 5, 2);
        }
        bench.disk.cut(&mut Chance::of(seed)).unwrap();
        bench.sectors()
    };
    assert_eq!(after(3), after(3));
    assert_ne!(after(3), after(4));
}

#[test]
fn a_full_cache_is_written_by_the_disk_itself() {
    let mut bench = Bench::new("full");
    for _ in 0..=CACHE_WRITES_MAX {
        bench.write(0, 9, 1);
    }
    assert_eq!(bench.disk.cut(&mut Chance::of(1)).unwrap(), Lost::default());
    assert_eq!(bench.sectors()[0], 9);
}

#[test]
fn what_does_not_lie_on_it_is_refused() {
    let mut bench = Bench::new("beyond");
    let end = SIZE as u64;
    for (offset, length) in
        [(end, 512), (end - 512, 1024), (1, 512), (0, 100), (u64::MAX - 511, 512)]
    {
        let refused = bench.disk.write(offset, vec![0; length], false).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{offset} {length}");
        let refused = bench.disk.read(offset, &mut vec![0; length]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{offset} {length}");
    }
    assert!(bench.disk.write(end - 512, vec![0; 512], false).is_ok());
}

#[test]
fn a_copy_is_what_a_read_sees() {
    let mut bench = Bench::new("copy");
    bench.write(1, 7, 1);
    let file = bench.folder.join("copy");
    bench.disk.copy_to(&file).unwrap();
    let copy = std::fs::read(&file).unwrap();
    assert_eq!((copy.len(), copy[511], copy[512], copy[1024]), (SIZE, 1, 7, 1));
}
