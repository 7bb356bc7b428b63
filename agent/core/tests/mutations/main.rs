//! Does each guard of `decide` earn its place? Each is taken out of a copy of the crate, one at a time, and the
//! search, or else a unit test, must miss it.
//!
//! Not part of `make test`. `make mutations [only='WORD|WORD']` prints a table: the guard, the promise that the search
//! saw broken without it, and in how many steps (a shortest way of the first search that did). Where no search
//! misses it, how many unit tests do. A guard that nothing misses is an error, unless the list says why it
//! stands all the same.

#![allow(clippy::expect_used, clippy::panic)] // a tool of the tests

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The guards, as a person reads them, by what they are of.
const GUARDS: [(&str, &str); 4] = [
    ("`decide`", include_str!("guards/decide.txt")),
    ("the boot rule, and what brings an app up", include_str!("guards/rules.txt")),
    ("record, marks, blame, numbers", include_str!("guards/record.txt")),
    ("duties of the shells, neglected in the model", include_str!("guards/shells.txt")),
];

/// One guard taken out.
#[derive(Default)]
struct Mutation {
    /// Which.
    name: String,
    /// File below the crate.
    file: String,
    /// Text that stands there once.
    from: Vec<String>,
    /// What stands there instead.
    to: Vec<String>,
    /// A search, by a word of its name, that misses it in full alone; empty for none.
    in_full: String,
    /// Why it stands though nothing misses it; empty where something must.
    redundant: String,
}

fn mutations(list: &str) -> Vec<Mutation> {
    let mut all: Vec<Mutation> = Vec::new();
    for line in list.lines().skip_while(|line| !line.starts_with("# ")) {
        if let Some(name) = line.strip_prefix("# ") {
            all.push(Mutation { name: name.to_owned(), ..Mutation::default() });
            continue;
        }
        let Some(last) = all.last_mut() else { continue };
        match line.split_at_checked(2) {
            Some(("- ", text)) => last.from.push(text.to_owned()),
            Some(("+ ", text)) => last.to.push(text.to_owned()),
            Some(("! ", search)) => last.in_full = search.to_owned(),
            Some(("? ", why)) => last.redundant = why.to_owned(),
            Some(_) => last.file = line.to_owned(),
            None => {}
        }
    }
    all
}

/// What missed a guard.
enum Missed {
    /// A search: the promise that it saw broken, and the steps to it.
    BySearch(String, usize),
    /// So many unit tests, and no search.
    ByUnits(usize),
    ByNothing,
}

/// A copy of the crate that can be spoiled.
struct Copy {
    root: PathBuf,
    target: PathBuf,
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder for the copy");
    for entry in fs::read_dir(from).expect("a folder of the crate") {
        let path = entry.expect("an entry").path();
        let place = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_tree(&path, &place);
        } else {
            fs::copy(&path, &place).expect("a copy");
        }
    }
}

impl Copy {
    /// The crate alone, in a workspace of its own.
    fn of_crate() -> Self {
        let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let top = crate_root.ancestors().nth(2).expect("the top of the tree");
        let target = top.join("target/mutations");
        let root = target.join("tree");
        if root.exists() {
            fs::remove_dir_all(&root).expect("the last copy goes");
        }
        copy_tree(crate_root, &root.join("agent/core"));
        for file in ["Cargo.lock", "clippy.toml"] {
            fs::copy(top.join(file), root.join(file)).expect("a file of the workspace");
        }
        let manifest = fs::read_to_string(top.join("Cargo.toml")).expect("the workspace");
        let alone = |line: &str| match line.starts_with("members = ") {
            true => "members = [\"agent/core\"]\n".to_owned(),
            false => format!("{line}\n"),
        };
        let manifest: String = manifest.lines().map(alone).collect();
        fs::write(root.join("Cargo.toml"), manifest).expect("a workspace of its own");
        Self { root, target: target.join("build") }
    }

    /// What comes of one test target, with these arguments.
    ///
    /// # Errors
    /// It does not build.
    fn test(&self, target: &[&str], arguments: &[&str], bounds: &str) -> Result<String, String> {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let output = Command::new(cargo)
            .args(["test", "--offline", "-p", "titania-core"])
            .args(target)
            .arg("--")
            .args(arguments)
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("RUSTFLAGS", "-Awarnings")
            .env("CARGO_PROFILE_DEV_DEBUG", "0") // built some hundred times
            .env("RUST_BACKTRACE", "0")
            .env("EXPLORE", bounds)
            .output()
            .map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !text.contains("test result:") {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(text.into_owned())
    }

    /// What a search, or all of them, sees broken: that with the shortest way to it.
    ///
    /// # Errors
    /// It does not build.
    fn search(&self, only: &[&str], bounds: &str) -> Result<Option<Missed>, String> {
        let text = self.test(&["--test", "exploration"], only, bounds)?;
        if text.contains("test result: ok.") {
            return Ok(None);
        }
        let (promise, steps) = broken(&text).ok_or(format!("error without a word:\n{text}"))?;
        Ok(Some(Missed::BySearch(promise, steps)))
    }

    /// What misses a guard in the copy as it stands: the searches in small, in full, or the unit tests.
    ///
    /// # Errors
    /// It does not build.
    fn judge(&self, in_full: &str) -> Result<Missed, String> {
        if let Some(missed) = self.search(&[], "small")? {
            return Ok(missed);
        }
        if !in_full.is_empty()
            && let Some(missed) = self.search(&[in_full], "")?
        {
            return Ok(missed);
        }
        let failed = |line: &&str| line.starts_with("test ") && line.ends_with("... FAILED");
        Ok(match self.test(&["--lib"], &[], "")?.lines().filter(failed).count() {
            0 => Missed::ByNothing,
            units => Missed::ByUnits(units),
        })
    }

    /// One guard out, judged, and back in.
    ///
    /// # Errors
    /// Its text is not there once, or it does not build without it.
    fn without(&self, mutation: &Mutation) -> Result<Missed, String> {
        let path = self.root.join("agent/core").join(&mutation.file);
        let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let (from, to) = (mutation.from.join("\n"), mutation.to.join("\n"));
        let times = text.matches(&from).count();
        if times != 1 {
            return Err(format!("{} has its text {times} times: mend the list", mutation.file));
        }
        fs::write(&path, text.replace(&from, &to)).map_err(|error| error.to_string())?;
        let missed = self.judge(&mutation.in_full);
        fs::write(&path, text).map_err(|error| error.to_string())?;
        missed
    }
}

/// The promise that was broken in the fewest steps, and their number; what never comes to rest only where no promise was.
fn broken(text: &str) -> Option<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let found = lines.windows(2).filter_map(|pair| {
        let steps = pair[1].strip_prefix("after ")?.strip_suffix(" steps:")?;
        Some((pair[0].to_owned(), steps.parse().ok()?))
    });
    let is_for_ever = |what: &str| {
        what.contains("goes round") || what.contains("not at rest") || what.contains("no end")
    };
    found.min_by_key(|(what, steps)| (is_for_ever(what), *steps))
}

/// A line of the table, and whether it is as it should be.
fn line(mutation: &Mutation, missed: Result<Missed, String>) -> (String, bool) {
    let name = &mutation.name;
    match missed {
        Ok(Missed::BySearch(promise, steps)) => (format!("| {name} | {promise} | {steps} |"), true),
        Ok(Missed::ByUnits(units)) => (format!("| {name} | unit tests: {units} | – |"), true),
        Ok(Missed::ByNothing) if mutation.redundant.is_empty() => {
            (format!("| {name} | **missed by nothing** | – |"), false)
        }
        Ok(Missed::ByNothing) => {
            (format!("| {name} | not needed: {} | – |", mutation.redundant), true)
        }
        Err(problem) => {
            let first = problem.lines().find(|line| line.starts_with("error"));
            (format!("| {name} | **{}** | – |", first.unwrap_or(&problem)), false)
        }
    }
}

fn main() -> ExitCode {
    let only = std::env::args().nth(1).unwrap_or_default();
    let copy = Copy::of_crate();
    match copy.judge("") {
        Ok(Missed::ByNothing) => {}
        Ok(_) => panic!("the tree as it is does not pass"),
        Err(problem) => panic!("the tree as it is does not build: {problem}"),
    }
    let is_asked = |name: &str| only.split('|').any(|word| name.contains(word));
    let (mut all, mut well) = (0, 0);
    for (of, list) in GUARDS {
        println!("\n| {of} | without it | steps |\n|---|---|---|");
        for mutation in mutations(list).iter().filter(|mutation| is_asked(&mutation.name)) {
            let (line, is_well) = line(mutation, copy.without(mutation));
            println!("{line}");
            all += 1;
            well += usize::from(is_well);
        }
    }
    println!("\n{well} of {all} as they should be.");
    if well == all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
