//! Which images can run here, and what is said of those that can not.

use super::*;
use std::collections::BTreeMap;

fn image(entrypoint: &[&str], command: &[&str]) -> ImageFacts {
    let words = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    ImageFacts {
        id: "sha256:0".into(),
        layers: Vec::new(),
        architecture: "arm".into(),
        variant: "v7".into(),
        os: "linux".into(),
        user: String::new(),
        entrypoint: words(entrypoint),
        command: words(command),
        env: vec!["PATH=/opt/bin:/bin".into()],
        volumes: Vec::new(),
        exposed_ports: Vec::new(),
        healthcheck: None,
        size_bytes: 0,
        tags: Vec::new(),
        digests: Vec::new(),
    }
}

fn shape() -> Shape {
    Shape::of("registry.local/app:1".parse().expect("a reference"))
}

#[test]
fn p5_an_image_of_another_architecture_is_foreign() {
    let mut stored = image(&[], &[]);
    for (board, variant, want) in [
        ("linux/arm/v7", "v7", false),
        ("linux/arm/v7", "v6", false),
        ("linux/arm/v6", "v7", true),
        ("linux/arm/v6", "", false),
        ("linux/arm64", "v7", false),
        ("linux/amd64", "v7", true),
        ("linux/amd64", "", true),
    ] {
        stored.variant = variant.into();
        let board = Platform::parse(board).expect("a platform");
        assert_eq!(is_foreign(&stored, &board), want, "{board:?} {variant:?}");
    }
}

#[test]
fn p2_a_volume_of_the_image_must_be_covered_by_its_very_path() {
    let mut shape = shape();
    shape.volumes.state = vec!["/state".into()];
    shape.volumes.scratch = vec!["/tmp".into()];
    let volumes: Vec<String> =
        ["/state/", "/tmp", "/data", "/state/deep", "/data"].map(Into::into).into();
    assert_eq!(uncovered(&volumes, &shape), ["/data", "/state/deep"]);
}

#[test]
fn the_first_word_is_the_engine_s() {
    let words = |list: &[&str]| Some(list.iter().map(ToString::to_string).collect::<Vec<_>>());
    for (entrypoint, command, of_image, want) in [
        (None, None, image(&["/entry"], &["cmd"]), Some("/entry")),
        (None, None, image(&[], &["cmd"]), Some("cmd")),
        (None, words(&["own"]), image(&["/entry"], &["cmd"]), Some("/entry")),
        (None, words(&["own"]), image(&[], &["cmd"]), Some("own")),
        (words(&["mine"]), None, image(&["/entry"], &["cmd"]), Some("mine")),
        (None, None, image(&[], &[]), None),
    ] {
        let shape = Shape { entrypoint: entrypoint.clone(), command: command.clone(), ..shape() };
        assert_eq!(first_word(&shape, &of_image), want, "{entrypoint:?} {command:?}");
    }
}

fn found(shape: &Shape, image: &ImageFacts, there: &[(&str, Lies)]) -> Entry {
    let there: BTreeMap<&str, Lies> = there.iter().cloned().collect();
    let look = async |path: &str| Ok::<_, ()>(there.get(path).cloned().unwrap_or(Lies::Nothing));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(find(shape, image, look)).expect("an answer")
}

#[test]
fn an_entry_point_is_refused_on_proof_alone() {
    let file = |bytes, mode| Lies::File { bytes, mode };
    let there = |path: &str| Entry::There(path.into(), 100);
    let lost = |path: &str| Entry::Damaged(format!("its entry point {path} is an empty file"));
    let good = || file(100, 0o755);
    let link = |to: &str| Lies::Link(to.into());
    let entry = |word: &str| image(&[word], &[]);
    let plain = shape();
    for (case, of_image, files, want) in [
        ("there", entry("/app"), vec![("/app", good())], there("/app")),
        ("not there", entry("/app"), vec![], Entry::Missing("/app".into())),
        ("empty", entry("/app"), vec![("/app", file(0, 0o755))], lost("/app")),
        (
            "no right",
            entry("/app"),
            vec![("/app", file(9, 0o644))],
            Entry::NotExecutable("/app".into()),
        ),
        (
            "link",
            entry("/bin/sh"),
            vec![("/bin/sh", link("busybox")), ("/bin/busybox", good())],
            there("/bin/busybox"),
        ),
        (
            "link up",
            entry("/a/b/c"),
            vec![("/a/b/c", link("../d")), ("/a/d", good())],
            there("/a/d"),
        ),
        (
            "link to nothing",
            entry("/app"),
            vec![("/app", link("/gone"))],
            Entry::Missing("/app".into()),
        ),
        ("in PATH", entry("app"), vec![("/bin/app", good())], there("/bin/app")),
        ("not in PATH", entry("app"), vec![("/usr/bin/app", good())], Entry::Missing("app".into())),
        ("relative", entry("./app"), vec![], Entry::Fine),
        ("a device", entry("/app"), vec![("/app", Lies::Other)], Entry::Fine),
        ("none", image(&[], &[]), vec![], Entry::NoCommand),
    ] {
        assert_eq!(found(&plain, &of_image, &files), want, "{case}");
    }
    let loop_of_links = [("/app", link("/app"))];
    assert_eq!(found(&plain, &entry("/app"), &loop_of_links), Entry::Missing("/app".into()));
    let mut hidden = shape();
    hidden.volumes.state = vec!["/srv".into()];
    assert_eq!(found(&hidden, &entry("/srv/app"), &[]), Entry::Fine, "a volume hides it");
    let mut secret = shape();
    secret.env_file = Some("/etc/env".into());
    assert_eq!(found(&secret, &entry("app"), &[]), Entry::Fine, "an env file may set PATH");
}
