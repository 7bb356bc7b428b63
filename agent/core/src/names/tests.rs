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

#[test]
fn p6_a_number_that_an_engine_does_not_map_is_none_on_the_board() {
    let owner = |uid, gid| Owner { uid, gid };
    let base = owner(300_000, 400_000);
    let last = MAPPED_IDS - 1;
    assert_eq!(owner(last, last).on_board(Some(base)), Some(owner(365_535, 465_535)));
    for outside in [owner(MAPPED_IDS, 0), owner(0, MAPPED_IDS), owner(100_000, 100_000)] {
        assert_eq!(outside.on_board(Some(base)), None, "{outside}");
        assert_eq!(outside.on_board(None), Some(outside), "an engine that maps none");
    }
}

#[test]
fn p6_numbers_on_the_board_are_those_of_the_container_where_the_engine_maps_none() {
    let owner = |uid, gid| Owner { uid, gid };
    let base = Some(owner(300_000, 400_000));
    for (of, base, inside, wanted) in [
        (owner(1000, 100), None, owner(1000, 100), Some(owner(1000, 100))),
        (owner(1000, 100), base, owner(1000, 100), Some(owner(301_000, 400_100))),
        (owner(0, 0), base, owner(0, 0), Some(owner(300_000, 400_000))),
        (owner(70_001, 70_001), None, owner(70_001, 70_001), Some(owner(70_001, 70_001))),
        (owner(70_001, 70_001), base, owner(50_001, 50_001), Some(owner(350_001, 450_001))),
        (owner(79_999, 44), base, owner(59_999, 44), Some(owner(359_999, 400_044))),
        (owner(1000, 100), Some(owner(u32::MAX, 0)), owner(1000, 100), None),
    ] {
        assert_eq!(of.inside(base.is_some()), inside, "{of}");
        assert_eq!(of.on_board(base), wanted, "{of}");
        assert!(base.is_none() || inside.uid < MAPPED_IDS);
        assert_eq!(base.is_some() && is_pool_inside(inside.uid), inside != of, "{of}");
    }
}
