//! The engine goes away, hangs, or lies.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use harness::{Image, SOON, wait_until};
use titania_agentd::engine::{Engine, EngineError, What};
use titania_core::names::Generation;
use titania_core::status::ContainerState;
use titania_core::time::Millis;

use crate::stage::{Stage, app, block_on, next, until};

#[test]
fn an_engine_that_is_killed_is_away_and_its_stream_ends() {
    let stage = Stage::new();
    block_on(async {
        let id = stage.run("web", &Image::version("1"), |_| {}).await;
        stage.engine.arm(&id).await.unwrap();
        let mut events = stage.engine.events(&stage.instance).await.unwrap();
        stage.board.engine().kill();
        let end = next(&mut events).await.unwrap_err();
        assert!(end.is_unknown(), "{end}");
        for error in [
            stage.engine.hello().await.unwrap_err(),
            stage.engine.containers(&stage.instance).await.unwrap_err(),
            stage.engine.start(&id).await.unwrap_err(),
            stage.engine.arm(&id).await.unwrap_err(),
            stage.engine.stop(&id, Millis(0)).await.unwrap_err(),
        ] {
            assert!(error.is_away(), "{error:?}");
        }
        stage.board.engine().start();
        stage.engine.hello().await.unwrap();
        let seen = stage.seen(&id).await;
        assert!(seen.armed && !seen.alive, "the engine leaves it down: {seen:?}");
        let mut events = stage.engine.events(&stage.instance).await.unwrap();
        stage.engine.start(&id).await.unwrap();
        assert_eq!(next(&mut events).await.unwrap().what, What::Start);
    });
}

#[test]
fn an_engine_that_answers_nothing_is_unknown_not_failed() {
    let stage = Stage::new();
    block_on(async {
        stage.engine.hello().await.unwrap();
        stage.board.engine().freeze();
        let error = stage.engine.containers(&stage.instance).await.unwrap_err();
        stage.board.engine().thaw();
        assert!(error.is_unknown(), "{error}");
        stage.engine.containers(&stage.instance).await.unwrap();
    });
}

#[test]
fn a_process_that_died_while_containerd_was_away_is_seen_dead() {
    let stage = Stage::new();
    block_on(async {
        let id = stage.run("web", &Image::version("1"), |_| {}).await;
        let pid = stage.seen(&id).await.pid.unwrap();
        stage.board.engine().kill_containerd();
        let target = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
        nix::sys::signal::kill(target, nix::sys::signal::Signal::SIGKILL).unwrap();
        let gone = PathBuf::from(format!("/proc/{pid}"));
        wait_until(SOON, "the process to be gone", || !gone.exists());
        let seen = stage.seen(&id).await;
        assert_eq!((seen.state, seen.alive), (ContainerState::Running, false), "{seen:?}");
        stage.board.engine().restart_containerd();
        until("a stop to put it right", async || {
            let _ = stage.engine.stop(&id, Millis(0)).await;
            let seen = stage.seen(&id).await;
            (seen.state == ContainerState::Exited).then_some(())
        })
        .await;
    });
}

#[test]
fn a_socket_that_is_not_there_or_not_ours_is_told_apart() {
    block_on(async {
        let folder = std::env::temp_dir().join(format!("titania-engine-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let socket = folder.join("docker.sock");
        let engine = Engine::new(socket.clone());
        let error = engine.hello().await.unwrap_err();
        assert!(matches!(&error, EngineError::Away { .. }), "{error}");
        assert!(error.to_string().contains(socket.to_str().unwrap()), "{error}");

        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o000)).unwrap();
        if !nix::unistd::geteuid().is_root() {
            assert!(matches!(engine.hello().await, Err(EngineError::Denied { .. })));
        }
        drop(listener);
        let error = engine.hello().await.unwrap_err();
        assert!(error.is_away(), "a socket that nobody listens on: {error}");
        std::fs::remove_dir_all(&folder).unwrap();
    });
}

#[test]
fn an_image_whose_removal_a_crash_broke_off_is_removed_all_the_same() {
    let stage = Stage::new();
    block_on(async {
        stage.image("web", 1, &Image::version("1")).await;
        stage.board.engine().kill_containerd();
        let error = stage.engine.untag(&app("web"), Generation(1)).await.unwrap_err();
        assert!(stage.engine.tags().await.unwrap().is_empty(), "{error}");
        assert_eq!(stage.board.engine().images().len(), 1, "nothing names what is left: {error}");
        stage.board.engine().restart_containerd();
        let left = until("what is left", async || stage.engine.nameless().await.ok()).await;
        assert_eq!(left, [Image::version("1").release()]);
        until("it to go", async || stage.engine.remove_nameless(&left[0]).await.ok()).await;
        assert!(stage.board.engine().images().is_empty());
        assert!(stage.engine.nameless().await.unwrap().is_empty());
    });
}
