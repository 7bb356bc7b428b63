//! P7: what is declared is what runs, and nothing of the old container.

use crate::start::{self, GID, UID};
use harness::{Board, Kept, SOON, wait_until};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

#[test]
fn p7_new_images_own_environment_and_command_arrive_and_none_of_the_old_ones() {
    let board = Board::start();
    let first = start::image("1.0.0").env("OLD", "1").env("BOTH", "old").cmd(&["--old"]);
    let definition = start::definition(&board).env("DECLARED", "by the file");
    let wallet = start::installed_as(&board, &first, definition);
    let told = wallet.page_json("/env");
    assert_eq!(told["args"], json!(["/test-app", "--old"]));
    assert_eq!((&told["env"]["OLD"], &told["env"]["BOTH"]), (&json!("1"), &json!("old")));
    let second = start::image("2.0.0")
        .env("NEW", "2")
        .env("BOTH", "new")
        .cmd(&["--new"])
        .config("WorkingDir", json!("/etc"));
    start::push(&board, &second);
    wallet.update();
    wallet.wait_version("2.0.0");
    let told = wallet.page_json("/env");
    assert_eq!(told["args"], json!(["/test-app", "--new"]));
    assert_eq!(told["env"]["OLD"], json!(null), "{told:#}");
    assert_eq!((&told["env"]["NEW"], &told["env"]["BOTH"]), (&json!("2"), &json!("new")));
    assert_eq!(told["env"]["DECLARED"], "by the file");
    let inspect = wallet.container().inspect;
    assert_eq!(inspect["Config"]["Cmd"], json!(["--new"]));
    assert_eq!(inspect["Config"]["WorkingDir"], "/etc");
}

#[test]
fn p7_container_is_as_its_definition_says_and_locked_down_where_it_says_nothing() {
    let board = Board::start();
    let definition = start::definition(&board)
        .ports(&["127.0.0.1:18080:8080"])
        .command(&["--declared"])
        .set("hostname", "purse")
        .set("read_only", true)
        .set("capabilities", json!(["NET_BIND_SERVICE"]))
        .set_in("volumes", "scratch", json!(["/tmp"]))
        .set_in("limits", "memory", "96MiB")
        .set_in("limits", "cpus", 0.5)
        .set("labels", json!({"colour": "red"}));
    let wallet = start::installed_as(&board, &start::image("1.0.0").cmd(&["--own"]), definition);
    let container = wallet.container();
    let host = &container.inspect["HostConfig"];
    assert_eq!(container.user(), format!("{UID}:{GID}"));
    assert_eq!(container.inspect["Config"]["Cmd"], json!(["--declared"]));
    assert_eq!(container.inspect["Config"]["Hostname"], "purse");
    assert_eq!(container.label("colour").as_deref(), Some("red"));
    assert_eq!(host["ReadonlyRootfs"], true);
    assert_eq!(host["CapDrop"], json!(["ALL"]));
    let added = host["CapAdd"][0].as_str().unwrap();
    assert!(added.ends_with("NET_BIND_SERVICE"), "{added}");
    let options = host["SecurityOpt"].as_array().unwrap();
    assert!(options.iter().any(|one| one.as_str().unwrap().starts_with("no-new-privileges")));
    assert_eq!((&host["Privileged"], &host["Init"]), (&json!(false), &json!(true)));
    let port = json!([{"HostIp": "127.0.0.1", "HostPort": "18080"}]);
    assert_eq!(host["PortBindings"], json!({"8080/tcp": port}));
    assert_eq!(host["Memory"], 96 * 1024 * 1024);
    assert_eq!(host["CpuQuota"].as_f64().unwrap() / host["CpuPeriod"].as_f64().unwrap(), 0.5);
    assert!(host["LogConfig"]["Config"]["max-size"].is_string(), "bounded: {host:#}");
    assert_eq!(host["Binds"], json!(null));
    assert_eq!(container.binds().len(), 2, "{:?}", container.binds());
    let networks = container.inspect["NetworkSettings"]["Networks"].as_object().unwrap();
    assert_eq!(networks.keys().collect::<Vec<_>>(), ["titania"]);
    let id = wallet.page_json("/id");
    assert_eq!(id["no_new_privs"], 1);
}

#[test]
fn p7_volume_that_the_image_declares_and_the_definition_lacks_is_refused_with_the_line_to_add() {
    let board = Board::start();
    let wallet = start::installed(&board);
    let before = wallet.container();
    let hungry = start::image("2.0.0").volume("/cache").volume("/state");
    start::push(&board, &hungry);
    wallet.update();
    let status = wallet.wait("to refuse it", |app| app["last"]["outcome"] == "refused");
    let reason = &status["last"]["reason"];
    assert_eq!(reason["code"], "undeclared_volume", "{status:#}");
    let said = format!("{} {}", reason["message"], reason["hint"]);
    assert!(said.contains("/cache") && said.contains("scratch"), "{said}");
    assert!(!reason["message"].as_str().unwrap().contains("/state"), "that one is declared");
    assert_eq!(wallet.container().started_at(), before.started_at());
    wallet.wait_kept(&Kept::of("wallet", &[1], &[1], &[1]).and_file(2));
    start::definition(&board).set_in("volumes", "scratch", json!(["/cache"])).define();
    board.agent().reload();
    wallet.wait_version("2.0.0");
}

/// An env file with a secret, of this mode.
fn env_file(board: &Board, mode: u32) -> PathBuf {
    let path = board.folder().join("wallet.env");
    std::fs::write(&path, "TOKEN=a-secret-of-the-owner\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn p7_env_file_that_others_can_read_is_refused_and_its_values_never_leave_the_board() {
    let board = Board::start();
    let listener = board.listen();
    let path = env_file(&board, 0o644);
    let file = path.to_string_lossy().into_owned();
    start::push(&board, &start::image("1.0.0"));
    let wallet = start::definition(&board).set("env_file", file.as_str()).define();
    board.agent().start();
    let error = wait_until(SOON, "the error to be shown", || {
        let status = board.agent().status();
        let of_app = wallet.status();
        let text = format!("{} {} {}", status["agent"], of_app["definition"], of_app["reason"]);
        text.contains(&file).then_some(text)
    });
    assert!(error.contains("0644") || error.contains("644"), "{error}");
    assert!(error.contains("chmod"), "it says what to do: {error}");
    assert!(wallet.containers().is_empty(), "nothing was made");
    env_file(&board, 0o600);
    board.agent().reload();
    wallet.wait_version("1.0.0");
    assert_eq!(wallet.page_json("/env")["env"]["TOKEN"], "a-secret-of-the-owner");
    let secret = "a-secret-of-the-owner";
    assert!(!board.agent().status().to_string().contains(secret), "status");
    assert!(!board.agent().ctl_well(&["status", "--json"]).contains(secret), "agentctl");
    assert!(!board.agent().log().contains(secret), "log");
    assert!(listener.messages().iter().all(|one| !one.payload.contains(secret)), "MQTT");
    assert!(!std::fs::read_to_string(wallet.record()).unwrap().contains(secret), "record");
}
