//! Local tags there and back; facts of an image.

use super::*;

#[test]
fn each_app_has_a_tag_of_its_own_that_every_engine_takes() {
    for (app, want) in [
        ("wallet", "titania-agent.local/wallet:g12"),
        ("a", "titania-agent.local/a:g12"),
        ("my-app.v2_x", "titania-agent.local/my-app.v2_x:g12"),
        ("a..b", "titania-agent.local/odd/612e2e62:g12"),
        ("a.-b", "titania-agent.local/odd/612e2d62:g12"),
        ("a___b", "titania-agent.local/odd/615f5f5f62:g12"),
    ] {
        let app: AppName = app.parse().unwrap();
        let tag = local_tag(&app, Generation(12));
        assert_eq!(tag, want);
        assert_eq!(read_local_tag(&tag), Some((app, Generation(12))), "and back");
    }
}

#[test]
fn other_names_are_not_the_agents() {
    for tag in [
        "docker.io/library/wallet:g1",
        "titania-agent.local/wallet:latest",
        "titania-agent.local/wallet:g01",
        "titania-agent.local/wallet:g",
        "titania-agent.local/wallet@sha256:1",
        "titania-agent.local/odd/zz:g1",
        "titania-agent.local/odd/6:g1",
        "titania-agent.local/odd/61:g1",
        "titania-agent.localx/wallet:g1",
        "<none>:<none>",
    ] {
        assert_eq!(read_local_tag(tag), None, "{tag}");
    }
}

fn facts(json: &str) -> ImageFacts {
    ImageFacts::of(serde_json::from_str(json).unwrap())
}

#[test]
fn facts_are_read_and_new_words_are_harmless() {
    let facts = facts(
        r#"{"Id":"sha256:1","RepoTags":null,"RepoDigests":["r/a@sha256:2"],"Architecture":"arm","Variant":"v7","Os":"linux",
            "Size":12,"RootFS":{"Type":"layers","Layers":["sha256:3"]},"Descriptor":{"new":1},
            "Config":{"User":"app","Env":["A=1"],"Entrypoint":["/app"],"Cmd":null,"Volumes":{"/data":{}},
                      "ExposedPorts":{"80/tcp":{}},"Healthcheck":{"Test":["CMD","/app","health"],"Interval":1}}}"#,
    );
    assert_eq!(
        (facts.architecture.as_str(), facts.variant.as_str(), facts.user.as_str()),
        ("arm", "v7", "app")
    );
    assert_eq!((facts.entrypoint, facts.command), (vec!["/app".to_string()], vec![]));
    assert_eq!(
        (facts.volumes, facts.exposed_ports),
        (vec!["/data".to_string()], vec!["80/tcp".to_string()])
    );
    assert_eq!(facts.healthcheck.unwrap().len(), 3);
}

#[test]
fn a_healthcheck_of_none_is_none() {
    assert_eq!(facts(r#"{"Id":"x","Config":{"Healthcheck":{"Test":["NONE"]}}}"#).healthcheck, None);
    assert_eq!(facts(r#"{"Id":"x","Config":{"Healthcheck":{"Interval":5}}}"#).healthcheck, None);
    assert_eq!(facts(r#"{"Id":"x","Config":null}"#).healthcheck, None);
}
