//! Promises between definitions: who clashes, and who does not.

use titania_core::definition::Definition;

use super::*;
use crate::definition;

fn clashes(files: &[(&str, &str)]) -> Vec<String> {
    let read: Vec<(AppName, &str, Definition)> = files
        .iter()
        .map(|(name, text)| {
            let name: AppName = name.parse().unwrap();
            let definition = definition(&name, "x.toml", text).unwrap();
            (name, *text, definition)
        })
        .collect();
    let apps: Vec<App<'_>> = read
        .iter()
        .map(|(name, text, definition)| App { name, file: "x.toml", text, definition })
        .collect();
    check_together(&apps).into_iter().map(|clash| clash.app.to_string()).collect()
}

#[test]
fn ports_clash_where_addresses_and_protocols_meet_and_nowhere_else() {
    for (one, other, meet) in [
        ("80:80", "80:81", true),
        ("80:80", "81:80", false),
        ("80:80/udp", "80:80/tcp", false),
        ("80:80", "127.0.0.1:80:80", true),
        ("80:80", "[::1]:80:80", true),
        ("0.0.0.0:80:80", "127.0.0.1:80:80", true),
        ("0.0.0.0:80:80", "[::1]:80:80", false),
        ("[::]:80:80", "[::1]:80:80", true),
        ("[::]:80:80", "127.0.0.1:80:80", false),
        ("127.0.0.1:80:80", "192.168.1.5:80:80", false),
        ("[::1]:80:80", "[0:0::1]:80:80", true),
        ("80:80/sctp", "80:80/sctp", true),
    ] {
        let text = |port: &str| format!("image = \"a:1\"\nports = [\"{port}\"]");
        let (one_text, other_text) = (text(one), text(other));
        let both = clashes(&[("a", &one_text), ("b", &other_text)]);
        let wanted: &[&str] = if meet { &["a", "b"] } else { &[] };
        assert_eq!(both, wanted, "{one} {other}");
    }
}

#[test]
fn apps_that_get_along_are_told_nothing() {
    let files = [
        ("tor", "image = \"a:1\"\nports = [\"9050:9050\"]"),
        ("wallet", "image = \"a:1\"\nafter = [\"tor\"]\nports = [\"80:80\"]"),
        ("shop", "image = \"a:1\"\nafter = [\"wallet\", \"tor\"]"),
        ("global.iop.can", "image = \"a:1\""),
        ("global.iop_ps", "image = \"a:1\""),
    ];
    assert_eq!(clashes(&files), [""; 0]);
    assert_eq!(clashes(&[]), [""; 0]);
}

#[test]
fn an_app_that_only_waits_for_a_circle_is_not_told() {
    let files = [
        ("a", "image = \"a:1\"\nafter = [\"b\"]"),
        ("b", "image = \"a:1\"\nafter = [\"a\"]"),
        ("c", "image = \"a:1\"\nafter = [\"a\"]"),
    ];
    assert_eq!(clashes(&files), ["a", "b"]);
}

#[test]
fn without_its_text_a_fault_is_placed_at_the_top() {
    let name: AppName = "a".parse().unwrap();
    let definition = definition(&name, "a.toml", "image = \"a:1\"\nafter = [\"b\"]").unwrap();
    let app = App { name: &name, file: "a.toml", text: "", definition: &definition };
    let clash = check_together(&[app]).remove(0);
    assert_eq!((clash.error.line, clash.error.column), (1, 1));
}
