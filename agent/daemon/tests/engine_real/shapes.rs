//! Many shapes of definitions: a fresh container never differs from its plan, and a changed one does.

use harness::Image;
use titania_agentd::engine::{Kind, Mount};
use titania_core::definition::{Limits, Port, Protocol, Shape};
use titania_core::names::Owner;

use crate::stage::{Stage, block_on, shaped};

type Change = fn(&mut Shape);

const SHAPES: [(&str, Change); 17] = [
    ("plain", |_| {}),
    ("host network", |shape| shape.network = "host".into()),
    ("host network with a name", |shape| {
        shape.network = "host".into();
        shape.hostname = Some("box".into());
    }),
    ("no network", |shape| shape.network = "none".into()),
    ("default bridge", |shape| shape.network = "bridge".into()),
    ("entry point", |shape| shape.entrypoint = Some(vec!["/test-app".into(), "x".into()])),
    ("command", |shape| shape.command = Some(vec!["a".into(), "b c".into()])),
    ("both, and a folder", |shape| {
        shape.entrypoint = Some(vec!["/test-app".into()]);
        shape.command = Some(vec!["health".into()]);
        shape.working_dir = Some("/tmp/".into());
    }),
    ("ports", |shape| {
        let port = |address: &str, host, container, protocol| Port {
            address: address.into(),
            host,
            container,
            protocol,
        };
        shape.ports = vec![
            port("", 8080, 80, Protocol::Tcp),
            port("127.0.0.1", 8081, 80, Protocol::Tcp),
            port("0.0.0.0", 8082, 81, Protocol::Tcp),
            port("::1", 8083, 81, Protocol::Tcp),
            port("", 53, 53, Protocol::Udp),
        ];
    }),
    ("ports on the host network", |shape| {
        shape.network = "host".into();
        shape.ports =
            vec![Port { address: String::new(), host: 80, container: 80, protocol: Protocol::Tcp }];
    }),
    ("devices and rights", |shape| {
        shape.devices = vec!["/dev/null".into(), "/dev/zero".into()];
        shape.capabilities = vec!["NET_ADMIN".into(), "CHOWN".into()];
        shape.read_only = true;
        shape.init = false;
    }),
    ("scratch", |shape| shape.volumes.scratch = vec!["/tmp".into(), "/run/x".into()]),
    ("scratch over a VOLUME of the image", |shape| {
        shape.volumes.scratch = vec!["/image-volume".into()]
    }),
    ("limits", |shape| shape.limits = Limits { memory: Some(64 << 20), cpus: Some(1500) }),
    ("kernel settings", |shape| {
        shape.sysctls.insert("net.ipv4.ip_unprivileged_port_start".into(), "0".into());
        shape.shm_size = Some(1 << 20);
    }),
    ("names", |shape| {
        shape.hostname = Some("box.example".into());
        shape.extra_hosts = vec!["db:10.0.0.1".into(), "gate:host-gateway".into()];
        shape.dns = vec!["10.0.0.2".into()];
        shape.labels.insert("mine".into(), "a=b, \"c\"".into());
        shape.env.insert("IMAGE".into(), "own".into());
        shape.env.insert("LINES".into(), "a\nb=c".into());
        shape.stop.signal = "SIGINT".into();
    }),
    ("root, with leave", |shape| shape.allow_root = true),
];

#[test]
fn p7_a_fresh_container_of_any_shape_is_what_was_asked_for() {
    let stage = Stage::new();
    block_on(async {
        let about = stage.engine.hello().await.unwrap();
        let image = Image::version("1").env("IMAGE", "1").env("OTHER", "2").cmd(&["serve"]);
        stage.image("web", 1, &image).await;
        let image = image.volume("/image-volume");
        stage.image("vol", 1, &image).await;
        let folder = stage.board.folder().join("volume");
        std::fs::create_dir(&folder).unwrap();
        let mount = |target: &str, read_only| Mount {
            source: folder.to_string_lossy().into_owned(),
            target: target.into(),
            read_only,
        };
        for (name, change) in SHAPES {
            for (app, mounts) in [
                ("web", vec![]),
                ("web", vec![mount("/state", false), mount("/etc/ro", true)]),
                ("vol", vec![mount("/image-volume", false)]),
            ] {
                let is_covered_by_both = name.contains("VOLUME") && !mounts.is_empty();
                if is_covered_by_both {
                    continue;
                }
                let plan = stage.plan(app, 1, &mounts, |spec| {
                    change(&mut spec.definition.shape);
                    spec.groups = vec![44, 998];
                    if spec.definition.shape.allow_root {
                        spec.user = Some(Owner { uid: 0, gid: 0 });
                    }
                });
                let created = stage.create(&plan).await;
                let told = stage.engine.compare(&plan, &created.id, about.kind).await.unwrap();
                // A kernel without a memory controller drops the limit, with a warning.
                let told: Vec<_> = told
                    .iter()
                    .filter(|one| one.strict || about.limits_memory && about.limits_cpu)
                    .collect();
                assert!(told.is_empty(), "{name}, {app}: {told:?}");
                stage.engine.remove(&created.id).await.unwrap();
            }
        }
    });
}

#[test]
fn p7_an_image_volume_that_nothing_covers_is_told() {
    let stage = Stage::new();
    block_on(async {
        stage.image("web", 1, &Image::version("1").volume("/loose")).await;
        let plan = stage.plan("web", 1, &[], |_| {});
        let created = stage.create(&plan).await;
        let told = stage.engine.compare(&plan, &created.id, Kind::Docker).await.unwrap();
        assert_eq!(told.iter().map(|one| one.field).collect::<Vec<_>>(), ["volumes"]);
        assert!(told[0].strict && told[0].found.contains("/loose"), "{told:?}");
    });
}

#[test]
fn p7_a_container_of_another_plan_differs() {
    let stage = Stage::new();
    block_on(async {
        stage.image("web", 1, &Image::version("1")).await;
        for (change, want) in [
            (SHAPES[5].1, vec!["entrypoint"]),
            (SHAPES[6].1, vec!["command"]),
            (SHAPES[11].1, vec!["volumes"]),
            (SHAPES[1].1, vec!["hostname", "network", "other networks", "name on its network"]),
        ] {
            let created = stage.create(&stage.plan("web", 1, &[], shaped(change))).await;
            let plain = stage.plan("web", 1, &[], |_| {});
            let told = stage.engine.compare(&plain, &created.id, Kind::Docker).await.unwrap();
            let fields: Vec<_> =
                told.iter().filter(|one| one.field != "labels").map(|one| one.field).collect();
            assert_eq!(fields, want, "{told:?}");
            stage.engine.remove(&created.id).await.unwrap();
        }
    });
}

#[test]
fn the_images_own_environment_and_command_arrive() {
    let stage = Stage::new();
    block_on(async {
        let image = Image::version("1").env("FROM_IMAGE", "yes").cmd(&["serve"]);
        stage.image("web", 1, &image).await;
        let change = shaped(|shape| {
            shape.env.insert("OWN".into(), "1".into());
        });
        let created = stage.create(&stage.plan("web", 1, &[], change)).await;
        let container = stage.board.engine().container(&created.id).unwrap();
        let env = container.env();
        assert_eq!((env["FROM_IMAGE"].as_str(), env["OWN"].as_str()), ("yes", "1"));
    });
}
