//! Promises of names.

use super::*;

#[test]
fn names_of_apps_follow_their_rule() {
    let longest = "a".repeat(63);
    for good in [
        "a",
        "7",
        "wallet",
        "global.iop.can",
        "a-b_c.d",
        "x-g",
        "x-g1a",
        "g12",
        "a-probes",
        "probe",
        &longest,
    ] {
        assert_eq!(good.parse::<AppName>().map(String::from).as_deref(), Ok(good));
    }
    let too_long = "a".repeat(64);
    for bad in ["", ".a", "a.", "-a", "a_", "A", "a b", "a/b", "ü", "a\n", &too_long] {
        assert!(matches!(bad.parse::<AppName>(), Err(NameError::Shape(_))), "{bad:?}");
    }
    for reserved in ["a-probe", "a-g1", "a-g0012", "a-g1-g2"] {
        assert!(matches!(reserved.parse::<AppName>(), Err(NameError::Reserved(_))), "{reserved}");
    }
}

#[test]
fn no_app_has_the_name_of_another_ones_container() {
    let app: AppName = "wallet".parse().unwrap();
    assert_eq!(app.container(Generation(12)), "wallet-g12");
    assert!(app.container(Generation(12)).parse::<AppName>().is_err());
}

#[test]
fn a_name_in_json_is_checked_as_well() {
    assert_eq!(serde_json::from_str::<AppName>("\"wallet\"").unwrap().as_str(), "wallet");
    assert!(serde_json::from_str::<AppName>("\"../wallet\"").is_err());
}

#[test]
fn numbers_of_generations_never_wrap() {
    assert_eq!(Generation(1).next(), Generation(2));
    assert_eq!(Generation(u64::MAX).next(), Generation(u64::MAX));
}
