//! A container's life: made, started, seen, asked, stopped, removed.

use harness::{Image, SOON, wait_until};
use titania_agentd::engine::{EngineError, Exec, HealthCheck, Kind, Role, Started, Stopped, What};
use titania_core::names::{InstanceId, Owner};
use titania_core::status::ContainerState;
use titania_core::time::Millis;

use crate::stage::{Stage, app, block_on, generation, next, shaped, until};

const GRACE: Millis = Millis(5000);

#[test]
fn a_container_is_made_once_started_and_seen() {
    let stage = Stage::new();
    block_on(async {
        let engine = &stage.engine;
        let about = engine.hello().await.unwrap();
        assert_eq!(
            (about.kind, about.os.as_str(), about.keeps_policy),
            (Kind::Docker, "linux", true)
        );
        assert!(!about.version.is_empty() && about.api.starts_with("1.") && about.remap.is_none());
        assert!(about.root_dir.starts_with(stage.board.folder().to_str().unwrap()));
        assert!(engine.containers(&stage.instance).await.unwrap().is_empty());
        assert!(engine.instances().await.unwrap().is_empty());

        stage.image("web", 1, &Image::version("1").healthcheck()).await;
        let plan = stage.plan("web", 1, &[], |_| {});
        let created = stage.create(&plan).await;
        assert_eq!(created.warnings, Vec::<String>::new());
        let twice = engine.create(&plan).await.unwrap_err();
        assert!(matches!(twice, EngineError::Conflict { .. }), "{twice}");
        engine.ensure_network("titania").await.unwrap();

        let seen = stage.seen(&created.id).await;
        assert_eq!(
            (seen.state, seen.started_at.clone(), seen.finished_at.clone()),
            (ContainerState::Created, None, None)
        );
        assert_eq!(
            (seen.name.as_str(), generation(&seen), seen.user.as_str()),
            ("web-g1", 1, "70001:70001")
        );
        assert!(seen.addresses.is_empty() && !seen.armed && seen.network == "titania");

        let mut events = engine.events(&stage.instance).await.unwrap();
        assert_eq!(
            engine.stop(&created.id, GRACE).await.unwrap(),
            Stopped::WasDown,
            "never started"
        );
        assert_eq!(engine.start(&created.id).await.unwrap(), Started::Now);
        assert_eq!(engine.start(&created.id).await.unwrap(), Started::Already);
        let event = next(&mut events).await.unwrap();
        assert_eq!((event.id.as_str(), event.what), (created.id.as_str(), What::Start));
        assert_eq!((event.app.unwrap(), event.generation.unwrap().0), (app("web"), 1));

        let seen = stage.seen(&created.id).await;
        assert!(seen.state == ContainerState::Running && seen.alive && seen.started_at.is_some());
        assert_eq!(seen.addresses.len(), 1);
        let healthy = next(&mut events).await.unwrap();
        assert_eq!(healthy.what, What::Health(HealthCheck::Healthy));
        assert_eq!(stage.seen(&created.id).await.health, Some(HealthCheck::Healthy));
    });
}

#[test]
fn a_container_is_armed_stopped_and_removed_and_each_act_tells_what_it_found() {
    let stage = Stage::new();
    block_on(async {
        let engine = &stage.engine;
        let id = stage.run("web", &Image::version("1").healthcheck(), |_| {}).await;
        until("the app to be healthy", async || {
            stage.seen(&id).await.health.filter(|it| *it == HealthCheck::Healthy)
        })
        .await;
        let mut events = engine.events(&stage.instance).await.unwrap();
        engine.arm(&id).await.unwrap();
        assert!(stage.seen(&id).await.armed);
        let running = engine.remove(&id).await.unwrap_err();
        assert!(matches!(running, EngineError::Conflict { .. }), "{running}");

        assert_eq!(engine.stop(&id, GRACE).await.unwrap(), Stopped::WasRunning);
        assert_eq!(next(&mut events).await.unwrap().what, What::Kill { signal: Some(15) });
        assert_eq!(next(&mut events).await.unwrap().what, What::Die { exit: Some(0) });
        assert_eq!(engine.stop(&id, GRACE).await.unwrap(), Stopped::WasDown);
        let seen = stage.seen(&id).await;
        assert!(
            seen.state == ContainerState::Exited
                && !seen.alive
                && seen.exit_code == 0
                && seen.armed
        );
        assert!(seen.finished_at.is_some() && seen.health.is_none());

        assert_eq!(
            engine.instances().await.unwrap().into_iter().collect::<Vec<_>>(),
            vec![stage.instance.clone()]
        );
        assert!(engine.containers(&InstanceId("another".into())).await.unwrap().is_empty());
        engine.remove(&id).await.unwrap();
        engine.remove(&id).await.unwrap();
        assert_eq!(next(&mut events).await.unwrap().what, What::Destroy);
        assert_eq!(engine.stop(&id, GRACE).await.unwrap(), Stopped::Gone);
        let gone = engine.start(&id).await.unwrap_err();
        assert!(matches!(gone, EngineError::NoSuch { .. }), "{gone}");
    });
}

#[test]
fn a_persons_hand_and_an_own_exit_look_different_in_the_events() {
    let stage = Stage::new();
    block_on(async {
        stage.image("web", 1, &Image::version("1").behaviour("ignore-sigterm")).await;
        let created =
            stage.create(&stage.plan("web", 1, &[], shaped(|shape| shape.init = false))).await;
        let mut events = stage.engine.events(&stage.instance).await.unwrap();
        stage.engine.start(&created.id).await.unwrap();
        assert_eq!(next(&mut events).await.unwrap().what, What::Start);
        stage.board.engine().signal_container(&created.id, "KILL");
        assert_eq!(next(&mut events).await.unwrap().what, What::Kill { signal: Some(9) });
        assert_eq!(next(&mut events).await.unwrap().what, What::Die { exit: Some(137) });

        // Deaf to SIGTERM: SIGKILL after the grace.
        stage.engine.start(&created.id).await.unwrap();
        assert_eq!(next(&mut events).await.unwrap().what, What::Start);
        assert_eq!(stage.engine.stop(&created.id, Millis(900)).await.unwrap(), Stopped::WasRunning);
        assert_eq!(next(&mut events).await.unwrap().what, What::Kill { signal: Some(15) });
        assert_eq!(next(&mut events).await.unwrap().what, What::Kill { signal: Some(9) });
        assert_eq!(next(&mut events).await.unwrap().what, What::Die { exit: Some(137) });

        let crash = stage.plan(
            "web",
            2,
            &[],
            shaped(|shape| {
                shape.env.insert("BEHAVIOUR".into(), "crash 3".into());
            }),
        );
        stage.image("web", 2, &Image::version("1")).await;
        let crashing = stage.create(&crash).await;
        stage.engine.start(&crashing.id).await.unwrap();
        assert_eq!(next(&mut events).await.unwrap().what, What::Start);
        assert_eq!(next(&mut events).await.unwrap().what, What::Die { exit: Some(3) });
        assert_eq!(stage.seen(&crashing.id).await.exit_code, 3);
    });
}

#[test]
fn a_stop_that_outlasts_its_deadline_is_unknown_and_happens() {
    let stage = Stage::new();
    block_on(async {
        let id = stage.run("web", &Image::version("1"), |_| {}).await;
        stage.board.engine().freeze();
        let begun = std::time::Instant::now();
        let answer = stage.engine.stop(&id, Millis(0)).await.unwrap_err();
        assert!(answer.is_unknown(), "{answer}");
        assert!(begun.elapsed().as_secs() >= 10, "grace + 10 s");
        stage.board.engine().thaw();
        until("the stop to land", async || {
            (stage.seen(&id).await.state == ContainerState::Exited).then_some(())
        })
        .await;
    });
}

#[test]
fn a_command_in_a_container_ends_with_its_code_or_is_killed_over_its_time() {
    let stage = Stage::new();
    block_on(async {
        let id = stage.run("web", &Image::version("1"), |_| {}).await;
        wait_until(SOON, "the app to listen", || {
            stage.board.engine().container(&id)?.get(8080, "/version").ok()
        });
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let run = async |argv: &[&str], user: Option<Owner>, timeout: u64| {
            stage.engine.exec(&id, &words(argv), user, Millis(timeout)).await
        };
        let healthy = run(&["/test-app", "health"], None, 20_000).await.unwrap();
        assert!(matches!(healthy, Exec::Exited { code: 0, .. }), "{healthy:?}");
        // The port is taken by the app itself: the program says so and ends with 14.
        let taken =
            run(&["/test-app"], Some(Owner { uid: 70002, gid: 70002 }), 20_000).await.unwrap();
        let Exec::Exited { code: 14, output } = taken else { panic!("{taken:?}") };
        assert!(output.contains("8080"), "{output}");
        match run(&["/nope"], None, 20_000).await {
            Ok(Exec::Exited { code: 126 | 127, .. }) => {}
            Err(EngineError::Refused { .. }) => {}
            other => panic!("{other:?}"),
        }
        stage.engine.stop(&id, GRACE).await.unwrap();
        let down = run(&["/test-app", "health"], None, 5000).await.unwrap_err();
        assert!(matches!(down, EngineError::Conflict { .. }), "{down}");
    });
}

#[test]
fn a_command_over_its_time_leaves_no_process() {
    let stage = Stage::new();
    block_on(async {
        let id = stage
            .run(
                "web",
                &Image::version("1"),
                shaped(|shape| {
                    shape.env.insert("BEHAVIOUR".into(), "deaf".into());
                }),
            )
            .await;
        let before = processes(&stage, &id);
        let argv = ["/test-app".to_string()];
        assert_eq!(
            stage.engine.exec(&id, &argv, None, Millis(1500)).await.unwrap(),
            Exec::TimedOut
        );
        wait_until(SOON, "the command to be gone", || processes(&stage, &id) == before);
    });
}

fn processes(stage: &Stage, id: &str) -> usize {
    let top =
        stage.board.engine().api("GET", &format!("/containers/{id}/top"), &serde_json::Value::Null);
    top.json()["Processes"].as_array().unwrap().len()
}

#[test]
fn a_throw_away_container_reads_the_image_and_leaves_nothing() {
    let stage = Stage::new();
    block_on(async {
        let image = Image::version("1")
            .passwd("app", 10000, 10001)
            .folder("/state", 0o750, (4711, 4712))
            .file_owned("/state/seed", 0o640, (4711, 4712), b"seed")
            .volume("/data");
        stage.image("web", 1, &image).await;
        let tag = "titania-agent.local/web:g1";
        let left_over = stage.engine.throwaway(&app("web"), &stage.instance, tag).await.unwrap();
        let look = stage.engine.throwaway(&app("web"), &stage.instance, tag).await.unwrap();
        assert_ne!(left_over.id(), look.id(), "the one that was left over is replaced");
        assert_eq!(stage.seen(look.id()).await.role, Role::Throwaway);

        let passwd = look.file("/etc/passwd", 10_000).await.unwrap().unwrap();
        assert!(String::from_utf8(passwd).unwrap().contains("app:x:10000:10001:"));
        assert_eq!(look.file("/nope", 10).await.unwrap(), None);
        assert!(
            matches!(look.file("/test-app", 10).await, Err(EngineError::Garbled { .. })),
            "too long"
        );
        assert!(
            matches!(look.file("/state", 10).await, Err(EngineError::Garbled { .. })),
            "no file"
        );

        assert!(look.archive("/nowhere", 1).await.unwrap().is_none());
        let seeds = look.archive("/state", 1 << 20).await.unwrap().unwrap().into_reader();
        let entries = std::thread::spawn(move || {
            let mut archive = tar::Archive::new(seeds);
            let entries = archive.entries().unwrap().map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                let name = entry.path().unwrap().to_string_lossy().into_owned();
                (
                    name,
                    header.mode().unwrap() & 0o7777,
                    header.uid().unwrap(),
                    header.gid().unwrap(),
                )
            });
            entries.collect::<Vec<_>>()
        });
        until("the reader", async || entries.is_finished().then_some(())).await;
        let entries = entries.join().unwrap();
        let names: Vec<_> = entries.iter().map(|entry| entry.0.trim_end_matches('/')).collect();
        assert_eq!(names, ["state", "state/seed"]);
        assert_eq!(
            entries.iter().map(|e| (e.1, e.2, e.3)).collect::<Vec<_>>(),
            [(0o750, 4711, 4712), (0o640, 4711, 4712)]
        );
        let short = look.archive("/test-app", 1000).await.unwrap().unwrap().into_reader();
        let error = tokio::task::spawn_blocking(move || {
            std::io::copy(&mut { short }, &mut std::io::sink())
        })
        .await;
        assert!(error.unwrap().is_err(), "more than may be is an error, not an early end");
        look.remove().await.unwrap();
        assert!(stage.engine.containers(&stage.instance).await.unwrap().is_empty());
        let volumes = stage.board.engine().api("GET", "/volumes", &serde_json::Value::Null).json();
        assert!(volumes["Volumes"].as_array().is_none_or(Vec::is_empty), "{volumes}");
    });
}
