//! P2: what goes for want of room, and what does not.

use super::edges::fails;
use super::*;

#[test]
fn p2_room_is_made_for_a_reserve_that_found_none() {
    let failed = with(ready(), |w| {
        w.containers.remove(1);
        w.forks.remove(1);
        w.forks.insert(0, Fork { unfinished: true, ..fork(Generation(0), &spec(b"older"), None) });
        fails(w, NEW, StepName::Reserve, Class::Environment, 2000);
    });
    check(&[
        ("what is not needed goes", failed.clone(), "Prune"),
        ("nothing more can go", with(failed.clone(), |w| _ = w.forks.remove(0)), "wait Failed"),
        (
            "something is mounted in it: it stays for now, and is not tried again at once",
            with(failed.clone(), |w| {
                w.forks[0].set_aside = true;
                w.evidence.mounted.push(Generation(0));
            }),
            "wait Failed",
        ),
    ]);
    let old_image = with(failed, |w| {
        w.forks.remove(0);
        w.images.push(Generation(0));
    });
    check(&[
        ("an image of before previous goes", old_image.clone(), "Prune"),
        (
            "somebody's container uses it: reserve is tried again all the same",
            with(old_image.clone(), |w| w.evidence.in_use.push(Generation(0))),
            "wait Failed",
        ),
        (
            "and goes on when it is time",
            with(old_image, |w| {
                w.evidence.in_use.push(Generation(0));
                w.now = Moment(2000);
            }),
            "Reserve",
        ),
    ]);
}
