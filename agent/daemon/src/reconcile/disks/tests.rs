//! When a disk is low, and what is told of it.

use std::collections::BTreeSet;

use super::*;

const RESERVE: u64 = 256 << 20;

fn seen(number: u64, role: &str, free: u64, low: bool) -> Seen {
    let disk = Disk {
        role: role.to_owned(),
        path: format!("/{role}"),
        free_bytes: free,
        reserve_bytes: RESERVE,
        low,
    };
    Seen { number, disk }
}

#[test]
fn a_disk_at_the_edge_of_its_reserve_is_low_once() {
    let tenth = RESERVE + RESERVE / 10;
    for (case, was_low, free, want) in [
        ("at it", false, RESERVE, false),
        ("below it", false, RESERVE - 1, true),
        ("at it, from below", true, RESERVE, true),
        ("not quite a tenth more", true, tenth - 1, true),
        ("a tenth more", true, tenth, false),
        ("nothing", true, 0, true),
    ] {
        assert_eq!(is_low(was_low, free, RESERVE), want, "{case}");
    }
    assert!(!is_low(false, 0, 0), "no reserve, no complaint");
    assert!(is_low(true, u64::MAX - 1, u64::MAX), "a reserve that no disk has");
}

#[test]
fn one_disk_with_several_roles_is_told_once_each_way() {
    let mut low = BTreeSet::new();
    let look = |is_low, free| {
        [
            seen(7, "state", free, is_low),
            seen(7, "volumes", free, is_low),
            seen(8, "engine", RESERVE * 2, false),
        ]
    };
    let mut told = |looked: &[Seen]| -> Vec<(EventType, String)> {
        news(&mut low, looked).into_iter().map(|told| (told.kind, told.text)).collect()
    };
    assert_eq!(told(&look(false, RESERVE)), []);
    let text = "the disk of /state (state) and /volumes (volumes) is below its reserve: 11 MiB are free, 256 MiB \
                shall stay free";
    assert_eq!(told(&look(true, (12 << 20) - 1)), [(EventType::DiskLow, text.to_owned())]);
    assert_eq!(told(&look(true, 5)), []);
    assert_eq!(told(&[]), [], "it can't be looked at: nothing is known");
    let text = "the disk of /state (state) and /volumes (volumes) has room again: 512 MiB are free";
    assert_eq!(told(&look(false, RESERVE * 2)), [(EventType::DiskOk, text.to_owned())]);
    assert_eq!(told(&look(false, RESERVE * 2)), []);
}

#[test]
fn more_room_than_at_the_last_look_is_noticed() {
    let at = |free| [seen(7, "engine", free, true), seen(8, "state", 5, false)];
    for (case, before, now, want) in [
        ("the same", 10, 10, false),
        ("less", GROWN_BYTES_MIN, 0, false),
        ("a little more", 10, 9 + GROWN_BYTES_MIN, false),
        ("enough more", 10, 10 + GROWN_BYTES_MIN, true),
    ] {
        assert_eq!(has_grown(&at(before), &at(now)), want, "{case}");
    }
    assert!(!has_grown(&[], &at(u64::MAX)), "another disk at that place says nothing");
}
