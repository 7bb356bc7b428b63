//! Sums, and how a refusal reads.

use super::*;

const VOLUMES: &str = "/var/lib/titania-volumes";
const ENGINE: &str = "/var/lib/docker";

fn image(download: u64, unpacked: u64) -> ImageRoom {
    ImageRoom { download: download * MIB, unpacked: unpacked * MIB }
}

#[test]
fn what_lies_on_one_disk_is_added_up() {
    let (volumes, engine) = (Path::new(VOLUMES), Path::new(ENGINE));
    let total = |engine| -> Vec<(String, u64)> {
        let places = of_update(volumes, engine, 4 * MIB, image(10, 30), 256 * MIB);
        let told = places.into_iter();
        told.map(|(path, need)| (path.display().to_string(), need.total() / MIB)).collect()
    };
    assert_eq!(total(Some((engine, true))), [(VOLUMES.to_owned(), 300)]);
    let apart = [(VOLUMES.to_owned(), 260), (ENGINE.to_owned(), 296)];
    assert_eq!(total(Some((engine, false))), apart);
    assert_eq!(total(None), [(VOLUMES.to_owned(), 260)], "of an engine elsewhere nothing is known");
}

#[test]
fn a_refusal_shows_what_is_needed_for_what_and_what_is_free() {
    let need = Need { image: image(10, 30), copy: 4 * MIB, reserve: 256 * MIB };
    assert_eq!(shortage(Path::new(ENGINE), &need, 300 * MIB), None, "enough to the byte");
    let told = shortage(Path::new(ENGINE), &need, 300 * MIB - 1).expect("a byte too few");
    assert_eq!(
        told.message,
        "/var/lib/docker needs 300 MiB free (10 MiB to download, 30 MiB unpacked, 4 MiB for the copy of its state, \
         256 MiB in reserve), 299 MiB are"
    );
    assert_eq!((told.code, told.class), (Code::DiskLow, Class::Environment));
    assert_eq!(told.hint, "make room on the disk of /var/lib/docker");
    let told = shortage(Path::new(VOLUMES), &Need::reserve(256 * MIB), 100).expect("too few");
    assert_eq!(
        told.message,
        "/var/lib/titania-volumes needs 256 MiB free (256 MiB in reserve), 0 KiB are"
    );
}

#[test]
fn sums_stop_at_the_largest_number() {
    let huge = ImageRoom { download: u64::MAX, unpacked: u64::MAX };
    let need = Need { image: huge, copy: u64::MAX, reserve: u64::MAX };
    assert_eq!(need.total(), u64::MAX);
    let told = shortage(Path::new("/"), &need, u64::MAX - 1).expect("never enough");
    assert!(told.message.contains("17179869184 GiB"), "{}", told.message);
}

#[test]
fn bytes_read_well() {
    for (count, want, free) in [
        (0, "0 KiB", "0 KiB"),
        (1, "1 KiB", "0 KiB"),
        (MIB - 1, "1024 KiB", "1023 KiB"),
        (MIB, "1 MiB", "1 MiB"),
        (310 * MIB, "310 MiB", "310 MiB"),
        (310 * MIB + 1, "311 MiB", "310 MiB"),
        (20 * 1024 * MIB, "20 GiB", "20 GiB"),
    ] {
        assert_eq!((bytes(count).as_str(), bytes_free(count).as_str()), (want, free));
    }
}
