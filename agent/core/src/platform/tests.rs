use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::choose::tests::entry;
use super::*;

pub(super) fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

/// Every platform that the field publishes images for, or that a board may be.
const KNOWN: [&str; 40] = [
    "linux/amd64",
    "linux/amd64/v2",
    "linux/amd64/v3",
    "linux/amd64/v4",
    "linux/386",
    "linux/arm/v4",
    "linux/arm/v5",
    "linux/arm/v6",
    "linux/arm/v7",
    "linux/arm/v8",
    "linux/arm64",
    "linux/arm64/v8.1",
    "linux/arm64/v8.2",
    "linux/arm64/v8.3",
    "linux/arm64/v8.4",
    "linux/arm64/v8.5",
    "linux/arm64/v8.6",
    "linux/arm64/v8.7",
    "linux/arm64/v8.8",
    "linux/arm64/v8.9",
    "linux/arm64/v9",
    "linux/arm64/v9.1",
    "linux/arm64/v9.2",
    "linux/arm64/v9.3",
    "linux/arm64/v9.4",
    "linux/arm64/v9.5",
    "linux/arm64/v9.6",
    "linux/arm64/v9.7",
    "linux/ppc64le",
    "linux/s390x",
    "linux/riscv64",
    "linux/mips64le",
    "linux/loong64",
    "windows/amd64",
    "windows/arm64",
    "windows/arm/v7",
    "darwin/arm64",
    "freebsd/amd64",
    "freebsd/arm64",
    "wasi/wasm",
];

/// What each board runs, best first. Every pair with [`KNOWN`] that is not in here must not match.
const RUNS: [(&str, &str); 19] = [
    ("linux/amd64", "linux/amd64 linux/386"),
    ("linux/amd64/v2", "linux/amd64/v2 linux/amd64 linux/386"),
    ("linux/amd64/v3", "linux/amd64/v3 linux/amd64/v2 linux/amd64 linux/386"),
    ("linux/amd64/v4", "linux/amd64/v4 linux/amd64/v3 linux/amd64/v2 linux/amd64 linux/386"),
    ("linux/386", "linux/386"),
    ("linux/arm/v4", "linux/arm/v4"),
    ("linux/arm/v5", "linux/arm/v5"),
    ("linux/arm/v6", "linux/arm/v6 linux/arm/v5"),
    ("linux/arm/v7", "linux/arm/v7 linux/arm/v6 linux/arm/v5"),
    ("linux/arm/v8", "linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5"),
    ("linux/arm64", "linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5"),
    (
        "linux/arm64/v8.2",
        "linux/arm64/v8.2 linux/arm64/v8.1 linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5",
    ),
    (
        "linux/arm64/v9",
        "linux/arm64/v9 linux/arm64/v8.5 linux/arm64/v8.4 linux/arm64/v8.3 linux/arm64/v8.2 linux/arm64/v8.1 \
         linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5",
    ),
    (
        "linux/arm64/v9.1",
        "linux/arm64/v9.1 linux/arm64/v9 linux/arm64/v8.6 linux/arm64/v8.5 linux/arm64/v8.4 linux/arm64/v8.3 \
         linux/arm64/v8.2 linux/arm64/v8.1 linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5",
    ),
    (
        "linux/arm64/v9.7",
        "linux/arm64/v9.7 linux/arm64/v9.6 linux/arm64/v9.5 linux/arm64/v9.4 linux/arm64/v9.3 linux/arm64/v9.2 \
         linux/arm64/v9.1 linux/arm64/v9 linux/arm64/v8.9 linux/arm64/v8.8 linux/arm64/v8.7 linux/arm64/v8.6 \
         linux/arm64/v8.5 linux/arm64/v8.4 linux/arm64/v8.3 linux/arm64/v8.2 linux/arm64/v8.1 linux/arm64 \
         linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5",
    ),
    ("linux/riscv64", "linux/riscv64"),
    ("linux/ppc64le", "linux/ppc64le"),
    ("linux/s390x", "linux/s390x"),
    ("windows/amd64", "windows/amd64 windows/386"),
];

#[test]
fn p5_every_pair_of_board_and_image_is_matched_as_containerd_matches_it() {
    let mut pairs = 0;
    for (board, runs) in RUNS {
        let wanted: Vec<Platform> = runs.split_whitespace().map(platform).collect();
        assert_eq!(platform(board).runs(), wanted, "{board}");
        for image in KNOWN {
            let image = platform(image);
            let place = wanted.iter().position(|p| *p == image);
            assert_eq!(platform(board).accepts(&image), place, "{image} on {board}");
            let alone = choose(&[entry(&image.to_string())], &platform(board));
            assert_eq!(alone.is_ok(), place.is_some(), "{image} alone, on {board}");
            pairs += 1;
        }
    }
    assert_eq!(pairs, RUNS.len() * KNOWN.len());
}

#[test]
fn p5_of_all_pairs_of_entries_the_one_nearer_to_the_board_wins_whatever_their_order() {
    for (board, runs) in RUNS {
        let runs: Vec<&str> = runs.split_whitespace().collect();
        for (better, first) in runs.iter().enumerate() {
            for second in runs.iter().skip(better + 1) {
                for (list, place) in
                    [([entry(first), entry(second)], 0), ([entry(second), entry(first)], 1)]
                {
                    let choice = choose(&list, &platform(board)).unwrap();
                    assert_eq!(choice.place, place, "{first} before {second} on {board}");
                }
            }
        }
    }
}

#[test]
fn words_are_normalised_as_containerd_does() {
    for (os, architecture, variant, shown) in [
        ("linux", "aarch64", "", "linux/arm64"),
        ("linux", "arm64", "v8", "linux/arm64"),
        ("linux", "arm64", "8", "linux/arm64"),
        ("linux", "arm64", "v8.0", "linux/arm64"),
        ("linux", "arm64", "9.0", "linux/arm64/v9"),
        ("linux", "arm64", "v9.0", "linux/arm64/v9"),
        ("linux", "armhf", "", "linux/arm/v7"),
        ("linux", "armel", "", "linux/arm/v6"),
        ("linux", "arm", "", "linux/arm/v7"),
        ("linux", "arm", "7", "linux/arm/v7"),
        ("linux", "arm", "6", "linux/arm/v6"),
        ("linux", "arm", "5", "linux/arm/v5"),
        ("linux", "arm", "8", "linux/arm/v8"),
        ("linux", "arm", "v6", "linux/arm/v6"),
        ("linux", "x86_64", "", "linux/amd64"),
        ("linux", "x86-64", "", "linux/amd64"),
        ("linux", "amd64", "v1", "linux/amd64"),
        ("linux", "amd64", "v3", "linux/amd64/v3"),
        ("linux", "i386", "v1", "linux/386"),
        ("Linux", "AMD64", "V2", "linux/amd64/v2"),
        ("macos", "arm64", "", "darwin/arm64"),
        ("linux", "riscv64", "", "linux/riscv64"),
    ] {
        let found = Platform::of(os, architecture, variant);
        assert_eq!(found.to_string(), shown, "{os} {architecture} {variant}");
        assert_eq!(platform(shown), found, "what is shown is read again");
    }
}

#[test]
fn a_text_that_is_no_platform_is_told() {
    for bad in [
        "",
        "linux",
        "linux/",
        "/arm",
        "linux/arm/v7/x",
        "linux/*",
        "linux/a\u{1b}[31m",
        &"a".repeat(33),
    ] {
        assert!(Platform::parse(bad).is_err(), "{bad:?}");
    }
    assert_eq!(
        Platform::parse("linux").unwrap_err().to_string(),
        "\"linux\" is no platform like linux/arm/v7, linux/arm64 or linux/amd64"
    );
    assert_eq!(platform("armhf").to_string(), "linux/arm/v7");
}

#[test]
fn hostile_words_of_an_index_are_harmless_when_shown() {
    let odd = Platform::of("li\u{1b}[2Jnux", &"x".repeat(1000), "\n");
    assert_eq!(odd.to_string(), format!("li??2jnux/{}/?", "x".repeat(WORD_CHARS_MAX)));
}
