//! The tree keeps its own rules: sizes, heads, banned calls, and which room may know which.
//!
//! Each rule is a function from text to complaints, tried on a text that breaks it.

use std::path::PathBuf;

/// Longest source file, in lines: what can be read in one sitting.
const FILE_LINES_MAX: usize = 400;
/// Longest function, in lines.
const FUNCTION_LINES_MAX: usize = 80;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 7] = ["utils", "util", "helpers", "helper", "misc", "common", "stuff"];
/// The one file that renames.
const RENAMES: &str = "agent/daemon/src/store/durable.rs";
/// Rooms of the daemon.
const ROOMS: [&str; 8] =
    ["board", "control", "engine", "reconcile", "registry", "report", "store", "volumes"];
/// Arrows between rooms: (from, to). `reconcile` knows all; `main` and `lib` are no rooms. Every
/// durable file of the volumes goes through the one rename of the tree.
const ARROWS: [(&str, &str); 1] = [("volumes", "store::durable")];

/// A source file: its path from the top of the tree, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Lines of the product proper: none of a test file, and nothing after the start of a test
    /// module. Comments are left out.
    fn product_lines(&self) -> Vec<(usize, &str)> {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let is_test = !self.path.starts_with("agent/")
            || self.path.contains("/tests/")
            || name == "tests.rs"
            || name.ends_with("_tests.rs");
        if is_test {
            return Vec::new();
        }
        let lines: Vec<&str> = self.text.lines().collect();
        let starts_tests = |at: usize| {
            lines[at].trim() == "#[cfg(test)]"
                && lines.get(at + 1).is_some_and(|next| next.ends_with('{'))
                && lines[at + 1].contains("mod ")
        };
        let end = (0..lines.len()).find(|at| starts_tests(*at)).unwrap_or(lines.len());
        let numbered = lines[..end].iter().enumerate();
        numbered
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(at, line)| (at + 1, *line))
            .collect()
    }

    fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

fn top() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut left: Vec<PathBuf> =
        ["agent", "tests", "bench", "fuzz", "packaging"].map(PathBuf::from).to_vec();
    while let Some(path) = left.pop() {
        let place = top().join(&path);
        if place.is_dir() {
            let is_built = path.ends_with("target");
            let list = std::fs::read_dir(&place).unwrap();
            let below = list.map(|entry| path.join(entry.unwrap().file_name()));
            left.extend(below.filter(|_| !is_built));
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(Source {
                path: path.to_string_lossy().into_owned(),
                text: std::fs::read_to_string(&place).unwrap(),
            });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn check(what: &str, rule: impl Fn(&Source) -> Vec<String>) {
    let sources = sources();
    assert!(sources.len() > 10, "the tree was not found");
    let complaints: Vec<String> = sources.iter().flat_map(rule).collect();
    let list = complaints.join("\n");
    assert!(complaints.is_empty(), "{what}:\n{list}");
}

fn long_file(source: &Source) -> Vec<String> {
    let count = source.text.lines().count();
    let text = format!("{count} lines, {FILE_LINES_MAX} are allowed");
    (count > FILE_LINES_MAX).then(|| source.at(1, &text)).into_iter().collect()
}

/// In formatted code a function ends at the first `}` as far in as its first line; one without a
/// body ends with its signature.
fn long_function(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut complaints = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let indent = &line[..line.len() - line.trim_start().len()];
        let (body_end, signature_end) = (format!("{indent}}}"), format!("{indent})"));
        let is_end = |line: &&str| {
            **line == body_end || (line.starts_with(&signature_end) && line.ends_with(';'))
        };
        let size = match line.ends_with([';', '}']) {
            true => 1,
            false => lines[at..].iter().position(is_end).map_or(1, |at| at + 1),
        };
        if size > FUNCTION_LINES_MAX {
            let text = format!("{name} has {size} lines, {FUNCTION_LINES_MAX} are allowed");
            complaints.push(source.at(at + 1, &text));
        }
    }
    complaints
}

fn function_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let before = |word: &&str| {
        word.starts_with("pub") || matches!(*word, "const" | "async" | "extern" | "in" | "\"C\"")
    };
    let first = words.find(|word| !before(word))?;
    let name = words.next()?;
    let end = name.find(['(', '<']).unwrap_or(name.len());
    (first == "fn").then_some(&name[..end])
}

fn no_head(source: &Source) -> Vec<String> {
    let first = source.text.lines().find(|line| !line.trim().is_empty());
    let has_head = first.is_some_and(|line| line.starts_with("//! ") && line.len() > 10);
    (!has_head).then(|| source.at(1, "begins without a head (`//!`)")).into_iter().collect()
}

fn empty_name(source: &Source) -> Vec<String> {
    let parts = source.path.trim_end_matches(".rs").split('/');
    parts
        .filter(|part| EMPTY_NAMES.contains(part))
        .map(|part| source.at(1, &format!("`{part}` says nothing about what is inside")))
        .collect()
}

fn banned_call(source: &Source) -> Vec<String> {
    let everywhere = ["thread::sleep"];
    let renames = ["fs::rename", "renameat", "rename("];
    let panics = [".unwrap()", ".expect(", "panic!(", "unimplemented!(", "todo!("];
    let mut complaints = Vec::new();
    let own = source.path.ends_with("tests/layout.rs");
    for (at, line) in source.text.lines().enumerate().filter(|_| !own) {
        let sleeps = everywhere.iter().filter(|call| line.contains(**call));
        complaints.extend(sleeps.map(|call| source.at(at + 1, &format!("{call} is banned"))));
    }
    for (at, line) in source.product_lines() {
        let renames = renames.iter().filter(|_| source.path != RENAMES);
        if let Some(call) = renames.chain(&panics).find(|call| line.contains(**call)) {
            complaints.push(source.at(at, &format!("{call} is banned here")));
        }
    }
    complaints
}

/// Rooms of the daemon that a file of one names besides its own, without an arrow.
fn unknown_arrow(source: &Source) -> Vec<String> {
    let inside = source.path.strip_prefix("agent/daemon/src/");
    let first = inside.and_then(|path| path.split(['/', '.']).next());
    let Some(from) = first.filter(|room| ROOMS.contains(room) && *room != "reconcile") else {
        return Vec::new();
    };
    let mut complaints = Vec::new();
    for (at, line) in source.text.lines().enumerate() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        for place in line.split("crate::").skip(1) {
            let to: Vec<&str> = ROOMS.into_iter().filter(|room| names_room(place, room)).collect();
            let allowed = |room: &str| {
                let arrow = |(a, b): &(&str, &str)| {
                    *a == from && b.starts_with(room) && place.starts_with(b)
                };
                room == from || ARROWS.iter().any(arrow)
            };
            for room in to.into_iter().filter(|room| !allowed(room)) {
                complaints.push(source.at(at + 1, &format!("{from} must not know {room}")));
            }
        }
    }
    complaints
}

/// `room::…`, `room;` or a member of `{…}` right behind `crate::`.
fn names_room(place: &str, room: &str) -> bool {
    let is_it = |text: &str| {
        let rest = text.trim_start().strip_prefix(room);
        rest.is_some_and(|rest| {
            !rest.starts_with(|sign: char| sign.is_alphanumeric() || sign == '_')
        })
    };
    match place.strip_prefix('{') {
        Some(list) => list.split(',').any(is_it),
        None => is_it(place),
    }
}

fn impure_core(source: &Source) -> Vec<String> {
    if !source.path.starts_with("agent/core/src/") {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for (at, line) in source.product_lines() {
        for word in ["std::", "async ", "HashMap", "extern crate std"] {
            if line.contains(word) && !line.contains("no_std") {
                complaints.push(source.at(at, &format!("the core has no `{word}`")));
            }
        }
    }
    if source.path == "agent/core/src/lib.rs" {
        for line in ["#![no_std]", "#![forbid(unsafe_code)]"] {
            if !source.text.lines().any(|own| own == line) {
                complaints.push(source.at(1, &format!("{line} is missing")));
            }
        }
    }
    complaints
}

#[test]
fn layout_files_are_short() {
    check("too long", long_file);
}

#[test]
fn layout_functions_are_short() {
    check("too long", long_function);
}

#[test]
fn layout_modules_have_heads() {
    check("no head", no_head);
}

#[test]
fn layout_names_say_something() {
    check("empty names", empty_name);
}

#[test]
fn layout_banned_calls_are_not_made() {
    check("banned", banned_call);
}

#[test]
fn layout_rooms_know_only_what_the_design_lets_them() {
    check("unknown arrows", unknown_arrow);
}

#[test]
fn layout_the_core_is_pure() {
    check("impure", impure_core);
}

#[test]
fn layout_each_rule_finds_what_breaks_it() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let long = format!("fn long() {{\n{}}}\n", "    step();\n".repeat(79));
    let just = format!("fn just() {{\n{}}}\n", "    step();\n".repeat(78));
    let tested = "fn a() {}\n#[cfg(test)]\nmod tests {\n    x.unwrap();\n}\n";
    let report = "agent/daemon/src/report/mqtt.rs";
    let volumes = "agent/daemon/src/volumes/fork.rs";
    let lib = "agent/core/src/lib.rs";
    type Rule = fn(&Source) -> Vec<String>;
    let cases: [(Rule, usize, Source); 18] = [
        (long_file, 1, source("a.rs", &"\n".repeat(401))),
        (long_file, 0, source("a.rs", &"\n".repeat(400))),
        (long_function, 1, source("a.rs", &long)),
        (long_function, 0, source("a.rs", &just)),
        (no_head, 1, source("a.rs", "use a;\n")),
        (no_head, 0, source("a.rs", "\n//! A head of its own.\n")),
        (empty_name, 1, source("agent/utils/a.rs", "")),
        (banned_call, 1, source("agent/a/src/b.rs", "x.unwrap();")),
        (banned_call, 0, source("agent/a/src/b.rs", tested)),
        (banned_call, 0, source("agent/a/src/b_tests.rs", "x.unwrap();")),
        (banned_call, 1, source("agent/a/src/b.rs", "std::fs::rename(a, b)")),
        (banned_call, 0, source(RENAMES, "std::fs::rename(a, b)")),
        (banned_call, 1, source("tests/a.rs", "std::thread::sleep(x)")),
        (unknown_arrow, 1, source(report, "use crate::engine::Engine;")),
        (unknown_arrow, 2, source(report, "use crate::{store, report, board};")),
        (unknown_arrow, 0, source(volumes, "use crate::store::durable::replace;")),
        (unknown_arrow, 1, source(volumes, "use crate::store::record;")),
        (impure_core, 1, source(lib, "#![no_std]\nuse core::fmt;")),
    ];
    for (at, (rule, want, source)) in cases.iter().enumerate() {
        let complaints = rule(source);
        assert_eq!(complaints.len(), *want, "case {at}: {complaints:?}");
    }
}
