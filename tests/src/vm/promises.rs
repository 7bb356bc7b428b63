//! P1 to P3 as they can be seen on a board after a power cut.
//!
//! Each check is a function from a [`Look`] to complaints, so that one look finds all that is wrong.

use super::look::{Act, Look};
use serde_json::Value;
use std::collections::BTreeSet;

/// Most starts of a release in its probation (DESIGN §4).
const BOOTS_MAX: u64 = 3;

/// What is known of the board from before: by which its promises are judged.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Versions that were committed, the first one first.
    pub committed: Vec<String>,
    /// All versions that may ever have been started.
    pub tried: BTreeSet<String>,
    /// The board's instance id.
    pub instance: String,
    /// Sums of the files that the state began with, and of those in data.
    pub state_sum: String,
    /// The same of the data volume.
    pub data_sum: String,
    /// What the app had written to its data volume at the last look.
    pub data_stamps: String,
}

/// The generation that must be started first in a boot, by record and marks as the boot found them:
/// the new one once its probation was written down and no verdict is there, else the one committed.
pub fn wanted(record: &Value, forks: &[Value]) -> Option<u64> {
    let mark_of = |generation: u64| {
        let fork = forks.iter().find(|fork| fork["generation"] == generation)?;
        Some(fork["mark"]["kind"].as_str().unwrap_or_default().to_owned())
    };
    let committed = forks.iter().filter(|fork| fork["mark"]["count"].is_u64());
    let highest = committed.max_by_key(|fork| fork["mark"]["count"].as_u64());
    let by_mark = highest.and_then(|fork| fork["generation"].as_u64());
    let current = by_mark.or_else(|| record["current"]["generation"].as_u64());
    let intent = &record["intent"];
    let new = intent["generation"].as_u64();
    let has_begun = intent["probation"]["boots"].as_u64().is_some_and(|boots| boots > 0);
    let is_judged =
        !intent["verdict"].is_null() || new.and_then(mark_of).is_some_and(|mark| !mark.is_empty());
    match new {
        Some(new) if has_begun && !is_judged => Some(new),
        _ => current,
    }
}

/// Two containers at once, by the engine's own account of this boot (P3).
pub fn never_two(acts: &[Act]) -> Vec<String> {
    let mut running = BTreeSet::new();
    let mut complaints = Vec::new();
    for act in acts {
        match act.action.as_str() {
            "start" => running.insert(act.generation),
            _ => running.remove(&act.generation),
        };
        if running.len() > 1 {
            complaints.push(format!("P3: generations {running:?} ran at once: {acts:?}"));
        }
    }
    complaints
}

/// The one that had to be started first was (P1). Where the engine kept the app's port for nobody it refused every
/// start: the update was given up for now, and the old one may be first when the engine was restarted. So it may where
/// `is_parent_lost`: whether the old one ran since its state was copied can't be known then (DESIGN §4, start).
pub fn right_one_first(look: &Look, is_parent_lost: bool) -> Vec<String> {
    let found = look.record_found();
    let wanted = wanted(&found, &look.forks_found());
    // The last start that a release has (DESIGN §4) was made: it may have ended unseen.
    let is_spent = found["intent"]["probation"]["boots"].as_u64() >= Some(BOOTS_MAX);
    let old = found["current"]["generation"]
        .as_u64()
        .filter(|_| is_parent_lost || is_spent || look.engine_was_restarted());
    let acts = look.acts();
    let first = acts.iter().find(|act| act.action == "start").map(|act| act.generation);
    match (wanted, first) {
        (Some(wanted), Some(first)) if wanted == first || old == Some(first) => Vec::new(),
        _ => vec![format!("P1: first started was {first:?}, by record and marks {wanted:?}")],
    }
}

/// State, data, identity and containers of a board at rest that runs `version`.
pub fn at_rest(look: &Look, known: &Known, version: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut check = |is_so: bool, text: String| {
        if !is_so {
            complaints.push(text);
        }
    };
    let same = |what: &str, found: &str, wanted: &str| {
        (found == wanted, format!("{what} is {found:?}, was {wanted:?}"))
    };
    let record = look.record();
    let generation = record["current"]["generation"].as_u64().unwrap_or(0);
    check(generation > 0, format!("the record is not readable: {:?}", look.text("record")));
    check(record["intent"].is_null(), format!("an update is left over: {}", record["intent"]));
    let containers = look.containers();
    let running = containers.iter().filter(|one| one["State"]["Running"] == true).count();
    check(containers.len() == 1 && running == 1, {
        format!("P3: {} containers, {running} running", containers.len())
    });
    let container = containers.first().unwrap_or(&Value::Null);
    let label = |name: &str| {
        let labels = &container["Config"]["Labels"];
        labels[format!("org.titania.agent.{name}")].as_str().unwrap_or_default().to_owned()
    };
    let number = generation.to_string();
    let (is_so, text) = same("the running generation", &label("generation"), &number);
    check(is_so, text);
    for (what, found) in [
        ("the id of the state folder", look.text("instance").trim()),
        ("the id of the volumes", look.text("instance of volumes").trim()),
        ("the id of the container", &label("instance")),
    ] {
        let (is_so, text) = same(what, found, &known.instance);
        check(is_so, text);
    }
    let is_unfinished =
        look.text("forks").lines().any(|name| name == format!("{number}.unfinished"));
    check(!is_unfinished, format!("P2: runs on an unfinished fork {number}"));
    let mut stamps = look.stamps(generation);
    stamps.dedup();
    let lineage: Vec<&str> = known.committed.iter().map(String::as_str).collect();
    check(stamps == lineage && stamps.last() == Some(&version), {
        format!("P2: state was written by {stamps:?}, committed were {lineage:?}, wanted {version}")
    });
    let state_sum = look.text(&format!("sum {generation}"));
    let (is_so, text) = same("P2: the state", state_sum, &known.state_sum);
    check(is_so, text);
    let (is_so, text) = same("P2: the data", look.text("data sum"), &known.data_sum);
    check(is_so, text);
    complaints.extend(data_kept(look, known));
    complaints.extend(never_two(&look.acts()));
    complaints
}

/// What the app wrote to its data volume is all there, and nothing else (P2).
fn data_kept(look: &Look, known: &Known) -> Vec<String> {
    let stamps = look.text("data stamps");
    let mut complaints = Vec::new();
    if !stamps.starts_with(&known.data_stamps) {
        complaints.push(format!("P2: data was {:?}, is {stamps:?}", known.data_stamps));
    }
    let torn: Vec<&str> = stamps.lines().filter(|line| !known.tried.contains(*line)).collect();
    if !torn.is_empty() {
        complaints.push(format!("P2: data has {torn:?}, which nobody wrote"));
    }
    complaints
}

#[cfg(test)]
#[path = "promises_tests.rs"]
mod tests;
