//! The pages say all that the programs know.

use super::*;

/// A term of the page: the table and the keys of its head, and what is said of them.
struct Term<'a> {
    table: &'a str,
    keys: Vec<&'a str>,
    meaning: &'a str,
}

fn terms(page: &str) -> Vec<Term<'_>> {
    let term = |entry| {
        let (head, meaning): (&str, &str) = str::split_once(entry, '\n').unwrap_or((entry, ""));
        let (table, keys) = match head.trim_start_matches('[').split_once(']') {
            Some((table, keys)) if head.starts_with('[') => (table, keys),
            _ => ("", head),
        };
        let keys = keys.trim_start_matches(']').split(", ").map(str::trim);
        Term { table, keys: keys.filter(|key| !key.is_empty()).collect(), meaning }
    };
    page.split("\n.TP\n").skip(1).map(term).collect()
}

fn is_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|own| own == word)
}

/// Whether the page, without its fonts, tells of a key: as a term, or as a word in what is said of its table.
fn tells(page: &str, table: &str, key: &str) -> bool {
    let below = |term: &Term<'_>| match table {
        "" => term.table == key || (term.table.is_empty() && term.keys.contains(&key)),
        "track" | "stop" => term.keys == [table] && is_word(term.meaning, key),
        // One that is not in this version is named as a whole.
        _ if term.keys.is_empty() => {
            term.table == table && term.meaning.starts_with("Not in this version")
        }
        _ => term.table == table && term.keys.contains(&key),
    };
    let data =
        page.split_once("A data volume as a table").and_then(|(_, text)| text.lines().next());
    terms(page).iter().any(below)
        || (table == "volumes.data" && data.is_some_and(|text| is_word(text, key)))
}

fn unfonted(page: &str) -> String {
    page.replace("\\fB", "").replace("\\fR", "").replace("\\fI", "")
}

fn missing(page: &str, keys: &[(&'static str, &'static str)]) -> Vec<String> {
    let missing = keys.iter().filter(|(table, key)| !tells(page, table, key));
    missing.map(|(table, key)| format!("{table}.{key}")).collect()
}

#[test]
fn every_key_that_the_agent_knows_is_in_its_page() {
    let settings = unfonted(&settings(crate::FORMATS).unwrap_or_default());
    let definition = unfonted(&definition(crate::FORMATS).unwrap_or_default());
    let (own, apps) = (titania_config::settings_keys(), titania_config::definition_keys());
    assert!(own.len() > 40 && apps.len() > 50, "{} {}", own.len(), apps.len());
    assert_eq!(missing(&settings, &own), Vec::<String>::new());
    assert_eq!(missing(&definition, &apps), Vec::<String>::new());
}

#[test]
fn a_key_that_is_not_told_is_found() {
    let settings = unfonted(&settings(crate::FORMATS).unwrap_or_default());
    let definition = unfonted(&definition(crate::FORMATS).unwrap_or_default());
    for (table, key) in [("", "pol"), ("mqtt", "id"), ("disk", "commands"), ("nothing", "id")] {
        assert!(!tells(&settings, table, key), "{table}.{key}");
    }
    for (table, key) in
        [("", "interval"), ("stop", "memory"), ("volumes.data", "keep"), ("track", "regex")]
    {
        assert!(!tells(&definition, table, key), "{table}.{key}");
    }
}

#[test]
fn every_verb_and_flag_is_in_the_page_of_the_program() {
    let control = crate::control();
    let page = agentctl(control.clone());
    let mut seen = 0;
    for verb in verbs(&control) {
        assert!(
            page.contains(&format!(".SS \"{}\"", crate::roff::plain(verb.get_name()))),
            "{}",
            verb.get_name()
        );
        for flag in verb.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(
                page.contains(&format!("\\fB{}", crate::roff::plain(&format!("--{flag}")))),
                "{flag}"
            );
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
    let daemon = crate::daemon::command(crate::DAEMON_HELP).map(agentd).unwrap_or_default();
    for flag in ["\\-\\-config", "\\-\\-check\\-config", "\\-h", "\\-\\-version"] {
        assert!(daemon.contains(flag), "{flag}");
    }
}

#[test]
fn a_document_with_other_chapters_is_an_error() {
    assert!(settings("# Definitions\n\n## Else\n").is_err());
}
