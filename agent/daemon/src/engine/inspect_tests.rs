//! Inspect is read leniently where engines differ, and never panics.

use super::*;

#[test]
fn a_command_is_a_list_or_one_text() {
    for (json, want) in [
        (r#"{"Cmd":["a","b"]}"#, vec!["a", "b"]),
        (r#"{"Cmd":"a b"}"#, vec!["a b"]),
        (r#"{"Cmd":""}"#, vec![]),
        (r#"{"Cmd":null}"#, vec![]),
        ("{}", vec![]),
    ] {
        let config: Config = serde_json::from_str(json).unwrap();
        assert_eq!(config.cmd, want, "{json}");
    }
}

#[test]
fn depth_and_nonsense_are_errors_not_panics() {
    let nest = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    let read = |field: &str| serde_json::from_str::<Inspected>(&format!("{{\"{field}\":{nest}}}"));
    assert!(read("Mounts").is_err());
    assert!(read("NewInDocker40").is_ok(), "what is not read is skipped without recursion");
    for text in ["", "[]7", "{\"Id\":7}", "{\"State\":[1]}", "nul"] {
        assert!(serde_json::from_str::<Inspected>(text).is_err(), "{text}");
    }
}
