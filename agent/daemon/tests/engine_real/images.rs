//! Images: pulled by digest, named by the agent's own tag.

use harness::{Dialect, Image};
use titania_agentd::engine::{Progress, Pull, Refusal};
use titania_core::names::Generation;
use titania_core::reason::Code;
use titania_core::time::Timestamp;

use crate::stage::{Stage, app, block_on};

#[test]
fn an_image_is_pulled_by_digest_tagged_and_freed() {
    let stage = Stage::new();
    block_on(async {
        let engine = &stage.engine;
        let noise: Vec<u8> =
            (0..3_000_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let image = Image::version("1")
            .user("app")
            .env("MODE", "image")
            .volume("/data")
            .healthcheck()
            .file("/noise", &noise)
            .dialect(Dialect::Oci);
        let pushed = stage.board.registry().push("wallet", "1", &image);
        let repository =
            pushed.repository.parse::<titania_core::reference::Reference>().unwrap().repository;
        let pull = Pull { repository, manifest: pushed.digest.parse().unwrap(), credentials: None };
        let mut told: Vec<Progress> = Vec::new();
        engine.pull(&pull, |progress| told.push(progress)).await.unwrap();
        let last = told.last().expect("progress was told");
        assert!(last.done_bytes == last.total_bytes && last.total_bytes > 1_000_000, "{told:?}");
        assert!(told.windows(2).all(|two| two[0].done_bytes <= two[1].done_bytes), "{told:?}");

        let wallet = app("wallet");
        engine.tag(&pull.name(), &wallet, Generation(1)).await.unwrap();
        engine.tag(&pull.name(), &wallet, Generation(1)).await.unwrap();
        engine.tag(&pull.name(), &wallet, Generation(2)).await.unwrap();
        let facts = engine.image(&wallet, Generation(1)).await.unwrap().unwrap();
        assert_eq!(facts.architecture, "amd64");
        assert_eq!((facts.os.as_str(), facts.user.as_str()), ("linux", "app"));
        assert_eq!(
            (facts.entrypoint, facts.env),
            (vec!["/test-app".to_string()], vec!["MODE=image".to_string()])
        );
        assert_eq!((facts.volumes, facts.layers.len()), (vec!["/data".to_string()], 1));
        assert!(facts.healthcheck.is_some() && facts.digests.contains(&pull.name()));

        stage.board.engine().prune_images(false);
        let tags: Vec<_> = engine
            .tags()
            .await
            .unwrap()
            .iter()
            .map(|tag| (tag.app.clone(), tag.generation.0))
            .collect();
        assert_eq!(tags, [(wallet.clone(), 1), (wallet.clone(), 2)]);
        engine.untag(&wallet, Generation(1)).await.unwrap();
        engine.untag(&wallet, Generation(1)).await.unwrap();
        assert!(
            engine.image(&wallet, Generation(2)).await.unwrap().is_some(),
            "another tag names it"
        );
        engine.untag(&wallet, Generation(2)).await.unwrap();
        assert!(engine.tags().await.unwrap().is_empty());
        let left = stage.board.engine().images();
        assert!(left.is_empty(), "the disk is free again: {left:?}");
    });
}

#[test]
fn an_image_in_use_stays_until_its_container_is_gone() {
    let stage = Stage::new();
    block_on(async {
        stage.image("web", 1, &Image::version("1")).await;
        let created = stage.create(&stage.plan("web", 1, &[], |_| {})).await;
        let error = stage.engine.untag(&app("web"), Generation(1)).await.unwrap_err();
        assert!(matches!(error, titania_agentd::engine::EngineError::Conflict { .. }), "{error}");
        assert_eq!(stage.engine.tags().await.unwrap().len(), 1);
        stage.engine.remove(&created.id).await.unwrap();
        stage.engine.untag(&app("web"), Generation(1)).await.unwrap();
        assert!(stage.board.engine().images().is_empty());
    });
}

#[test]
fn a_failed_pull_names_who_is_to_blame() {
    let stage = Stage::new();
    block_on(async {
        let pushed = stage.board.registry().push("wallet", "1", &Image::version("1"));
        let repository =
            pushed.repository.parse::<titania_core::reference::Reference>().unwrap().repository;
        let missing = Pull {
            repository: repository.clone(),
            manifest: titania_core::digest::Digest::of(b"nothing"),
            credentials: None,
        };
        let error = stage.engine.pull(&missing, |_| {}).await.unwrap_err();
        assert_eq!(error.refusal(), Some(Refusal::ManifestMissing), "{error}");
        let unknown =
            stage.engine.tag(&missing.name(), &app("wallet"), Generation(1)).await.unwrap_err();
        assert_eq!(unknown.refusal(), Some(Refusal::ImageMissing), "{unknown}");

        stage.board.registry().stop();
        let away = Pull { repository, manifest: pushed.digest.parse().unwrap(), credentials: None };
        let error = stage.engine.pull(&away, |_| {}).await.unwrap_err();
        assert_eq!(error.reason(Timestamp(0)).code, Code::RegistryUnreachable, "{error}");
        assert!(stage.engine.image_by_name(&away.name()).await.unwrap().is_none());
    });
}

#[test]
fn a_layer_that_is_not_what_was_promised_is_found_in_the_stream() {
    let stage = Stage::new();
    block_on(async {
        let image = Image::version("1");
        stage.board.registry().push("wallet", "1", &image);
        // A manifest whose config speaks of another layer than the one it names.
        let other = Image::version("2");
        let (kind, manifest) = image.manifest();
        let manifest =
            String::from_utf8(manifest).unwrap().replace(&image.release(), &other.release());
        let config = other.config_bytes();
        stage.board.registry().put_blob("wallet", &config);
        let manifest = manifest.replace(
            &format!("\"size\":{}", image.config_bytes().len()),
            &format!("\"size\":{}", config.len()),
        );
        let digest =
            stage.board.registry().put_manifest("wallet", "bad", &kind, manifest.as_bytes());
        let host = stage.board.registry().host();
        let pull = Pull {
            repository: format!("{host}/wallet")
                .parse::<titania_core::reference::Reference>()
                .unwrap()
                .repository,
            manifest: digest.parse().unwrap(),
            credentials: None,
        };
        let error = stage.engine.pull(&pull, |_| {}).await.unwrap_err();
        assert!(error.refusal().is_some(), "{error}");
    });
}
