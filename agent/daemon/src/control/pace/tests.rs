//! Turns, on a clock of the test's own where times are judged.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::super::server::{
    ANSWERS_A_SECOND, ANSWERS_AT_ONCE, BACKLOG, CONNECTIONS_A_SECOND, CONNECTIONS_AT_ONCE,
    CONNECTIONS_MAX,
};
use super::*;

/// When each of `count` turns comes that are all asked for at once, after the first.
fn turns(bucket: &mut Bucket, start: Instant, count: u32) -> Vec<Duration> {
    let mut now = start;
    let mut turn = || {
        now += bucket.wait(now);
        bucket.take(now);
        now - start
    };
    (0..count).map(|_| turn()).collect()
}

#[test]
fn p10_turns_come_at_once_up_to_the_burst_then_evenly_and_rest_fills_it_again() {
    let start = Instant::now();
    let ms = Duration::from_millis;
    let mut bucket = Bucket::new(3, 100, start);
    assert_eq!(turns(&mut bucket, start, 6), [ms(0), ms(0), ms(0), ms(10), ms(20), ms(30)]);
    let soon = start + ms(50);
    assert_eq!(turns(&mut bucket, soon, 3), [ms(0), ms(0), ms(10)], "two of three are back");
    let later = start + ms(100_000);
    assert_eq!(turns(&mut bucket, later, 4), [ms(0), ms(0), ms(0), ms(10)], "never more than that");
    let mut least = Bucket::new(0, 0, start);
    assert_eq!(turns(&mut least, start, 2), [ms(0), ms(1000)]);
}

/// Whoever comes last finds a full backlog and every other connection waiting for its answer.
#[test]
fn p10_who_comes_last_behind_all_that_may_wait_is_answered_within_a_second() {
    let start = Instant::now();
    let last = |burst: u32, a_second, before: u32| {
        let mut bucket = Bucket::new(burst, a_second, start);
        turns(&mut bucket, start, burst);
        let turns = turns(&mut bucket, start, before + 1);
        turns.last().copied().unwrap_or_default()
    };
    let backlog = u32::try_from(BACKLOG).unwrap() + 1; // listen(2) takes one more
    let waiting = u32::try_from(CONNECTIONS_MAX).unwrap() - 1;
    let taken = last(CONNECTIONS_AT_ONCE, CONNECTIONS_A_SECOND, backlog);
    let answered = last(ANSWERS_AT_ONCE, ANSWERS_A_SECOND, waiting);
    let all = taken + answered;
    assert!(all < Duration::from_millis(900), "{taken:?} + {answered:?}; the rest is for the work");
    assert!(all > Duration::from_millis(300), "they do wait");
}

#[test]
fn p10_first_come_is_first_served_and_who_gives_up_takes_no_turn() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pace = Pace::new(1, 5);
        pace.turn().await;
        let begun = Instant::now();
        for _ in 0..200 {
            let mut gone = pin!(pace.turn());
            let mut context = Context::from_waker(Waker::noop());
            assert_eq!(gone.as_mut().poll(&mut context), Poll::Pending);
        }
        let order = RefCell::new(Vec::new());
        let one = async |name| {
            pace.turn().await;
            order.borrow_mut().push((name, begun.elapsed()));
        };
        tokio::join!(biased; one("a"), one("b"), one("c"));
        let order = order.into_inner();
        let names: Vec<&str> = order.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["a", "b", "c"]);
        let (passed, ms) = (order[2].1, Duration::from_millis);
        assert!(passed > ms(400), "{passed:?}: the third turn is not given before its time");
        assert!(passed < ms(10_000), "{passed:?}: two hundred who gave up were not waited for");
    });
}
