//! Which tag is the highest.

use super::*;

#[test]
fn the_highest_tag_within_the_range_is_wanted() {
    let tags = [
        "latest",
        "v0.26.0",
        "0.27.1",
        "0.27.1-rc1",
        "v0.27.10",
        "0.28.0",
        "0.28.0-beta",
        "1.0",
        "nightly-7",
    ];
    for (text, wanted) in [
        (">=0.26, <0.28", Some("v0.27.10")),
        ("^0.26", Some("v0.26.0")),
        ("*", Some("0.28.0")),
        (">=0.28.0-alpha, <0.29", Some("0.28.0")),
        ("=0.27.1-rc1", Some("0.27.1-rc1")),
        (">=2", None),
        ("no range", None),
    ] {
        assert_eq!(highest(text, tags), wanted, "{text}");
        let turned = tags.into_iter().rev();
        assert_eq!(highest(text, turned), wanted, "{text}, in another order");
    }
}

#[test]
fn of_two_tags_of_one_version_it_is_always_the_same_one() {
    for tags in [["v1.0.0", "1.0.0"], ["1.0.0", "v1.0.0"]] {
        assert_eq!(highest("^1", tags), Some("1.0.0"));
    }
    for tags in [["1.0.0+b", "1.0.0+a"], ["1.0.0+a", "1.0.0+b"]] {
        assert_eq!(highest("^1", tags), Some("1.0.0+a"), "a build suffix counts nothing");
    }
}

#[test]
fn a_range_is_checked_before_it_is_used() {
    for good in [">=0.26, <0.28", "*", "^1", "~1.2", "1", "=1.2.3"] {
        assert_eq!(range(good), Ok(()), "{good}");
    }
    for bad in ["", ">=0.26 <0.28", "latest", ">=", "1.2.3.4"] {
        assert!(range(bad).is_err(), "{bad}");
    }
}
