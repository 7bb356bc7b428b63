//! The harness is what it says: without this no other case means anything.

use harness::{Board, Compression, Dialect, Entry, Image, SOON, Tree, wait_until};
use serde_json::json;

#[test]
fn harness_a_handmade_image_runs_serves_and_writes_its_state() {
    let board = Board::start();
    let image = Image::version("7")
        .passwd("app", 1234, 1235)
        .user("app")
        .env("COLOUR", "red")
        .cmd(&["--loud"]);
    let pushed = board.registry().push("thing", "7", &image);
    board.engine().pull(&pushed.tagged());
    let state = board.folder().join("thing-state");
    std::fs::create_dir(&state).unwrap();
    std::os::unix::fs::chown(&state, Some(1234), Some(1235)).unwrap();
    let mount = json!({"Type": "bind", "Source": state, "Target": "/state"});
    let body = json!({"Image": pushed.tagged(), "HostConfig": {"Mounts": [mount]}});
    board.engine().create("thing", &body);
    board.engine().start_container("thing");
    let thing = wait_until(SOON, "an answer", || {
        let thing = board.engine().container("thing")?;
        thing.get(8080, "/health").ok().map(|_| thing)
    });
    let get = |page: &str| thing.get(8080, page).unwrap().text();
    assert_eq!(get("/version"), "7");
    assert_eq!(get("/state"), "7\n");
    let id: serde_json::Value = serde_json::from_str(&get("/id")).unwrap();
    assert_eq!((&id["uid"], &id["gid"]), (&json!(1234), &json!(1235)));
    let told: serde_json::Value = serde_json::from_str(&get("/env")).unwrap();
    assert_eq!(told["args"], json!(["/test-app", "--loud"]));
    assert_eq!(told["env"]["COLOUR"], "red");
    assert_eq!(std::fs::read_to_string(state.join("stamp.log")).unwrap(), "7\n");
    assert_eq!(thing.image(), pushed.release, "overlay2 names the config");
    let before = Tree::read(&state);
    board.engine().stop_container("thing");
    let thing = board.engine().container("thing").unwrap();
    assert_eq!((thing.state().as_str(), thing.exit_code()), ("exited", 0));
    before.assert_same(&Tree::read(&state), "a stop writes nothing");
    assert_eq!(before.owners(), [(1234, 1235)]);
}

#[test]
fn harness_the_program_misbehaves_as_its_image_says() {
    let board = Board::start();
    let start = |name: &str, told: &str| {
        let image = Image::version("1").behaviour(told);
        let pushed = board.registry().push(name, "1", &image);
        board.engine().pull(&pushed.tagged());
        let body = json!({"Image": pushed.tagged(), "StopTimeout": 1});
        board.engine().create(name, &body);
        board.engine().start_container(name);
    };
    start("ill", "unhealthy");
    start("dead", "crash 5 100");
    start("deaf", "ignore-sigterm; hang");
    wait_until(SOON, "a 503", || {
        let ill = board.engine().container("ill")?;
        let answer = ill.get(8080, "/health").ok()?;
        (answer.status == 503).then_some(())
    });
    wait_until(SOON, "the crash", || {
        let dead = board.engine().container("dead")?;
        (dead.state() == "exited" && dead.exit_code() == 5).then_some(())
    });
    let deaf = board.engine().container("deaf").unwrap();
    assert!(deaf.is_running());
    board.engine().stop_container("deaf");
    let deaf = board.engine().container("deaf").unwrap();
    assert_eq!(deaf.exit_code(), 137, "only SIGKILL ends it");
}

#[test]
fn harness_the_registry_counts_and_keeps_releases_apart_from_layers() {
    let board = Board::start();
    let registry = board.registry();
    let image = Image::version("1");
    let first = registry.push("thing", "latest", &image);
    let other = image.clone().compressed(Compression::Gzip(1000));
    let again = registry.push("thing", "latest", &other);
    assert_ne!(first.digest, again.digest, "another layer, another manifest");
    assert_eq!(first.release, again.release, "the same release");
    assert_eq!(registry.heads("thing", "latest"), 0);
    let answer = registry.api("HEAD", "/v2/thing/manifests/latest", "", b"");
    assert_eq!(answer.header("docker-content-digest"), Some(again.digest.as_str()));
    wait_until(SOON, "one HEAD in the log", || registry.heads("thing", "latest") == 1);
    let arm = image.clone().platform("linux/arm/v7");
    for dialect in [Dialect::Docker, Dialect::Oci] {
        let image = image.clone().dialect(dialect);
        let arm = arm.clone().dialect(dialect);
        let entries = [Entry::Image(&arm), Entry::Image(&image), Entry::Attestation(&image)];
        let index = registry.push_index("many", "1", dialect, &entries);
        let name = format!("{}:{}", index.repository, index.tag);
        board.engine().pull(&name);
        let images = board.engine().images();
        let found = images.iter().find(|one| one["RepoTags"] == json!([name]));
        assert_eq!(found.unwrap()["Id"], image.release().as_str());
        board.engine().remove_image(&name);
    }
}

#[test]
fn harness_a_client_sees_retained_messages_and_comes_back() {
    let board = Board::start();
    let broker = board.broker();
    broker.publish("titania/x/kept", "old", true);
    let listener = broker.listen(&["titania/#"]);
    let kept = listener.wait(SOON, "the kept one", |one| one.topic == "titania/x/kept");
    assert!(kept.is_retained);
    broker.publish("titania/x/kept", "new", true);
    let fresh = listener.wait(SOON, "the new one", |one| one.payload == "new");
    assert!(!fresh.is_retained, "it came while we listened");
    assert_eq!(broker.retained("titania/x/kept").unwrap().payload, "new");
    assert_eq!(broker.retained("titania/x/nothing"), None);
    broker.stop();
    broker.start();
    assert_eq!(broker.retained("titania/x/kept"), None, "memory only");
    wait_until(SOON, "the client is back", || {
        broker.publish("titania/x/again", "1", false);
        !listener.on("titania/x/again").is_empty()
    });
}

#[test]
fn harness_a_power_cut_ends_all_and_the_board_boots_again() {
    let board = Board::start();
    let pushed = board.registry().push("thing", "1", &Image::version("1"));
    board.engine().pull(&pushed.tagged());
    let policy = json!({"RestartPolicy": {"Name": "unless-stopped"}});
    let body = json!({"Image": pushed.tagged(), "HostConfig": policy});
    board.engine().create("thing", &body);
    board.engine().start_container("thing");
    let before = board.engine().container("thing").unwrap();
    let boot = || std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let boot_before = boot();
    board.cut_power();
    let process = format!("/proc/{}/exe", before.pid());
    assert!(std::fs::read_link(process).is_err(), "the app is dead");
    board.new_boot_id();
    assert_ne!(boot_before, boot());
    board.engine().start();
    wait_until(SOON, "the engine starts it again", || {
        let thing = board.engine().container("thing")?;
        (thing.is_running() && thing.started_at() != before.started_at()).then_some(())
    });
    let thing = board.engine().container("thing").unwrap();
    board.engine().kill();
    let process = format!("/proc/{}/exe", thing.pid());
    let alive = std::fs::read_link(process).is_ok();
    assert!(alive, "a crash of dockerd leaves the app alive");
    board.engine().start();
}
