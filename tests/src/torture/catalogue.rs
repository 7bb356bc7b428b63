//! All faults, each as often as it is drawn in one round.

use super::fault::{Call, Disk, Fault, Hand, Kind, Loss, Thing, Trouble, Victim, Whose};
use super::instant::Instant;
use super::run::Plan;

/// Every fault; those that hit a step by chance come several times.
pub fn catalogue() -> Vec<Fault> {
    let mut all = Vec::new();
    for (victim, times) in [
        (Victim::Agent, 8),
        (Victim::AgentTwice, 4),
        (Victim::Engine, 6),
        (Victim::Both, 4),
        (Victim::Containerd, 2),
        (Victim::Power, 4),
    ] {
        all.extend(vec![Fault::Killed(victim); times]);
    }
    for call in Call::ALL {
        all.extend([Loss::Cut, Loss::Late, Loss::Dropped].map(|loss| Fault::Answer(call, loss)));
    }
    // Of other calls the agent awaits the answer for two minutes and more.
    all.extend([Call::Stop, Call::Inspect].map(|call| Fault::Answer(call, Loss::TimedOut)));
    all.extend(
        [
            Trouble::Limits,
            Trouble::Fails,
            Trouble::Away,
            Trouble::TornBlob,
            Trouble::SpoiltBlob,
            Trouble::SpoiltManifest,
            Trouble::Stalls,
        ]
        .map(Fault::Registry),
    );
    for disk in [Disk::Volumes, Disk::Records, Disk::Engine] {
        all.extend([Fault::Full(disk); 2]);
    }
    for hand in [Hand::Remove, Hand::Stop, Hand::Start, Hand::Kill] {
        all.extend([Whose::Old, Whose::New].map(|whose| Fault::Person(hand, whose)));
    }
    all.push(Fault::Pruned);
    all.extend(
        [Thing::EngineData, Thing::Record, Thing::Records, Thing::HalfRecord, Thing::RecordContent]
            .map(Fault::Lost),
    );
    all
}

/// One of each kind at instants that were chosen by hand, for every run of the tests.
pub fn quick() -> Vec<Plan> {
    let at = |word: &str| Instant::Boundary { word: word.to_owned(), nth: 0 };
    let good = |fault, when| Plan { fault, kind: Kind::Good, when, hold_ms: 500, skip: 0 };
    let bad = |fault, when| Plan { kind: Kind::Unhealthy, ..good(fault, when) };
    vec![
        good(Fault::Killed(Victim::Agent), at("create new")),
        good(Fault::Killed(Victim::AgentTwice), at("start new")),
        bad(Fault::Killed(Victim::Agent), at("write verdict")),
        good(Fault::Killed(Victim::Engine), at("fork new")),
        good(Fault::Killed(Victim::Both), at("mark new committed")),
        good(Fault::Answer(Call::Create, Loss::Cut), Instant::Rest),
        good(Fault::Answer(Call::Start, Loss::Late), Instant::Rest),
        bad(Fault::Answer(Call::Remove, Loss::Dropped), Instant::Rest),
        good(Fault::Registry(Trouble::TornBlob), Instant::Rest),
        good(Fault::Full(Disk::Records), at("write boots")),
        good(Fault::Person(Hand::Remove, Whose::Old), at("write boots")),
        good(Fault::Lost(Thing::RecordContent), at("remove old")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_which_fault_it_is() {
        let mut faults = catalogue();
        faults.dedup();
        let mut names: Vec<String> = faults.iter().map(ToString::to_string).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), faults.len());
    }
}
