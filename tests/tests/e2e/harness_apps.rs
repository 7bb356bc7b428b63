//! The program in the images finds another by name and holds the lock that the agent asks for.

use harness::{Board, Image, SOON, wait_until};
use nix::fcntl::{Flock, FlockArg};
use serde_json::json;
use std::fs::File;

#[test]
fn harness_two_programs_talk_by_name() {
    let board = Board::start();
    let engine = board.engine();
    let pushed = board.registry().push("thing", "1", &Image::version("1"));
    engine.pull(&pushed.tagged());
    let network = json!({"Name": "shared", "CheckDuplicate": true});
    let made = engine.api("POST", "/networks/create", &network);
    made.well("make a network");
    for (name, version) in [("g-1", "one"), ("g-2", "two")] {
        let alias = format!("app-{version}");
        let body = json!({
            "Image": pushed.tagged(),
            "HostConfig": {"NetworkMode": "shared"},
            "NetworkingConfig": {"EndpointsConfig": {"shared": {"Aliases": [alias]}}},
        });
        engine.create(name, &body);
        engine.start_container(name);
    }
    let first = engine.container("g-1").unwrap();
    let fetch = |name: &str| first.get(8080, &format!("/fetch?url=http://{name}:8080/health"));
    let heard = wait_until(SOON, "an answer by name", || match fetch("app-two") {
        Ok(answer) if answer.status == 200 => Ok(answer.text()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(heard, "healthy\n");
    let nobody = fetch("app-three").unwrap();
    assert_eq!(nobody.status, 502, "{}", nobody.text());
}

#[test]
fn harness_the_program_holds_its_update_lock() {
    let board = Board::start();
    let engine = board.engine();
    let pushed = board.registry().push("thing", "1", &Image::version("1"));
    engine.pull(&pushed.tagged());
    let state = board.folder().join("thing-state");
    std::fs::create_dir(&state).unwrap();
    let mount = json!({"Type": "bind", "Source": state, "Target": "/state"});
    let body = json!({"Image": pushed.tagged(), "HostConfig": {"Mounts": [mount]}});
    engine.create("thing", &body);
    engine.start_container("thing");
    let thing = engine.container("thing").unwrap();
    wait_until(SOON, "the lock to be held", || {
        let answer = thing.get(8080, "/flock?hold=1").ok()?;
        (answer.status == 200).then_some(())
    });
    let is_free = || {
        let file = File::open(state.join("update.lock")).unwrap();
        Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok()
    };
    assert!(!is_free());
    assert_eq!(thing.get(8080, "/flock?hold=0").unwrap().status, 200);
    assert!(is_free());
}
