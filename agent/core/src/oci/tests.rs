//! Documents of honest registries, of broken and of hostile ones.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;

use super::json::nesting;
use super::*;

const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn manifest_text() -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{{"mediaType":"{OCI_CONFIG}","digest":"{A}","size":7}},
        "layers":[{{"mediaType":"x","digest":"{A}","size":10}},{{"mediaType":"x","digest":"{A}","size":32}}],
        "annotations":{{"org.opencontainers.image.version":"1.2.3","other":"x"}}}}"#
    )
}

fn error(text: &str, media_type: &str) -> OciError {
    match document(text.as_bytes(), media_type) {
        Err(error) => error,
        Ok(seen) => panic!("read as {seen:?}"),
    }
}

#[test]
fn a_manifest_is_read_with_its_layers_and_version() {
    let Ok(Document::Manifest(manifest)) = document(manifest_text().as_bytes(), OCI_MANIFEST)
    else {
        panic!("no manifest");
    };
    assert_eq!(manifest.layers.len(), 2);
    assert_eq!(manifest.download_bytes(), 42);
    assert_eq!(manifest.version.as_deref(), Some("1.2.3"));
    assert_eq!(manifest.config.digest.to_string(), A);
}

#[test]
fn an_index_is_read_with_platforms_and_without() {
    let text = format!(
        r#"{{"schemaVersion":2,"manifests":[
        {{"mediaType":"{OCI_MANIFEST}","digest":"{A}","size":1,"platform":{{"os":"linux","architecture":"arm","variant":"v7"}}}},
        {{"mediaType":"{OCI_INDEX}","digest":"{A}","size":1}},
        {{"mediaType":"{OCI_MANIFEST}","digest":"sha512:00","size":1,"platform":{{"os":"linux","architecture":"amd64"}}}}],
        "annotations":null}}"#
    );
    let Ok(Document::Index(index)) = document(text.as_bytes(), "application/json") else {
        panic!("no index");
    };
    assert_eq!(index.entries.len(), 2, "what can't be checked is no choice");
    let platform = index.offers[0].platform.as_ref().map(ToString::to_string);
    assert_eq!(platform.as_deref(), Some("linux/arm/v7"));
    assert!(index.entries[1].is_index());
    assert_eq!(index.offers[1].platform, None);
    assert!(index.offers[1].is_index);
}

#[test]
fn a_document_that_is_two_things_is_refused() {
    let both = format!(
        r#"{{"manifests":[],"config":{{"mediaType":"{OCI_CONFIG}","digest":"{A}"}},"layers":[]}}"#
    );
    assert_eq!(error(&both, ""), OciError::Ambiguous);
    assert_eq!(error(&manifest_text(), OCI_INDEX), OciError::Ambiguous);
    assert_eq!(
        error(r#"{"manifests":[]}"#, &format!("{DOCKER_MANIFEST}; charset=utf-8")),
        OciError::Ambiguous
    );
    let lying = format!(r#"{{"mediaType":"{OCI_MANIFEST}","manifests":[]}}"#);
    assert_eq!(error(&lying, OCI_INDEX), OciError::Ambiguous);
}

#[test]
fn what_is_no_image_says_what_it_is() {
    assert_eq!(error(r#"{"schemaVersion":1,"fsLayers":[]}"#, ""), OciError::Schema1);
    let chart = manifest_text().replace(OCI_CONFIG, "application/vnd.cncf.helm.config.v1+json");
    assert!(
        error(&chart, OCI_MANIFEST).to_string().contains("helm"),
        "{}",
        error(&chart, OCI_MANIFEST)
    );
    assert!(matches!(error("{}", "text/html"), OciError::Neither { .. }));
    assert!(matches!(error("<html>", "text/html"), OciError::Json { .. }));
    assert!(matches!(error("", ""), OciError::Json { .. }));
    let digest = manifest_text().replacen(A, "md5:1", 1);
    assert!(matches!(error(&digest, ""), OciError::Digest { .. }));
}

#[test]
fn nesting_is_measured_before_anything_recurses() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert_eq!(nesting(nested(1000).as_bytes()), 1000);
    assert_eq!(nesting(br#"{"a\"[[[":"[[\\","b":[{}]}"#), 3, "strings do not count");
    let within = |n: usize| format!(r#"{{"manifests":[],"x":{}}}"#, nested(n));
    assert!(document(within(NESTING_MAX - 1).as_bytes(), "").is_ok());
    assert_eq!(error(&within(NESTING_MAX), ""), OciError::TooDeep { limit: NESTING_MAX });
    assert_eq!(error(&within(1000), ""), OciError::TooDeep { limit: NESTING_MAX });
}

#[test]
fn size_and_count_are_bounded_at_the_limit_and_one_past_it() {
    let padded = |n: usize| {
        let text = r#"{"manifests":[]}"#;
        format!("{text}{}", " ".repeat(n - text.len()))
    };
    assert!(document(padded(DOCUMENT_BYTES_MAX).as_bytes(), "").is_ok());
    assert!(matches!(
        document(padded(DOCUMENT_BYTES_MAX + 1).as_bytes(), ""),
        Err(OciError::TooLarge { .. })
    ));
    let entries = |n: usize| {
        let one = format!(r#"{{"digest":"{A}"}}"#);
        format!(r#"{{"manifests":[{}]}}"#, vec![one; n].join(","))
    };
    assert!(document(entries(ENTRIES_MAX).as_bytes(), "").is_ok());
    assert!(error(&entries(ENTRIES_MAX + 1), "").to_string().contains("more than 1024 items"));
    let volumes = |n: usize| {
        let all: alloc::vec::Vec<String> = (0..n).map(|i| format!(r#""/v{i}":{{}}"#)).collect();
        format!(r#"{{"config":{{"Volumes":{{{}}}}},"rootfs":{{"diff_ids":[]}}}}"#, all.join(","))
    };
    assert!(config(volumes(ITEMS_MAX).as_bytes()).is_ok());
    assert!(matches!(config(volumes(ITEMS_MAX + 1).as_bytes()), Err(OciError::Json { .. })));
    let large = vec![b' '; CONFIG_BYTES_MAX + 1];
    assert!(matches!(config(&large), Err(OciError::TooLarge { .. })));
}

#[test]
fn a_config_tells_what_the_image_asks_for() {
    let text = format!(
        r#"{{"architecture":"arm","os":"linux","variant":"v7","created":"2026-11-23T21:00:00.5Z",
        "config":{{"User":"app","Env":["A=1"],"Cmd":null,"Entrypoint":["/app"],"Volumes":{{"/b":{{}},"/a":{{}}}},
        "Healthcheck":{{"Test":["CMD","x"],"Interval":5}},"Labels":{{"org.opencontainers.image.version":"2.0.0"}},
        "ExposedPorts":{{"80/tcp":{{}}}},"WorkingDir":"/w","Unknown":[1]}},
        "rootfs":{{"type":"layers","diff_ids":["{A}"]}},"history":[{{}}]}}"#
    );
    let Ok(config) = config(text.as_bytes()) else {
        panic!("no config");
    };
    assert_eq!(config.platform.to_string(), "linux/arm/v7");
    assert_eq!(config.version.as_deref(), Some("2.0.0"));
    assert_eq!(
        config.created.map(|at| at.to_string()).as_deref(),
        Some("2026-11-23T21:00:00.500Z")
    );
    assert_eq!(
        config.facts,
        ImageFacts {
            user: "app".into(),
            volumes: vec!["/a".into(), "/b".into()],
            diff_ids: vec![A.parse().expect("a digest")],
            env: vec!["A=1".into()],
            cmd: vec![],
            entrypoint: vec!["/app".into()],
            working_dir: "/w".into(),
            exposed: vec!["80/tcp".into()],
            healthcheck: true,
        }
    );
}

#[test]
fn a_config_with_nulls_or_nothing_is_one_of_root() {
    for text in [
        r#"{"rootfs":{"diff_ids":null}}"#,
        r#"{"config":null,"rootfs":{}}"#,
        r#"{"created":"yesterday","config":{"User":null,"Env":null,"Volumes":null,"Labels":null,"Healthcheck":null},"rootfs":{}}"#,
        r#"{"config":{"Healthcheck":{"Test":["NONE"]}},"rootfs":{}}"#,
    ] {
        let config = config(text.as_bytes());
        assert_eq!(
            config.map(|config| (config.facts, config.created)),
            Ok((ImageFacts::default(), None)),
            "{text}"
        );
    }
    assert!(matches!(config(b"{}"), Err(OciError::Json { .. })), "no rootfs: no image");
}

#[test]
fn no_cut_of_a_document_and_no_changed_byte_makes_it_panic() {
    let text = manifest_text();
    for end in 0..text.len() {
        assert!(document(&text.as_bytes()[..end], "").is_err(), "cut at {end}");
    }
    for place in 0..text.len() {
        for byte in [0u8, b'"', b'[', b'}', 0xff] {
            let mut bytes = text.clone().into_bytes();
            bytes[place] = byte;
            let _ = document(&bytes, "");
            let _ = config(&bytes);
        }
    }
}

#[test]
fn words_of_strangers_are_cut_and_hold_no_control_characters() {
    assert_eq!(excerpt("a\x1b[2Jb\n"), "a [2Jb ");
    assert_eq!(excerpt(&"x".repeat(500)).len(), 120);
}

#[test]
fn an_attestation_is_known_by_its_annotation() {
    let text = format!(
        r#"{{"manifests":[{{"digest":"{A}","annotations":{{"vnd.docker.reference.type":"attestation-manifest"}},
        "platform":{{"os":"windows","architecture":"amd64","os.features":["win32k"]}}}}]}}"#
    );
    let Ok(Document::Index(index)) = document(text.as_bytes(), "") else {
        panic!("no index");
    };
    assert_eq!(index.offers[0].reference_type, "attestation-manifest");
    assert_eq!(index.offers[0].os_features, ["win32k"]);
}

#[test]
fn a_tag_list_keeps_what_are_tags() {
    let read = |text: &str| tags(text.as_bytes());
    assert_eq!(
        read(r#"{"name":"a","tags":["1.0","../x","latest",""]}"#),
        Ok(vec!["1.0".into(), "latest".into()])
    );
    assert_eq!(read(r#"{"name":"a","tags":null}"#), Ok(vec![]));
    assert!(read("[]").is_err());
    let many = |n: usize| format!(r#"{{"tags":[{}]}}"#, vec![r#""a""#; n].join(","));
    assert!(read(&many(TAGS_MAX)).is_ok());
    assert!(read(&many(TAGS_MAX + 1)).is_err());
}

#[test]
fn a_registrys_complaint_is_short_and_plain() {
    let read = |text: &str| complaint(text.as_bytes());
    assert_eq!(read(r#"{"errors":[{"code":"DENIED","message":"no\u001b[2J"}]}"#), "no [2J");
    assert_eq!(read(r#"{"errors":[{"code":"DENIED"}]}"#), "DENIED");
    assert_eq!(read(r#"{"details":"x","error":"y"}"#), "");
    assert_eq!(read("<html>"), "");
}
