//! Bad input of each kind, with every word that a person gets to read.
//!
//! The cases stand in `tests/bad/*.txt`: a name, one or more files, and what is said of them.

#![allow(clippy::expect_used, clippy::panic)] // A test fails by panicking, in its own helpers as well.

use std::fs;
use std::path::Path;

use titania_config::{App, check_together, definition, env_file, settings, shown};
use titania_core::names::AppName;
use titania_core::status::ConfigError;

struct Case {
    name: String,
    files: Vec<(String, String)>,
    says: String,
}

/// Reads blocks `== name`, `-- file` (one or more), `-- says`.
fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for block in text.split("\n== ").skip(1) {
        let (name, body) = block.split_once('\n').expect("a case has a body");
        let mut case = Case { name: name.to_string(), files: Vec::new(), says: String::new() };
        for part in body.split("-- ").skip(1) {
            let (head, content) = part.split_once('\n').expect("a part has a line of its own");
            match head {
                "says" => case.says = content.trim_end().to_string(),
                file => case.files.push((file.to_string(), content.to_string())),
            }
        }
        cases.push(case);
    }
    cases
}

fn told(errors: &[ConfigError]) -> String {
    let lines: Vec<String> = errors.iter().map(shown).collect();
    lines.join("\n")
}

fn definitions(case: &Case) -> String {
    let (file, text) = &case.files[0];
    let name: AppName = file.trim_end_matches(".toml").parse().expect("a good name");
    told(&definition(&name, file, text).expect_err(&case.name))
}

fn settings_case(case: &Case) -> String {
    let (file, text) = &case.files[0];
    let dropins: Vec<(&str, &str)> =
        case.files[1..].iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    told(&settings(file, text, &dropins).expect_err(&case.name))
}

fn env_files(case: &Case) -> String {
    let (file, text) = &case.files[0];
    told(&env_file(file, text).expect_err(&case.name))
}

fn together(case: &Case) -> String {
    let name = |file: &str| -> AppName { file.trim_end_matches(".toml").parse().expect("a name") };
    let read = case.files.iter().map(|(file, text)| {
        let definition = definition(&name(file), file, text);
        (name(file), file, text, definition.expect("each is right alone"))
    });
    let read: Vec<_> = read.collect();
    let apps: Vec<App<'_>> = read
        .iter()
        .map(|(name, file, text, definition)| App { name, file, text, definition })
        .collect();
    let clashes = check_together(&apps);
    assert!(!clashes.is_empty(), "{}", case.name);
    for clash in &clashes {
        assert_eq!(clash.error.file, format!("{}.toml", clash.app), "{}", case.name);
    }
    let errors: Vec<ConfigError> = clashes.into_iter().map(|clash| clash.error).collect();
    told(&errors)
}

/// Compares every case; where one differs, the whole file as it would be right is written beside the build.
fn compare(file: &str, least: usize, say: fn(&Case) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad").join(file);
    let text = fs::read_to_string(path).expect("the cases are there");
    let cases = cases(&text);
    assert!(cases.len() >= least, "{} cases only", cases.len());
    let mut wrong = Vec::new();
    let mut whole = text.split("\n== ").next().unwrap_or("").to_string();
    for case in &cases {
        let said = say(case);
        whole.push_str(&format!("\n== {}\n", case.name));
        for (file, text) in &case.files {
            whole.push_str(&format!("-- {file}\n{text}"));
        }
        whole.push_str(&format!("-- says\n{said}\n"));
        if said != case.says {
            wrong.push(format!("{}\n{said}\n  instead of\n{}", case.name, case.says));
        }
    }
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    if !wrong.is_empty() {
        fs::write(&fresh, whole).expect("the build folder can be written");
    }
    assert!(wrong.is_empty(), "{}\n\nas it is now: {}", wrong.join("\n\n"), fresh.display());
}

#[test]
fn every_fault_of_a_definition_has_its_place_and_words_to_act_upon() {
    compare("definitions.txt", 60, definitions);
}

#[test]
fn every_fault_of_the_settings_has_its_place_and_words_to_act_upon() {
    compare("settings.txt", 30, settings_case);
}

#[test]
fn every_fault_between_definitions_is_told_to_each_app_that_takes_part() {
    compare("together.txt", 8, together);
}

#[test]
fn a_fault_in_an_env_file_is_told_by_its_line_and_never_by_its_value() {
    compare("env_files.txt", 5, env_files);
    let secret = "hunter2";
    let text = format!(
        "A{secret}\nexport B={secret}\nC C={secret}\nD={secret}\nD={secret}\nE={secret}\0\n={secret}\n"
    );
    let errors = env_file("wallet.env", &text).expect_err("every line is bad");
    assert_eq!(errors.len(), 6);
    assert!(!told(&errors).contains(secret), "{}", told(&errors));
}

#[test]
fn values_of_env_never_stand_in_a_message() {
    let secret = "hunter2";
    let text = format!(
        "image = \"nginx:1\"\n[env]\nA = [\"{secret}\"]\nB = {{ x = \"{secret}\" }}\nimage = \"{secret}\"\n\"C D\" = \"{secret}\"\nE = \"{secret}\\u0000\"\n"
    );
    let name: AppName = "web".parse().expect("a name");
    let errors = definition(&name, "web.toml", &text).expect_err("all are bad");
    assert_eq!(errors.len(), 5);
    assert!(!told(&errors).contains(secret), "{}", told(&errors));
}
