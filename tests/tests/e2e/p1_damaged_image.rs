//! P1, P4: files of an image that lost their content on the board's disk, as a power cut leaves them.

use crate::start;
use harness::{App, Board, Kept, SOON, wait_until};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The program in the layers on the disk of an image.
fn programs(board: &Board, image: &str) -> Vec<PathBuf> {
    let layers = board.engine().layers(image);
    let all: Vec<PathBuf> = layers.iter().map(|layer| layer.join("test-app")).collect();
    let found: Vec<PathBuf> = all.into_iter().filter(|path| path.exists()).collect();
    assert_eq!(found.len(), 1, "{image}: {layers:?}");
    found
}

/// What a power cut leaves of a file that was not on the disk yet.
fn empty(files: &[PathBuf]) {
    for file in files {
        std::fs::File::create(file).expect("a file of a layer");
    }
}

/// Waits until the app was repaired, and returns that line of history.
fn wait_repaired(app: &App) -> Value {
    let status = app.wait("to be repaired", |app| {
        app["last"]["trigger"] == "repair" && app["state"] == "ok" && app["update"].is_null()
    });
    status["last"].clone()
}

fn is_damage(reason: &Value) -> bool {
    reason["code"] == "image_damaged" && reason["class"] == "environment"
}

#[test]
fn p1_app_comes_back_after_a_power_cut_that_emptied_a_file_of_its_image() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let listener = board.listen();
    let before = wallet.container();
    let data = wallet.page("/data");
    let programs = programs(&board, "titania-agent.local/wallet:g1");
    board.cut_power();
    empty(&programs);
    board.boot();

    let line = wait_repaired(&wallet);
    assert_eq!((&line["outcome"], &line["generation"]), (&json!("committed"), &json!(1)));
    assert_eq!(line["to"]["config"], start::image("1.0.0").release().as_str());
    assert_eq!(line["reason"], json!(null));
    let steps = line["steps"].to_string();
    assert!(steps.contains("fetch") && !steps.contains("probation"), "{steps}");
    let status = wallet.wait_version("1.0.0");
    assert_eq!(status["warnings"], json!([]), "{status:#}");
    assert_eq!(status["quarantine"], json!([]));
    let after = wallet.container();
    assert_ne!(before.id(), after.id(), "its container was made again");
    assert_eq!((after.name().as_str(), after.policy().as_str()), ("wallet-g1", "unless-stopped"));
    assert_eq!(after.binds(), before.binds(), "on the same fork");
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n", "an end before it began left no trace");
    assert!(wallet.page("/data").starts_with(&data));
    let triggers: Vec<_> = wallet.history().iter().map(|line| line["trigger"].clone()).collect();
    assert_eq!(triggers, ["repair", "install"]);
    listener.wait(SOON, "the repair to be shown", |message| {
        message.payload.contains("\"trigger\":\"repair\"")
    });
    wallet.wait_kept(&Kept::of("wallet", &[1], &[1], &[1]));

    // What comes after is an update as ever.
    start::push(&board, &start::image("2.0.0"));
    wallet.update();
    wallet.wait_version("2.0.0");
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2], &[1, 2]));
}

#[test]
fn p1_app_comes_back_where_its_entry_point_holds_zeros_or_lost_its_end() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let damages: [fn(&mut Vec<u8>); 2] =
        [|bytes| bytes.fill(0), |bytes| bytes.truncate(bytes.len() / 2)];
    for (count, damage) in (1..).zip(damages) {
        let programs = programs(&board, "titania-agent.local/wallet:g1");
        board.cut_power();
        for program in &programs {
            let mut bytes = std::fs::read(program).unwrap();
            damage(&mut bytes);
            std::fs::write(program, bytes).unwrap();
        }
        board.boot();
        wallet.wait("to be repaired", |app| {
            let history = wallet.history();
            let repairs = history.iter().filter(|line| line["trigger"] == "repair").count();
            repairs == count && app["state"] == "ok" && app["update"].is_null()
        });
        wallet.wait_version("1.0.0");
        wallet.wait_kept(&Kept::of("wallet", &[1], &[1], &[1]));
    }
}

#[test]
fn p1_nothing_of_a_damaged_release_is_removed_before_its_registry_has_it() {
    let board = Board::start();
    // Without the engine's own first process the very start is refused.
    let definition = start::definition(&board).set("init", false);
    let wallet = start::installed_as(&board, &start::image("1.0.0"), definition);
    let programs = programs(&board, "titania-agent.local/wallet:g1");
    board.agent().stop();
    board.engine().remove_container("wallet-g1");
    board.registry().stop();
    for program in &programs {
        std::fs::remove_file(program).unwrap();
    }
    board.agent().start();
    let status = wallet.wait("to be blocked for its registry", |app| {
        app["state"] == "blocked" && app["reason"]["code"] == "registry_unreachable"
    });
    let warnings = status["warnings"].as_array().unwrap();
    let damage = warnings.iter().find(|warning| is_damage(warning));
    let message = damage.unwrap_or_else(|| panic!("{status:#}"))["message"].to_string();
    assert!(message.contains("/test-app"), "{message}");
    assert_eq!(status["update"]["trigger"], "repair", "{status:#}");
    assert_eq!(wallet.kept(), Kept::of("wallet", &[1], &[1], &[1]), "all is as it was");
    board.registry().start();
    wait_repaired(&wallet);
    wallet.wait_version("1.0.0");
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n");
    wallet.wait_kept(&Kept::of("wallet", &[1], &[1], &[1]));
}

#[test]
fn p1_container_whose_image_is_gone_stays_while_its_pull_is_refused_and_is_started_again() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let before = wallet.container();
    let programs = programs(&board, "titania-agent.local/wallet:g1");
    let content = std::fs::read(&programs[0]).unwrap();
    board.agent().stop();
    let image = "titania-agent.local/wallet:g1";
    let id = board.engine().api("GET", &format!("/images/{image}/json"), &Value::Null).json();
    let stopped = board.engine().api("POST", "/containers/wallet-g1/stop?t=1", &Value::Null);
    assert_eq!(stopped.status, 204, "{}", stopped.text());
    board.engine().remove_image(id["Id"].as_str().unwrap());
    // It says that it has the image, and does not give it.
    let config = format!("/v2/wallet/blobs/{}", start::image("1.0.0").release());
    assert_eq!(board.registry().api("DELETE", &config, "*/*", b"").status, 202);
    empty(&programs);
    board.agent().start();
    let is_refused = || board.agent().log().contains("pull was refused");
    let status = wallet.wait("to need its image, in vain", |_| is_refused());
    assert_ne!(status["health"], "healthy");
    assert_eq!(status["container"]["id"], before.id(), "it is kept: {status:#}");
    assert_eq!(wallet.kept(), Kept::of("wallet", &[1], &[1], &[]), "and nothing is removed");

    // Whatever it was that ended it is over.
    std::fs::write(&programs[0], content).unwrap();
    // It is started by itself, after up to two minutes by now; that it ended again and again is shown for a while.
    wait_until(SOON * 3, "it to be healthy", || wallet.status()["health"] == "healthy");
    assert_eq!(wallet.version().as_deref(), Some("1.0.0"));
    assert_eq!(wallet.container().id(), before.id(), "the same container");
    assert_eq!(wallet.page("/state"), "1.0.0\n1.0.0\n");
}

#[test]
fn p1_damaged_image_whose_layers_another_app_holds_is_told_with_its_name() {
    let board = Board::start();
    // Of the same layer, and another release all the same.
    let web = start::image("1.0.0").label("of", "web");
    board.registry().push("web", "stable", &web);
    let image = format!("{}/web:stable", board.registry().host());
    let web = board.app("web").image(&image).state("/state").define();
    let wallet = start::installed(&board);
    web.wait_version("1.0.0");
    let programs = programs(&board, "titania-agent.local/wallet:g1");
    board.cut_power();
    empty(&programs);
    board.boot();
    for (app, other) in [(&wallet, "web"), (&web, "wallet")] {
        let status = app.wait("to be blocked for its image", |app| {
            app["state"] == "blocked" && is_damage(&app["reason"])
        });
        let message = status["reason"]["message"].as_str().unwrap();
        assert!(message.ends_with(&format!("held by {other}")), "{message}");
        assert_eq!(status["next"]["waiting_for"], "registry");
    }
    for app in [&wallet, &web] {
        assert_eq!(app.kept(), Kept::of(app.name(), &[1], &[1], &[1]), "all is as it was");
        assert_eq!(app.history().len(), 1);
    }

    // As the hint says.
    board.agent().ctl_well(&["stop", "web"]);
    web.wait_state("stopped");
    board.engine().remove_container("web-g1");
    let image = board.engine().api("GET", "/images/titania-agent.local/web:g1/json", &Value::Null);
    board.engine().remove_image(image.json()["Id"].as_str().unwrap());
    board.agent().ctl_well(&["retry", "wallet"]);
    wait_repaired(&wallet);
    board.agent().ctl_well(&["start", "web"]);
    for app in [&wallet, &web] {
        // That the other one ended again and again is shown for a while.
        app.wait("to be healthy", |app| app["health"] == "healthy" && app["update"].is_null());
        assert_eq!(app.page("/state"), "1.0.0\n1.0.0\n");
        app.wait_kept(&Kept::of(app.name(), &[1], &[1], &[1]));
    }
}

#[test]
fn p4_release_is_fetched_again_where_its_image_lay_damaged_on_the_disk() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let second = start::push(&board, &start::image("2.0.0"));
    board.engine().pull(&second.tagged());
    empty(&programs(&board, &second.tagged()));
    wallet.update();
    let status = wallet.wait_version("2.0.0");
    assert_eq!(status["last"]["id"], "wallet-g2", "{status:#}");
    assert_eq!(status["last"]["trigger"], "tag");
    assert_eq!(status["quarantine"], json!([]));
    assert!(board.agent().log().contains("the damaged image of stable is removed"));
    assert_eq!(wallet.page("/state").lines().last(), Some("2.0.0"));
    wallet.wait_kept(&Kept::of("wallet", &[2], &[1, 2], &[1, 2]));
    assert_eq!(wallet.history().len(), 2, "no repair of its own");
}

#[test]
fn p4_release_whose_damaged_layers_a_stopped_container_of_somebody_holds_is_kept_and_told() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let second = start::push(&board, &start::image("2.0.0"));
    board.engine().pull(&second.tagged());
    let create = json!({ "Image": second.tagged() });
    let made = board.engine().api("POST", "/containers/create?name=keeper", &create);
    assert_eq!(made.status, 201, "{}", made.text());
    empty(&programs(&board, &second.tagged()));
    wallet.update();
    let status = wallet.wait("to say who holds its layers", |app| {
        let message = app["reason"]["message"].as_str().unwrap_or_default();
        is_damage(&app["reason"]) && message.contains("container keeper")
    });
    assert_eq!(status["quarantine"], json!([]), "no fault of the release: {status:#}");
    let theirs = board.engine().api("GET", "/containers/keeper/json", &Value::Null).json();
    let image = format!("/images/{}/json", second.tagged());
    let image = board.engine().api("GET", &image, &Value::Null).json();
    assert_eq!(theirs["Image"], image["Id"], "it was not removed under that container");
    assert_eq!(wallet.version().as_deref(), Some("1.0.0"));

    board.engine().remove_container("keeper");
    board.agent().ctl_well(&["retry", "wallet"]);
    wallet.wait_version("2.0.0");
}

#[test]
fn p4_release_is_condemned_for_an_empty_entry_point_only_if_it_is_empty_in_the_registry() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let before = wallet.container();
    let hollow = board.folder().join("hollow");
    std::fs::write(&hollow, "").unwrap();
    let bad = start::push(&board, &start::image("2.0.0").program(&hollow));
    wallet.update();
    let line = wallet.wait_outcome("refused");
    assert_eq!(line["reason"]["code"], "not_runnable", "{line:#}");
    let status = wallet.wait_version("1.0.0");
    assert_eq!(status["quarantine"][0]["config"], bad.release.as_str());
    assert_eq!(wallet.container().started_at(), before.started_at(), "it was not touched");

    // Of a layer that the running release holds nothing is fetched again: it is only told.
    let programs = programs(&board, "titania-agent.local/wallet:g1");
    let third = start::push(&board, &start::image("1.0.0").label("of", "third"));
    // The process that runs keeps its own file.
    std::fs::remove_file(&programs[0]).unwrap();
    empty(&programs);
    wallet.update();
    let status = wallet.wait("to wait for its image", |app| {
        is_damage(&app["reason"]) && app["update"]["step"] == "inspect"
    });
    let message = status["reason"]["message"].as_str().unwrap();
    assert!(message.contains("another release of its own"), "{message}");
    assert_eq!(status["quarantine"].as_array().map(Vec::len), Some(1), "{status:#}");
    assert_ne!(status["quarantine"][0]["config"], third.release.as_str());
    assert_eq!(wallet.version().as_deref(), Some("1.0.0"));
}
