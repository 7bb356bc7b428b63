//! What an engine refuses, and whose fault that is.

use std::net::TcpListener;

use harness::Image;
use serde_json::json;
use titania_agentd::engine::{EngineError, Mount, Plan, Refusal, What};
use titania_core::definition::{Port, Protocol};
use titania_core::reason::{Class, Code};
use titania_core::spec::Spec;
use titania_core::status::ContainerState;
use titania_core::time::Timestamp;

use crate::stage::{Stage, block_on, next, shaped};

fn blame(error: &EngineError) -> (Option<Refusal>, Code, Class) {
    let reason = error.reason(Timestamp(0));
    (error.refusal(), reason.code, reason.class)
}

impl Stage {
    async fn refused_start(&self, plan: &Plan) -> EngineError {
        let created = self.create(plan).await;
        let error = self.engine.start(&created.id).await.unwrap_err();
        let seen = self.seen(&created.id).await;
        assert_eq!(seen.state, ContainerState::Created, "{error}");
        assert_eq!(seen.started_at, None, "{error}");
        self.engine.remove(&created.id).await.unwrap();
        error
    }

    async fn refused(&self, change: impl FnOnce(&mut Spec)) -> EngineError {
        self.refused_start(&self.plan("web", 1, &[], change)).await
    }
}

#[test]
fn a_refused_start_is_the_releases_or_the_boards_fault() {
    let stage = Stage::new();
    block_on(async {
        let image = Image::version("1").file("/no-right", b"x").folder("/folder", 0o755, (0, 0));
        stage.image("web", 1, &image).await;
        let release = |refusal| (Some(refusal), Code::NotRunnable, Class::Release);
        for entry in ["/nope", "nope", "/no-right", "/folder"] {
            let change = shaped(|shape| {
                shape.init = false;
                shape.entrypoint = Some(vec![entry.into()]);
            });
            let error = stage.refused(change).await;
            assert_eq!(blame(&error), release(Refusal::NotRunnable), "{entry}: {error}");
        }
        for init in [true, false] {
            let change = shaped(|shape| {
                shape.init = init;
                shape.devices = vec!["/dev/nope".into()];
            });
            let error = stage.refused(change).await;
            assert_eq!(
                blame(&error),
                (Some(Refusal::DeviceMissing), Code::DeviceMissing, Class::Environment),
                "{error}"
            );
        }
        let sysctl = shaped(|shape| {
            shape.sysctls.insert("net.ipv4.nope".into(), "1".into());
        });
        let error = stage.refused(sysctl).await;
        assert_eq!(
            blame(&error),
            (Some(Refusal::Definition), Code::ConfigInvalid, Class::Config),
            "{error}"
        );

        let network = stage.plan("web", 1, &[], shaped(|shape| shape.network = "nowhere".into()));
        let error = stage.refused_start(&network).await;
        assert_eq!(error.refusal(), Some(Refusal::NetworkMissing), "{error}");
    });
}

/// With an init as pid 1 it is the init that can't run the entry point: the start succeeds.
#[test]
fn an_entry_point_behind_an_init_is_not_refused_but_exits_with_126_or_127() {
    let stage = Stage::new();
    block_on(async {
        stage.image("web", 1, &Image::version("1").file("/no-right", b"x")).await;
        for (entry, code) in [("/nope", 127), ("nope", 127), ("/no-right", 126)] {
            let mut events = stage.engine.events(&stage.instance).await.unwrap();
            let change = shaped(|shape| shape.entrypoint = Some(vec![entry.into()]));
            let created = stage.create(&stage.plan("web", 1, &[], change)).await;
            stage.engine.start(&created.id).await.unwrap();
            assert_eq!(next(&mut events).await.unwrap().what, What::Start);
            let die = next(&mut events).await.unwrap().what;
            assert_eq!(die, What::Die { exit: Some(code) }, "{entry}");
            stage.engine.remove(&created.id).await.unwrap();
        }
    });
}

#[test]
fn a_port_of_a_stranger_or_of_another_container_is_in_use() {
    let stage = Stage::new();
    block_on(async {
        stage.image("web", 1, &Image::version("1")).await;
        stage.image("two", 1, &Image::version("1")).await;
        let published = |host: u16| {
            shaped(move |shape| {
                shape.ports = vec![Port {
                    address: "127.0.0.1".into(),
                    host,
                    container: 8080,
                    protocol: Protocol::Tcp,
                }];
            })
        };
        let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = stranger.local_addr().unwrap().port();
        let error = stage.refused(published(port)).await;
        assert_eq!(
            blame(&error),
            (Some(Refusal::PortInUse), Code::PortInUse, Class::Environment),
            "{error}"
        );
        drop(stranger);

        let first = stage.create(&stage.plan("web", 1, &[], published(port))).await;
        stage.engine.start(&first.id).await.unwrap();
        let second = stage.create(&stage.plan("two", 1, &[], published(port))).await;
        let error = stage.engine.start(&second.id).await.unwrap_err();
        assert_eq!(error.refusal(), Some(Refusal::PortInUse), "{error}");
        stage.engine.stop(&first.id, titania_core::time::Millis(5000)).await.unwrap();
        stage.engine.start(&second.id).await.unwrap();
    });
}

#[test]
fn p2_a_missing_source_is_refused_at_create_and_at_start_and_never_made() {
    let stage = Stage::new();
    block_on(async {
        stage.image("web", 1, &Image::version("1")).await;
        let source = stage.board.folder().join("volume");
        let mount = Mount {
            source: source.to_string_lossy().into_owned(),
            target: "/state".into(),
            read_only: false,
        };
        let plan = stage.plan("web", 1, &[mount], |_| {});
        stage.engine.ensure_network("titania").await.unwrap();
        let error = stage.engine.create(&plan).await.unwrap_err();
        assert_eq!(
            blame(&error),
            (Some(Refusal::MountMissing), Code::VolumesMissing, Class::Environment),
            "{error}"
        );
        assert!(!source.exists(), "nothing was made");

        std::fs::create_dir(&source).unwrap();
        let created = stage.engine.create(&plan).await.unwrap();
        std::fs::remove_dir(&source).unwrap();
        let error = stage.engine.start(&created.id).await.unwrap_err();
        assert_eq!(error.refusal(), Some(Refusal::MountMissing), "{error}");
        assert!(!source.exists(), "nothing was made");
        std::fs::create_dir(&source).unwrap();
        stage.engine.start(&created.id).await.unwrap();
    });
}

#[test]
fn a_create_is_refused_for_what_the_definition_or_the_image_lacks() {
    let stage = Stage::new();
    block_on(async {
        stage.engine.ensure_network("titania").await.unwrap();
        let error = stage.engine.create(&stage.plan("web", 1, &[], |_| {})).await.unwrap_err();
        assert_eq!(
            blame(&error),
            (Some(Refusal::ImageMissing), Code::ImageMissing, Class::Environment),
            "{error}"
        );
        stage.image("web", 1, &Image::version("1")).await;
        let odd =
            stage.plan("web", 1, &[], shaped(|shape| shape.capabilities = vec!["NOPE".into()]));
        let error = stage.engine.create(&odd).await.unwrap_err();
        assert_eq!(
            blame(&error),
            (Some(Refusal::Definition), Code::ConfigInvalid, Class::Config),
            "{error}"
        );
        let tiny = stage.plan("web", 1, &[], shaped(|shape| shape.limits.memory = Some(4096)));
        let error = stage.engine.create(&tiny).await.unwrap_err();
        assert_eq!(error.refusal(), Some(Refusal::Definition), "{error}");
    });
}

#[test]
fn another_ones_container_of_that_name_is_not_touched() {
    let stage = Stage::new();
    block_on(async {
        stage.image("web", 1, &Image::version("1")).await;
        let tag = "titania-agent.local/web:g1";
        stage.board.engine().create("web-probe", &json!({"Image": tag}));
        let error = stage
            .engine
            .throwaway(&crate::stage::app("web"), &stage.instance, tag)
            .await
            .unwrap_err();
        assert!(matches!(error, EngineError::Conflict { .. }), "{error}");
        assert!(stage.board.engine().container("web-probe").is_some());
    });
}
