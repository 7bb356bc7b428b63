//! What is read of images that share layers; the engine's own answers are tried end to end.

use super::*;

fn layers(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn layers_are_shared_from_the_lowest_on_alone() {
    for (one, other, want) in [
        ("a b c", "a b c", 3),
        ("a b c", "a b d", 2),
        ("a b c", "a b c d", 3),
        ("a b c", "b c", 0),
        ("", "a", 0),
    ] {
        assert_eq!(common(&layers(one), &layers(other)), want, "{one} | {other}");
    }
}

#[test]
fn a_holder_is_known_by_its_names_and_by_what_was_made_from_it() {
    let id = format!("sha256:{}", "1".repeat(64));
    let tags = ["titania-agent.local/web:g3", "example.org/web:1", "example.org/web@sha256:22"];
    let facts = ImageFacts {
        id: id.clone(),
        tags: tags.map(str::to_owned).into(),
        ..ImageFacts::default()
    };
    let made = |image: &str, name: &str, app: Option<&str>| ListedContainer {
        image: image.to_owned(),
        names: Some(vec![format!("/{name}")]),
        labels: app.map(|app| BTreeMap::from([(LABEL_APP.to_owned(), app.to_owned())])),
    };
    let mut probe = made(&id, "other-probe", None);
    probe.labels = Some(BTreeMap::from([(LABEL_INSTANCE.to_owned(), "me".to_owned())]));
    let bare = id.trim_start_matches("sha256:").to_owned();
    let all = [
        made(&id, "web-g3", Some("web")),
        made(&bare, "stranger", None),
        made("sha256:ff", "other-g1", Some("other")),
        probe, // looks into the image just now, and is nobody's
    ];
    let found = holder(facts, 2, &all);
    let web: AppName = "web".parse().unwrap();
    assert_eq!(found.names, ["example.org/web:1"]);
    assert_eq!((found.tags.len(), &found.tags[0].app), (1, &web));
    let named: Vec<_> = found.containers.iter().map(|c| (c.name.as_str(), &c.app)).collect();
    assert_eq!(named, [("web-g3", &Some(web)), ("stranger", &None)]);
    assert_eq!(found.layers, 2);
}
