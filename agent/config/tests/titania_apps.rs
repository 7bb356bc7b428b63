//! The catalogue of a real appliance: a sensible definition can be written for each of its apps.

#![allow(clippy::expect_used, clippy::panic)] // A test fails by panicking, in its own helpers as well.

use serde_json::Value;
use titania_config::{App, app_name, check_together, definition, shown};
use titania_core::definition::Protocol;
use titania_core::track::Track;

const CATALOGUE: &str = include_str!("cases/titania-apps.json");

fn word<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().expect("a text")
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().expect("a list")
}

/// A port of the catalogue: `public` is published on every address, `local` on the board's own,
/// `internal` not at all.
fn port(port: &Value) -> Option<String> {
    let (number, protocol) = (&port["port"], word(port, "protocol"));
    match word(port, "type") {
        "public" => Some(format!("\"{number}:{number}/{protocol}\"")),
        "local" => Some(format!("\"127.0.0.1:{number}:{number}/{protocol}\"")),
        "internal" => None,
        other => panic!("{other}"),
    }
}

fn text(app: &Value) -> String {
    let ports: Vec<String> = list(app, "ports").iter().filter_map(port).collect();
    let volumes: Vec<String> = list(app, "volumes").iter().map(Value::to_string).collect();
    let mut text = format!("image = \"{}\"\nports = [{}]\n", word(app, "image"), ports.join(", "));
    if let Some(uid) = app["volumechown"].as_u64() {
        text.push_str(&format!("user = {uid}\n"));
    }
    text.push_str(&format!("\n[volumes]\nstate = [{}]\n\n[env]\n", volumes.join(", ")));
    for variable in list(app, "env") {
        text.push_str(&format!("{} = {}\n", word(variable, "name"), variable["value"]));
    }
    text
}

#[test]
fn a_definition_can_be_written_for_every_app_of_the_catalogue() {
    let catalogue: Value = serde_json::from_str(CATALOGUE).expect("the catalogue is JSON");
    let apps = catalogue.as_array().expect("a list");
    assert_eq!(apps.len(), 5);
    let mut all = Vec::new();
    for app in apps {
        let file = format!("/etc/titania-agent/apps.d/{}.toml", word(app, "id"));
        let name = app_name(&file).expect("each id is the name of an app");
        assert_eq!(name.as_str(), word(app, "id"));
        let text = text(app);
        let definition = definition(&name, &file, &text).unwrap_or_else(|errors| {
            let told: Vec<String> = errors.iter().map(shown).collect();
            panic!("{}\n{text}", told.join("\n"))
        });
        let shape = &definition.shape;
        assert_eq!(definition.track, Track::Tag("latest".to_string()));
        assert_eq!(shape.image.to_string(), format!("docker.io/{}", word(app, "image")));
        let published = list(app, "ports").iter().filter(|p| p["type"] != "internal");
        let published: Vec<&Value> = published.collect();
        assert_eq!(shape.ports.len(), published.len());
        for (port, wanted) in shape.ports.iter().zip(published) {
            assert_eq!(Some(u64::from(port.host)), wanted["port"].as_u64());
            assert_eq!(port.protocol == Protocol::Udp, wanted["protocol"] == "udp");
            assert_eq!(port.address == "127.0.0.1", wanted["type"] == "local");
        }
        assert_eq!(shape.volumes.state.len(), list(app, "volumes").len());
        assert_eq!(shape.env.len(), list(app, "env").len());
        all.push((name, file, text, definition));
    }
    let together: Vec<App<'_>> = all
        .iter()
        .map(|(name, file, text, definition)| App { name, file, text, definition })
        .collect();
    assert_eq!(check_together(&together), Vec::new());
    let locnet = &all[2].3.shape.env;
    assert_eq!(locnet["CLIENTPORT"], "16981");
    assert_eq!(locnet["NODEID"], "");
}
