//! When a registry is asked, and what an answer does to the apps that wait for it.

use super::*;

#[test]
fn polls_of_a_fleet_are_spread_by_the_board_s_id_and_never_nearer_than_a_minute() {
    let poll = Millis::seconds(900);
    let spans: Vec<u64> = (0..50).map(|n| spread(poll, &format!("board-{n}")).0).collect();
    assert!(spans.iter().all(|span| (720_000..=1_080_000).contains(span)), "{spans:?}");
    let (least, most) = (spans.iter().min(), spans.iter().max());
    assert!(most.zip(least).is_some_and(|(most, least)| most - least > 100_000), "{spans:?}");
    assert_eq!(spread(poll, "a"), spread(poll, "a"));
    assert_eq!(spread(Millis::seconds(60), "a").0.max(60_000), spread(Millis::seconds(60), "a").0);
}
