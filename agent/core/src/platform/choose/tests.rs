use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::super::tests::platform;
use super::*;

pub(in crate::platform) fn entry(text: &str) -> Entry {
    Entry { platform: Some(platform(text)), ..Entry::default() }
}

fn attestation() -> Entry {
    Entry {
        platform: Some(Platform::of("unknown", "unknown", "")),
        reference_type: ATTESTATION.to_string(),
        ..Entry::default()
    }
}

#[test]
fn p5_attestations_are_never_chosen() {
    let annotated = Entry { reference_type: ATTESTATION.to_string(), ..entry("linux/arm/v7") };
    let unknown = entry("unknown/unknown");
    let list = [annotated.clone(), unknown.clone(), entry("linux/arm/v7"), attestation()];
    let choice = choose(&list, &platform("linux/arm/v7")).unwrap();
    assert_eq!(choice.place, 2);
    assert_eq!(
        choice.reason,
        "linux/arm/v7 chosen for board linux/arm/v7: exact match; skipped: 3 attestations"
    );
    let none = choose(&[annotated, unknown, attestation()], &platform("linux/arm/v7")).unwrap_err();
    assert_eq!(none.to_string(), "no image for linux/arm/v7; the index has no image at all");
}

#[test]
fn p5_a_32_bit_userland_on_a_64_bit_kernel_gets_the_32_bit_image() {
    let list =
        [entry("linux/amd64"), entry("linux/arm64"), entry("linux/arm/v7"), entry("linux/arm/v6")];
    let on = |board: &str| choose(&list, &platform(board)).unwrap();
    assert_eq!(on("linux/arm/v7").place, 2);
    assert_eq!(on("linux/arm/v8").place, 2);
    assert_eq!(on("linux/arm64").place, 1);
    assert_eq!(
        on("linux/arm/v8").reason,
        "linux/arm/v7 chosen for board linux/arm/v8: runs there, and nothing nearer is offered (linux/arm/v8 before it); \
         skipped: linux/amd64, linux/arm64, linux/arm/v6"
    );
}

#[test]
fn p5_of_equal_entries_the_first_wins() {
    let list = [entry("linux/amd64"), entry("linux/arm/v7"), entry("linux/arm/v7")];
    let choice = choose(&list, &platform("linux/arm/v7")).unwrap();
    assert_eq!((choice.place, choice.further), (1, Vec::new()));
}

#[test]
fn an_index_without_a_match_tells_what_it_has() {
    let list = [entry("linux/amd64"), entry("linux/amd64"), entry("windows/amd64"), attestation()];
    let none = choose(&list, &platform("linux/arm/v7")).unwrap_err();
    assert_eq!(none.offered, ["linux/amd64", "windows/amd64"]);
    assert_eq!(none.to_string(), "no image for linux/arm/v7; it offers linux/amd64, windows/amd64");
}

#[test]
fn a_hostile_index_of_many_platforms_gives_a_short_message() {
    let list: Vec<Entry> = (0..5000).map(|n| entry(&format!("linux/x{n}"))).collect();
    let text = choose(&list, &platform("linux/arm/v7")).unwrap_err().to_string();
    assert!(text.ends_with("linux/x15 and 4984 more"), "{text}");
    assert!(text.len() < 300, "{text}");
}

#[test]
fn a_nested_index_is_told_as_one() {
    let nested = Entry { is_index: true, ..entry("linux/arm64") };
    let choice = choose(&[entry("linux/amd64"), nested], &platform("linux/arm64")).unwrap();
    assert!(choice.is_index);
    assert_eq!(
        choice.reason,
        "linux/arm64 chosen for board linux/arm64: exact match; it is an index in turn; skipped: linux/amd64"
    );
}

#[test]
fn an_entry_without_a_platform_comes_last_and_its_config_decides() {
    let bare = Entry::default();
    let index = Entry { is_index: true, ..Entry::default() };
    let board = platform("linux/arm/v6");
    let choice = choose(&[bare.clone(), entry("linux/arm/v5"), index.clone()], &board).unwrap();
    assert_eq!((choice.place, choice.further.as_slice()), (1, [].as_slice()));
    let choice = choose(&[entry("linux/amd64"), bare, index], &board).unwrap();
    assert_eq!(
        (choice.place, choice.further.as_slice(), choice.platform),
        (1, [2].as_slice(), None)
    );
    assert_eq!(
        choice.reason,
        "an entry without a platform chosen for board linux/arm/v6: nothing better; its own config decides; \
         skipped: linux/amd64, an entry without a platform"
    );
}

#[test]
fn an_entry_that_asks_for_features_of_the_system_does_not_match() {
    let wants = Entry { os_features: Vec::from(["erofs".to_string()]), ..entry("linux/arm64") };
    let choice = choose(&[wants, entry("linux/arm64")], &platform("linux/arm64")).unwrap();
    assert_eq!(choice.place, 1);
}
