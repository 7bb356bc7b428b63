//! What is read again, and when files go.

use std::io::Write;

use titania_core::time::Timestamp;

use super::*;
use crate::sample::event;
use crate::scratch::{Scratch, fill};

fn store(scratch: &Scratch) -> Store {
    Store::new(scratch.path().to_owned()).unwrap()
}

fn files(scratch: &Scratch) -> Vec<String> {
    let listed = fs::read_dir(scratch.path().join("outbox")).into_iter().flatten();
    let mut names: Vec<String> =
        listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn numbers(left: &Left) -> Vec<u64> {
    left.events.iter().map(|event| event.seq).collect()
}

fn given_up(dropped: Dropped) -> Delivery {
    Delivery { dropped: Some(dropped), ..Delivery::default() }
}

fn kept_from(kept_from: u64) -> Delivery {
    Delivery { kept_from, ..Delivery::default() }
}

#[tokio::test(flavor = "current_thread")]
async fn what_was_appended_is_there_after_a_restart_and_gone_when_delivered() {
    let state = Scratch::new();
    let (mut outbox, left) = Outbox::open(&store(&state)).await.unwrap();
    assert_eq!((left, files(&state).len()), (Left::default(), 0), "nothing is written for nothing");
    for seq in 1..=FILE_EVENTS + 2 {
        outbox.append(&event(seq)).await.unwrap();
    }
    assert_eq!(files(&state).len(), 2);
    let (mut outbox, left) = Outbox::open(&store(&state)).await.unwrap();
    assert_eq!(numbers(&left), (1..=FILE_EVENTS + 2).collect::<Vec<_>>());
    assert_eq!(left.events[3], event(4));
    outbox.append(&event(1_000)).await.unwrap();
    assert_eq!(files(&state).len(), 3, "a run has a file of its own");
    outbox.forget(kept_from(FILE_EVENTS)).await.unwrap();
    assert_eq!(files(&state).len(), 3, "one of the first file is still needed");
    outbox.forget(kept_from(FILE_EVENTS + 1)).await.unwrap();
    let names = files(&state);
    assert_eq!(names, ["00000000000000000065.jsonl", "00000000000000001000.jsonl"]);
    outbox.forget(kept_from(1_001)).await.unwrap();
    assert!(files(&state).is_empty());
    outbox.append(&event(1_001)).await.unwrap();
    let (_, left) = Outbox::open(&store(&state)).await.unwrap();
    assert_eq!(numbers(&left), [1_001]);
}

#[tokio::test(flavor = "current_thread")]
async fn damage_costs_the_damaged_lines_alone() {
    let state = Scratch::new();
    let (mut outbox, _) = Outbox::open(&store(&state)).await.unwrap();
    outbox.append(&event(1)).await.unwrap();
    let add = |bytes: &[u8]| {
        let path = path(state.path(), 1);
        OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
    };
    add(b"{\"schema\":9,\"news\":true}\n\0\0\0\n");
    outbox.append(&event(2)).await.unwrap();
    outbox.append(&event(2)).await.unwrap();
    add(&serde_json::to_vec(&event(3)).unwrap()[..20]);
    fs::write(state.path().join("outbox/00000000000000000009.jsonl"), "\0\0\0").unwrap();
    fs::write(state.path().join("outbox/note.txt"), "a person's").unwrap();
    fs::write(dropped_path(state.path()), "{").unwrap();
    let (_, left) = Outbox::open(&store(&state)).await.unwrap();
    assert_eq!(numbers(&left), [1, 2], "once, in order, and not the cut off one");
    assert_eq!(left.dropped, None);
    assert_eq!(
        files(&state),
        ["00000000000000000001.jsonl", "dropped.json", "note.txt"],
        "what tells nothing goes, what is not ours stays"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn what_was_given_up_is_counted_over_a_restart_and_the_one_in_flight_stays() {
    let state = Scratch::new();
    let (mut outbox, _) = Outbox::open(&store(&state)).await.unwrap();
    for seq in 1..=3 * FILE_EVENTS {
        outbox.append(&event(seq)).await.unwrap();
    }
    let dropped = Dropped {
        count: 2 * FILE_EVENTS,
        first: 2,
        last: 2 * FILE_EVENTS + 1,
        at: Timestamp(5),
        clock_synced: true,
    };
    let delivery =
        Delivery { in_flight: Some(1), kept_from: 2 * FILE_EVENTS + 2, ..given_up(dropped) };
    outbox.forget(delivery).await.unwrap();
    let (mut outbox, left) = Outbox::open(&store(&state)).await.unwrap();
    assert_eq!(left.dropped, Some(dropped));
    let rest = 2 * FILE_EVENTS + 2..=3 * FILE_EVENTS;
    assert_eq!(numbers(&left), std::iter::once(1).chain(rest).collect::<Vec<_>>());
    outbox.forget(Delivery { in_flight: None, dropped: None, ..delivery }).await.unwrap();
    // The last one given up lies in a file that is still needed: its number is the one under which it was told.
    for restart in 0..2 {
        let (_, left) = Outbox::open(&store(&state)).await.unwrap();
        let rest = 2 * FILE_EVENTS + 2..=3 * FILE_EVENTS;
        assert_eq!((left.dropped, numbers(&left)), (None, rest.collect()), "{restart}");
    }
    let (mut outbox, _) = Outbox::open(&store(&state)).await.unwrap();
    outbox.forget(kept_from(3 * FILE_EVENTS)).await.unwrap();
    assert_eq!(files(&state), ["00000000000000000129.jsonl", "dropped.json"]);
    outbox.forget(kept_from(3 * FILE_EVENTS + 1)).await.unwrap();
    assert!(files(&state).is_empty(), "nothing is left of which it could tell");
}

/// What is given up and told within one file, which stays, and then again.
#[tokio::test(flavor = "current_thread")]
async fn what_was_told_is_not_read_again_whatever_is_given_up_after_it() {
    let state = Scratch::new();
    let (mut outbox, _) = Outbox::open(&store(&state)).await.unwrap();
    for seq in 1..=FILE_EVENTS + 1 {
        outbox.append(&event(seq)).await.unwrap();
    }
    let gap = |first, last| {
        let count = last - first + 1;
        Some(Dropped { count, first, last, at: Timestamp(5), clock_synced: true })
    };
    let delivery = |in_flight, kept_from, dropped| Delivery {
        in_flight,
        kept_from,
        dropped,
        ..Delivery::default()
    };
    // 9 acknowledged, the broker deaf on 10, room for all but 11 to 14.
    outbox.forget(delivery(Some(10), 15, gap(11, 14))).await.unwrap();
    let (_, left) = Outbox::open(&store(&state)).await.unwrap();
    assert_eq!(left.dropped, None, "not told yet, and no file has gone");
    // 10 acknowledged, then what tells of them, while one more is given up.
    outbox.forget(delivery(None, 15, gap(11, 14))).await.unwrap();
    outbox.forget(delivery(None, 16, gap(15, 15))).await.unwrap();
    let (_, left) = Outbox::open(&store(&state)).await.unwrap();
    assert_eq!((left.dropped, numbers(&left)), (gap(15, 15), (16..=FILE_EVENTS + 1).collect()));
    outbox.forget(delivery(Some(16), 17, None)).await.unwrap();
    outbox.forget(delivery(Some(16), FILE_EVENTS + 2, gap(17, FILE_EVENTS + 1))).await.unwrap();
    let (_, left) = Outbox::open(&store(&state)).await.unwrap();
    assert_eq!(left.events.first().map(|event| event.seq), Some(16));
}

#[tokio::test(flavor = "current_thread")]
async fn a_full_disk_takes_events_into_the_room_that_was_kept_then_costs_the_new_one_and_no_old_one()
 {
    let disk = Scratch::disk(256 * 1024);
    let (mut outbox, _) = Outbox::open(&store(&disk)).await.unwrap();
    outbox.append(&event(1)).await.unwrap();
    let room = disk.path().join("outbox.room");
    assert!(room.exists());
    fill(disk.path());
    let long = |seq| Event { text: "x".repeat(8 * 1024), ..event(seq) };
    let mut seq = 1;
    let error = loop {
        seq += 1;
        if let Err(error) = outbox.append(&long(seq)).await {
            break error;
        }
    };
    assert!(error.is_disk_full() && !room.exists());
    assert!(seq > 6, "{seq}: the room held some");
    let (_, left) = Outbox::open(&store(&disk)).await.unwrap();
    assert_eq!(
        numbers(&left),
        (1..seq).collect::<Vec<_>>(),
        "each whole, and none but the last lost"
    );
    fs::remove_file(disk.path().join("filler")).unwrap();
    outbox.append(&event(seq)).await.unwrap();
    let (_, left) = Outbox::open(&store(&disk)).await.unwrap();
    assert_eq!(numbers(&left), (1..=seq).collect::<Vec<_>>(), "it goes on where it was");
}

/// As after a write whose folder could not be synced, or whose half could not be taken back.
#[tokio::test(flavor = "current_thread")]
async fn a_file_that_a_failed_write_left_is_written_anew() {
    let state = Scratch::new();
    let (mut outbox, _) = Outbox::open(&store(&state)).await.unwrap();
    fs::create_dir(folder(state.path())).unwrap();
    fs::write(path(state.path(), 7), "{\"schema\":1,\"bo").unwrap();
    outbox.append(&event(7)).await.unwrap();
    outbox.append(&event(8)).await.unwrap();
    let (_, left) = Outbox::open(&store(&state)).await.unwrap();
    assert_eq!(left.events, [event(7), event(8)]);
}

/// A file of ten events, cut off or spoilt at each of its bytes: what was before the place is read, nothing is made up,
/// and the next run goes on behind it.
#[tokio::test(flavor = "current_thread")]
async fn a_file_that_is_cut_or_garbled_anywhere_keeps_what_is_whole() {
    let state = Scratch::new();
    let (mut outbox, _) = Outbox::open(&store(&state)).await.unwrap();
    for seq in 1..=10 {
        outbox.append(&event(seq)).await.unwrap();
    }
    let file = path(state.path(), 1);
    let whole = fs::read(&file).unwrap();
    let line = whole.len() / 10;
    let lines: Vec<usize> =
        whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect();
    for at in (0..whole.len()).step_by(7) {
        let before = lines.iter().filter(|end| **end < at).count() as u64;
        fs::write(&file, &whole[..at]).unwrap();
        let left = read_all(state.path()).unwrap().2;
        assert_eq!(numbers(&left), (1..=before).collect::<Vec<_>>(), "cut at {at}");
        for block in [1, 3, line] {
            let mut spoilt = whole.clone();
            let end = (at + block).min(whole.len());
            spoilt[at..end].fill(0);
            fs::write(&file, &spoilt).unwrap();
            let left = read_all(state.path()).unwrap().2;
            let read = numbers(&left);
            assert!(read.is_sorted_by(|a, b| a < b), "{read:?}");
            assert!(
                read.iter().take_while(|seq| **seq <= before).count() as u64 == before,
                "{at}: {read:?}"
            );
            // Zeros over the end of a line join it with the next: at most so many are lost.
            assert!(read.len() + 3 >= 10, "{at}, {block}: {read:?}");
            let is_as_written = |one: &Event| {
                serde_json::to_vec(one).is_ok_and(|it| whole.windows(it.len()).any(|w| w == it))
            };
            assert!(left.events.iter().all(is_as_written), "{at}, {block}: nothing is made up");
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_about_to_be_told_is_written_though_no_file_goes_and_written_once() {
    let state = Scratch::new();
    let (mut outbox, _) = Outbox::open(&store(&state)).await.unwrap();
    for seq in 1..=4 {
        outbox.append(&event(2 * seq)).await.unwrap();
    }
    let gap = Dropped { count: 2, first: 2, last: 4, at: Timestamp(5), clock_synced: true };
    let before = Delivery { kept_from: 6, ..given_up(gap) };
    outbox.forget(before).await.unwrap();
    assert_eq!(files(&state).len(), 1, "not yet");
    let due = Delivery { is_to_be_kept: true, ..before };
    outbox.forget(due).await.unwrap();
    let written = fs::metadata(dropped_path(state.path())).unwrap().modified().unwrap();
    for delivery in [due, before] {
        outbox.forget(delivery).await.unwrap();
        let again = fs::metadata(dropped_path(state.path())).unwrap().modified().unwrap();
        assert_eq!(written, again);
    }
    let (_, left) = Outbox::open(&store(&state)).await.unwrap();
    assert_eq!((left.dropped, numbers(&left)), (Some(gap), vec![6, 8]));
}

#[tokio::test(flavor = "current_thread")]
async fn numbers_end_above_events_and_what_was_given_up() {
    let state = Scratch::new();
    assert_eq!(numbers_end(state.path()), 0, "nothing is known");
    let (mut outbox, _) = Outbox::open(&store(&state)).await.unwrap();
    for seq in [2, 4, 900] {
        outbox.append(&event(seq)).await.unwrap();
    }
    assert_eq!(numbers_end(state.path()), 902);
    let gap = Dropped { count: 3, first: 2, last: 900, at: Timestamp(5), clock_synced: true };
    outbox.forget(Delivery { kept_from: 901, ..given_up(gap) }).await.unwrap();
    assert_eq!(files(&state), ["dropped.json"]);
    assert_eq!(numbers_end(state.path()), 902);
    fs::create_dir(path(state.path(), 2_000)).unwrap();
    assert_eq!(numbers_end(state.path()), 2_130, "unreadable: all that a file can hold");
}
