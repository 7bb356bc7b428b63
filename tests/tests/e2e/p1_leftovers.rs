//! P1: which images go, and which never do: what runs, what is previous, and what is somebody else's.

use crate::start;
use harness::{App, Board, Fate, Kept, Meddling, SOON, Settings, wait_until};
use serde_json::{Value, json};

fn image_ids(board: &Board) -> Vec<String> {
    let images = board.engine().images();
    images.iter().filter_map(|image| image["Id"].as_str()).map(str::to_owned).collect()
}

/// Names of one image, tags and digests; None when it is gone.
fn names(board: &Board, id: &str) -> Option<Vec<String>> {
    let images = board.engine().images();
    let image = images.iter().find(|image| image["Id"] == id)?;
    let lists = [&image["RepoTags"], &image["RepoDigests"]];
    let all = lists.into_iter().filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    Some(all.filter(|name| !name.starts_with("<none>")).map(str::to_owned).collect())
}

/// A person's container that runs on an image.
fn run(board: &Board, name: &str, image: &str) {
    board.engine().create(name, &json!({"Image": image}));
    board.engine().start_container(name);
}

/// Takes every name off an image, as a removal that an engine broke off does: a container holds it meanwhile.
fn make_nameless(board: &Board, id: &str) {
    run(board, "holder", id);
    for name in names(board, id).expect("the image") {
        let target = format!("/images/{name}?force=1");
        board.engine().api("DELETE", &target, &Value::Null);
    }
    board.engine().remove_container("holder");
    assert_eq!(names(board, id), Some(Vec::new()), "it has no name, and is there");
}

fn update_to(board: &Board, wallet: &App, version: &str) -> String {
    let pushed = start::push(board, &start::image(version));
    wallet.update();
    wallet.wait_version(version);
    pushed.release
}

#[test]
fn p1_images_of_others_stay_and_an_own_one_that_somebody_uses_holds_up_no_update() {
    let board = Board::with(Settings { small_disks: true, ..Settings::default() });
    let wallet = start::installed(&board);
    let first = start::image("1.0.0").release();
    // A person's: one with a name, one that lost it, and a container on the agent's own tag.
    for version in ["7", "8"] {
        let other = start::image(version);
        board.registry().push("other", "stable", &other);
        board.engine().pull(&format!("{}/other:stable", board.registry().host()));
    }
    let (foreign, dangling) = (start::image("8").release(), start::image("7").release());
    make_nameless(&board, &dangling);
    run(&board, "guest", "titania-agent.local/wallet:g1");
    update_to(&board, &wallet, "2.0.0");
    let previous = update_to(&board, &wallet, "3.0.0");
    let third = update_to(&board, &wallet, "4.0.0");
    // Room is wanted: all goes that may.
    let disk = &board.disks().expect("small disks").engine;
    disk.leave(17 * 1024 * 1024);
    start::push(&board, &start::image("5.0.0"));
    wallet.update();
    wallet.wait("to wait for the disk", |app| app["next"]["waiting_for"] == "disk");
    let mut ids = image_ids(&board);
    ids.sort();
    let mut wanted = vec![first.clone(), previous, third, foreign, dangling];
    wanted.sort();
    assert_eq!(ids, wanted, "previous, what runs, what is used, and what is a person's");
    assert_eq!(names(&board, &first), Some(vec!["titania-agent.local/wallet:g1".to_owned()]));
    let guest = board.engine().container("guest").expect("the person's container");
    assert!(guest.is_running());
    disk.free();
    wallet.wait_version("5.0.0");
    // Nobody tells when it is used no longer: looked at again now and then, and by each run of the agent.
    board.engine().remove_container("guest");
    board.agent().restart();
    wait_until(SOON, "the image to go", || names(&board, &first).is_none());
}

#[test]
fn p1_own_image_that_an_engine_crash_left_without_a_name_goes_after_a_restart_of_the_agent() {
    let board = Board::start();
    let wallet = start::installed(&board);
    update_to(&board, &wallet, "2.0.0");
    update_to(&board, &wallet, "3.0.0");
    wallet.wait_kept(&Kept::of("wallet", &[3], &[1, 2, 3], &[2, 3]));
    board.agent().kill();
    // What the agent had removed is back without a name, and so is one that it never had.
    for (repository, version) in [("wallet", "1.0.0"), ("other", "9")] {
        board.registry().push(repository, "again", &start::image(version));
        board.engine().pull(&format!("{}/{repository}:again", board.registry().host()));
        make_nameless(&board, &start::image(version).release());
    }
    board.agent().start();
    let own = start::image("1.0.0").release();
    wait_until(SOON, "the agent's own to go", || names(&board, &own).is_none());
    let foreign = start::image("9").release();
    assert_eq!(names(&board, &foreign), Some(Vec::new()), "that of a person stays");
    assert_eq!(wallet.version().as_deref(), Some("3.0.0"));
    board.engine().api("DELETE", &format!("/images/{foreign}"), &Value::Null).well("clean up");
    wallet.wait_kept(&Kept::of("wallet", &[3], &[1, 2, 3], &[2, 3]));
}

#[test]
fn p1_purge_takes_an_image_without_a_name_along() {
    let board = Board::start();
    let wallet = start::installed(&board);
    update_to(&board, &wallet, "2.0.0");
    update_to(&board, &wallet, "3.0.0");
    wallet.wait_kept(&Kept::of("wallet", &[3], &[1, 2, 3], &[2, 3]));
    board.agent().ctl_well(&["stop", "wallet"]);
    wallet.wait_state("stopped");
    board.registry().push("wallet", "again", &start::image("1.0.0"));
    board.engine().pull(&format!("{}/wallet:again", board.registry().host()));
    make_nameless(&board, &start::image("1.0.0").release());
    board.agent().ctl_well(&["purge", "wallet", "--yes"]);
    wait_until(SOON, "every image to go", || image_ids(&board).is_empty());
}

/// A person's `docker pull` by digest alone: the image has no tag.
fn pull_by_digest(board: &Board, digest: &str) {
    let target =
        format!("/images/create?fromImage={}/wallet&tag={digest}", board.registry().host());
    let answer = board.engine().api("POST", &target, &Value::Null).well("pull").text();
    assert!(!answer.contains("\"error\""), "{answer}");
}

#[test]
fn p1_image_that_a_person_pulled_by_digest_before_the_agent_stays() {
    let board = Board::start();
    let first = start::image("1.0.0");
    let pushed = start::push(&board, &first);
    pull_by_digest(&board, &pushed.digest);
    let theirs = names(&board, &first.release()).expect("it is here");
    let wallet = start::installed(&board);
    update_to(&board, &wallet, "2.0.0");
    update_to(&board, &wallet, "3.0.0");
    wait_until(SOON, "the agent to let go of it", || {
        names(&board, &first.release()).is_some_and(|left| left == theirs)
    });
    let kept = Kept::of("wallet", &[3], &[1, 2, 3], &[2, 3]);
    wallet.wait_kept(&Kept { strays: vec![first.release()], ..kept });
}

#[test]
fn p1_own_image_that_a_crash_left_without_the_agents_tag_is_known_as_its_own() {
    let board = Board::with(Settings { proxies: true, ..Settings::default() });
    let wallet = start::installed(&board);
    let between = board.between().expect("proxies");
    between.engine().meddle(Meddling {
        is_it: Box::new(|method, target| method == "POST" && target.contains("/tag?")),
        fate: Fate::Dropped,
        times: u32::MAX,
    });
    between.lead(true);
    let second = start::image("2.0.0");
    start::push(&board, &second);
    wallet.update();
    wait_until(SOON, "the pull to end", || between.engine().met() > 0);
    board.agent().kill();
    assert!(names(&board, &second.release()).is_some(), "it is here, by its digest alone");
    between.engine().heal();
    board.agent().start();
    wallet.wait_version("2.0.0");
    update_to(&board, &wallet, "3.0.0");
    update_to(&board, &wallet, "4.0.0");
    wallet.wait_kept(&Kept::of("wallet", &[4], &[1, 2, 3, 4], &[3, 4]));
    assert_eq!(names(&board, &second.release()), None);
}
