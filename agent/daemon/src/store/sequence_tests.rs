//! No number comes twice, whatever becomes of the file and the clock.

use std::collections::BTreeSet;

use super::*;
use crate::sample::event;
use crate::scratch::Scratch;
use crate::store::Outbox;

const NOW: Option<Timestamp> = Some(Timestamp(1_800_000_000_123));

fn lose(state: &Scratch) {
    std::fs::remove_file(path(state.path())).unwrap();
}

#[test]
fn no_number_comes_twice_however_often_the_agent_is_killed() {
    let state = Scratch::new();
    let mut highest = 0;
    for _ in 0..5 {
        // Each run is cut off right after its reservation: nothing but the file remains.
        let block = reserve(state.path(), NOW, 0).unwrap();
        assert!(block.start > highest, "{block:?} after {highest}");
        assert_eq!(block.end - block.start, BLOCK);
        highest = block.end - 1;
    }
}

#[test]
fn a_lost_or_damaged_file_does_not_bring_numbers_back() {
    let state = Scratch::new();
    let first = reserve(state.path(), NOW, 0).unwrap();
    for damage in [
        None,
        Some("gar\0bage"),
        Some(""),
        Some("9007199254740992"),     // 2^53
        Some("18446744073709551615"), // 2^64 - 1: nothing comes after it
    ] {
        match damage {
            None => lose(&state),
            Some(text) => std::fs::write(path(state.path()), text).unwrap(),
        }
        let later = NOW.map(|now| Timestamp(now.0 + 1_000));
        let later = reserve(state.path(), later, 0).unwrap();
        assert!(later.start >= first.end, "{later:?} after {first:?}");
        assert_eq!(later.end - later.start, BLOCK, "{damage:?}");
        assert!(later.end < NUMBERS_END, "{damage:?}: {later:?}");
    }
}

#[test]
fn a_lost_file_on_a_board_without_a_clock_does_not_bring_numbers_back() {
    let mut all = BTreeSet::new();
    for _ in 0..20 {
        let state = Scratch::new();
        let block = reserve(state.path(), None, 0).unwrap();
        assert!(block.start >= LOT_MIN && block.end < NUMBERS_END, "{block:?}");
        assert!(all.insert(block.start), "{block:?} came twice");
        assert_eq!(reserve(state.path(), NOW, 0).unwrap().start, block.end, "and goes on");
    }
}

/// Lost with and without a clock, in each order, the state folder with it or not: no two blocks share a number.
#[test]
fn a_file_that_is_lost_again_and_again_does_not_bring_numbers_back() {
    let hour = |n: i64| Some(Timestamp(1_800_000_000_123 + n * 3_600_000));
    for clocks in [
        [None, hour(1), None, hour(2)],
        [hour(1), None, hour(2), None],
        [hour(1), None, None, hour(1)], // the clock of the last shutdown
        [None, None, hour(1), hour(2)],
    ] {
        let state = Scratch::new();
        let mut given = BTreeSet::new();
        for (n, now) in clocks.into_iter().enumerate() {
            // The same time once more is known as that by the file, and by nothing else.
            if n > 0 && clocks[..n].iter().all(|before| before.is_none() || *before != now) {
                lose(&state);
            }
            for _ in 0..3 {
                let block = reserve(state.path(), now, 0).unwrap();
                let is_new = block.clone().all(|number| given.insert(number));
                assert!(is_new, "{clocks:?}, loss {n}: {block:?} came twice");
            }
        }
    }
}

#[test]
fn an_older_copy_of_the_card_does_not_bring_numbers_back() {
    let state = Scratch::new();
    reserve(state.path(), NOW, 0).unwrap();
    let copy = std::fs::read(path(state.path())).unwrap();
    let later = |days: i64| NOW.map(|now| Timestamp(now.0 + days * 24 * 3_600_000));
    let used = reserve(state.path(), later(1), 0).unwrap();
    std::fs::write(path(state.path()), copy).unwrap();
    assert!(reserve(state.path(), later(2), 0).unwrap().start >= used.end);
}

#[test]
fn a_time_that_no_clock_shows_is_none() {
    for now in [i64::MIN, -1, 0, PLAUSIBLE.0 - 1, i64::MAX] {
        let state = Scratch::new();
        let block = reserve(state.path(), Some(Timestamp(now)), 0).unwrap();
        assert!(block.start >= LOT_MIN && block.end < NUMBERS_END, "{now}: {block:?}");
    }
}

#[test]
fn a_full_disk_still_gives_blocks_however_often_it_is_full() {
    let disk = Scratch::disk(256 * 1024);
    let mut end = reserve(disk.path(), NOW, 0).unwrap().end;
    for _ in 0..3 {
        crate::scratch::fill(disk.path());
        for _ in 0..3 {
            let block = reserve(disk.path(), NOW, 0).unwrap();
            assert_eq!(block.start, end);
            end = block.end;
        }
        std::fs::remove_file(disk.path().join("filler")).unwrap();
    }
}

/// Else those that wait would go out after newer ones, or be taken for told.
#[tokio::test(flavor = "current_thread")]
async fn numbers_go_on_above_what_waits_in_the_outbox_when_the_file_is_lost() {
    let state = Scratch::new();
    let store = Store::new(state.path().to_owned()).unwrap();
    let mut sequence = Sequence::open(&store, None).await.unwrap();
    let (mut outbox, _) = Outbox::open(&store).await.unwrap();
    let mut last = 0;
    for _ in 0..3 {
        last = sequence.next(None).await.unwrap();
        outbox.append(&event(last)).await.unwrap();
    }
    assert!(last > LOT_MIN);
    lose(&state);
    let mut again = Sequence::open(&store, NOW).await.unwrap();
    assert!(again.next(NOW).await.unwrap() > last + 1, "after one that tells of what was given up");
}

#[tokio::test(flavor = "current_thread")]
async fn a_file_that_is_lost_under_a_run_does_not_let_its_numbers_fall() {
    let state = Scratch::new();
    let store = Store::new(state.path().to_owned()).unwrap();
    let mut sequence = Sequence::open(&store, None).await.unwrap();
    let mut last = 0;
    for _ in 0..2_500 {
        let number = sequence.next(NOW).await.unwrap();
        assert!(number > last, "{number} after {last}");
        last = number;
        let _lost_already = std::fs::remove_file(path(state.path()));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn numbers_run_on_from_block_to_block_and_leave_out_every_other() {
    let state = Scratch::new();
    let store = Store::new(state.path().to_owned()).unwrap();
    std::fs::write(path(state.path()), "1800000000001").unwrap(); // as one wrote it that gave out all
    let mut sequence = Sequence::open(&store, NOW).await.unwrap();
    let first = sequence.next(NOW).await.unwrap();
    for n in 1..1_250 {
        assert_eq!(sequence.next(NOW).await.unwrap(), first + 2 * n);
    }
    let mut again = Sequence::open(&store, NOW).await.unwrap();
    let next = again.next(NOW).await.unwrap();
    assert_eq!((first % 2, next), (0, first + 3_000));
}
