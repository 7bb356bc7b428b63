//! The arithmetic of the estimate.

use alloc::string::ToString;

use super::*;

const MIB: u64 = 1024 * 1024;

fn content(n: u8) -> Digest {
    Digest::from_raw([n; 32])
}

fn layer(n: u8, bytes: u64) -> Layer {
    Layer { content: Some(content(n)), bytes, is_plain: false }
}

fn room(download: u64, unpacked: u64) -> ImageRoom {
    ImageRoom { download, unpacked }
}

#[test]
fn layers_that_the_engine_has_are_not_counted() {
    let image = [layer(1, 10 * MIB), layer(2, 2 * MIB), layer(3, MIB)];
    let held = |lists: &[&[u8]]| -> Vec<Vec<Digest>> {
        lists.iter().map(|list| list.iter().copied().map(content).collect()).collect()
    };
    for (case, held, want) in [
        ("nothing is here", held(&[]), room(13 * MIB, 39 * MIB)),
        ("the base is", held(&[&[1]]), room(3 * MIB, 9 * MIB)),
        ("the base with others on it", held(&[&[1, 7, 8]]), room(3 * MIB, 9 * MIB)),
        ("of two images the longer one counts", held(&[&[1], &[1, 2]]), room(MIB, 3 * MIB)),
        (
            "the same layer on another base is another one",
            held(&[&[7, 2, 3]]),
            room(13 * MIB, 39 * MIB),
        ),
        ("what lies above a layer that is not here", held(&[&[2, 3]]), room(13 * MIB, 39 * MIB)),
        ("all of it", held(&[&[1, 2, 3, 4]]), room(0, 0)),
    ] {
        assert_eq!(ImageRoom::of(&image, &held, Growth::default()), want, "{case}");
    }
}

#[test]
fn a_layer_that_travels_unpacked_takes_its_own_size() {
    let plain = Layer { is_plain: true, ..layer(1, 5) };
    assert_eq!(ImageRoom::of(&[plain, layer(2, 5)], &[], Growth::default()), room(10, 20));
}

#[test]
fn manifest_and_config_that_disagree_share_nothing() {
    let descriptor = |media_type: &str| Descriptor {
        media_type: media_type.to_string(),
        digest: content(9),
        size: 4,
    };
    let list = [
        descriptor("application/vnd.oci.image.layer.v1.tar"),
        descriptor("application/vnd.oci.image.layer.v1.tar+gzip"),
        descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip"),
        descriptor(""),
    ];
    let contents: Vec<Digest> = (1..=4).map(content).collect();
    let agreed = layers(&list, &contents);
    assert_eq!(
        agreed.iter().map(|one| one.is_plain).collect::<Vec<_>>(),
        [true, false, false, false]
    );
    assert_eq!(agreed[2], layer(3, 4));
    for wrong in [&contents[..3], &[]] {
        let told = layers(&list, wrong);
        assert!(told.iter().all(|one| one.content.is_none()), "{told:?}");
        let held = [contents.clone()];
        assert_eq!(ImageRoom::of(&told, &held, Growth::default()).download, 16);
    }
}

#[test]
fn hostile_sizes_stop_at_the_largest_number() {
    let huge = [layer(1, u64::MAX), layer(2, u64::MAX), layer(3, 1)];
    for growth in [Growth::default(), Growth::measured(u64::MAX, 1).unwrap()] {
        let told = ImageRoom::of(&huge, &[], growth);
        assert_eq!(told, room(u64::MAX, u64::MAX));
        assert_eq!((told.total(), told.at_least(u64::MAX)), (u64::MAX, told));
        assert_eq!(ImageRoom::of_sum(u64::MAX, growth), told);
    }
    let half = ImageRoom::of_sum(u64::MAX / 2, Growth::default());
    assert_eq!((half.unpacked, half.total()), (u64::MAX, u64::MAX));
    assert_eq!(ImageRoom::of(&[layer(1, 0)], &[], Growth::default()), room(0, 0));
}

#[test]
fn what_the_engine_measured_counts_within_bounds() {
    let unpacked = |measured: Option<Growth>| ImageRoom::of_sum(1_000, measured.unwrap()).unpacked;
    for (case, (size, download), want) in [
        ("twice, and a quarter to spare", (200 * MIB, 100 * MIB), 2_500),
        ("more than usual", (500 * MIB, 100 * MIB), 6_200),
        ("a store that tells the compressed size", (100 * MIB, 100 * MIB), 1_500),
        ("less than it downloaded", (1, 100 * MIB), 1_500),
        ("zeros", (1_000 * MIB, MIB), 20_000),
    ] {
        assert_eq!(unpacked(Growth::measured(size, download)), want, "{case}");
    }
    assert_eq!((Growth::measured(0, 5), Growth::measured(5, 0)), (None, None));
}

#[test]
fn what_was_seen_counts_for_more_than_an_estimate() {
    let told = room(10, 30);
    assert_eq!(told.at_least(40), told);
    assert_eq!(told.at_least(41), room(10, 31));
    assert_eq!(told.at_least(0), told);
    assert_eq!(room(10, 0).at_least(5), room(10, 0));
}
