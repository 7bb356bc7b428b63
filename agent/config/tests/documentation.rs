//! docs/definitions.md is true: its examples are read, its keys are the format's.

#![allow(clippy::expect_used, clippy::panic)] // A test fails by panicking, in its own helpers as well.

use titania_config::{definition, settings, shown};
use titania_core::names::AppName;

const PAGE: &str = include_str!("../../../docs/definitions.md");

fn blocks(kind: &str) -> Vec<&'static str> {
    let start = format!("```toml {kind}\n");
    let after = PAGE.split(start.as_str()).skip(1);
    after.map(|rest| rest.split("```").next().unwrap_or("")).collect()
}

fn define(text: &str) {
    let name: AppName = "wallet".parse().expect("a name");
    if let Err(errors) = definition(&name, "docs/definitions.md", text) {
        let told: Vec<String> = errors.iter().map(shown).collect();
        panic!("{}\n{text}", told.join("\n"));
    }
}

fn set(text: &str) {
    if let Err(errors) = settings("docs/definitions.md", text, &[]) {
        let told: Vec<String> = errors.iter().map(shown).collect();
        panic!("{}\n{text}", told.join("\n"));
    }
}

/// Rows of all tables: the first key with its table, the example.
fn rows(part: &str) -> Vec<(String, String)> {
    let cell = |text: &str| text.trim().trim_matches('`').to_string();
    let row = |line: &str| -> Option<(String, String)> {
        let cells: Vec<&str> = line.strip_prefix("| ")?.split('|').collect();
        Some((cell(cells.first()?), cell(cells.get(2)?)))
    };
    part.lines().filter_map(row).filter(|(key, _)| key != "key").collect()
}

#[test]
fn the_examples_of_the_page_are_read() {
    assert_eq!((blocks("definition").len(), blocks("settings").len()), (3, 1));
    blocks("definition").into_iter().for_each(define);
    blocks("settings").into_iter().for_each(set);
}

#[test]
fn every_example_of_a_row_is_read() {
    let (apps, agent) = PAGE.split_once("## Settings").expect("both parts are there");
    let mut seen = 0;
    for (key, example) in rows(apps).into_iter().filter(|(_, example)| !example.is_empty()) {
        let table = key.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let image = match key.as_str() {
            "image" => "",
            "track" => "image = \"skycoin/skycoin\"\n",
            _ => "image = \"nginx:1\"\n",
        };
        match table {
            Some((table, _)) => define(&format!("{image}[{table}]\n{example}")),
            None => define(&format!("{image}{example}")),
        }
        seen += 1;
    }
    assert!(seen > 40, "{seen}");
    for (key, example) in rows(agent).into_iter().filter(|(_, example)| !example.is_empty()) {
        let with = match key.split_once("] ") {
            Some(("[[registry]", "host")) => "[[registry]]\n",
            Some(("[[registry]", "user")) => {
                "[[registry]]\nhost = \"a.b\"\npassword_file = \"/a\"\n"
            }
            Some(("[[registry]", "password_file")) => {
                "[[registry]]\nhost = \"a.b\"\nuser = \"a\"\n"
            }
            Some(("[[registry]", _)) => "[[registry]]\nhost = \"a.b\"\n",
            Some(("[mqtt", "url")) => "[mqtt]\n",
            Some(("[mqtt", "password_file")) => "[mqtt]\nurl = \"mqtt://a\"\nuser = \"a\"\n",
            Some(("[mqtt", key)) if key.starts_with("client_cert") => {
                "[mqtt]\nurl = \"mqtts://a\"\nclient_key = \"/a\"\n"
            }
            Some(("[mqtt", _)) => "[mqtt]\nurl = \"mqtts://a\"\n",
            Some((table, _)) => &format!("{table}]\n"),
            None => "",
        };
        set(&format!("{with}{example}"));
        seen += 1;
    }
    assert!(seen > 60, "{seen}");
}

#[test]
fn every_key_that_the_agent_knows_stands_in_the_page() {
    // The agent names its keys itself: an unknown one is answered with the nearest.
    for key in [
        "image",
        "track",
        "arch_tags",
        "user",
        "allow_root",
        "groups",
        "entrypoint",
        "command",
        "working_dir",
        "hostname",
        "ports",
        "devices",
        "network",
        "env_file",
        "after",
        "stop",
        "capabilities",
        "read_only",
        "sysctls",
        "shm_size",
        "init",
        "extra_hosts",
        "dns",
        "labels",
        "mounts",
        "env",
    ] {
        let wrong = format!("image = \"nginx:1\"\n{key}x = 1");
        let name: AppName = "wallet".parse().expect("a name");
        let errors = definition(&name, "a.toml", &wrong).expect_err("an unknown key");
        assert_eq!(errors[0].hint, format!("did you mean \"{key}\"?"));
        let row = format!("| `{key}` |");
        let table = format!("| `[{key}]` |");
        assert!(PAGE.contains(&row) || PAGE.contains(&table), "{key}");
    }
}
