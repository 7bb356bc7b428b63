//! Each check complains of what it is there for.

use super::*;
use serde_json::json;

fn record(boots: Option<u64>) -> Value {
    let probation = boots.map(|boots| json!({"boots": boots}));
    json!({"current": {"generation": 4}, "intent": {"generation": 5, "probation": probation}})
}

fn fork(generation: u64, mark: Value) -> Value {
    json!({"generation": generation, "mark": mark})
}

#[test]
fn record_and_marks_say_who_comes_first() {
    let old = fork(4, json!({"kind": "committed", "count": 4}));
    let open = fork(5, Value::Null);
    let won = fork(5, json!({"kind": "committed", "count": 5}));
    let lost = fork(5, json!({"kind": "failed"}));
    for (case, boots, last, want) in [
        ("before probation", None, &open, 4),
        ("in probation", Some(1), &open, 5),
        ("committed by mark alone", Some(1), &won, 5),
        ("judged by mark alone", Some(2), &lost, 4),
    ] {
        let forks = [old.clone(), last.clone()];
        assert_eq!(wanted(&record(boots), &forks), Some(want), "{case}");
    }
    assert_eq!(wanted(&Value::Null, &[old, open]), Some(4), "without a record");
    assert_eq!(wanted(&Value::Null, &[]), None);
}

fn act(action: &str, generation: u64) -> Act {
    Act { action: action.to_owned(), generation }
}

#[test]
fn two_at_once_are_seen() {
    let well = [act("start", 4), act("die", 4), act("start", 5), act("die", 5), act("start", 4)];
    assert_eq!(never_two(&well), Vec::<String>::new());
    assert_eq!(never_two(&[act("start", 4), act("start", 5), act("die", 4)]).len(), 1);
}
