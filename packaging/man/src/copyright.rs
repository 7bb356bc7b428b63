//! The package's copyright file: the project's own licence, and that of each crate that is linked into a program.
//!
//! Promise: no crate that is linked is left out; one without a licence is an error. Licence texts stand once each;
//! the Apache License is the one of every Debian system.
//! Trusts: cargo's own word on what is linked.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const OWN: &str = include_str!("../../deb/copyright");
/// What the three packages are built for.
const TARGETS: [&str; 3] =
    ["armv7-unknown-linux-gnueabihf", "aarch64-unknown-linux-gnu", "x86_64-unknown-linux-gnu"];
/// Beginnings of the names of files that hold licences.
const NAMES: [&str; 6] = ["license", "licence", "copying", "copyright", "unlicense", "notice"];
/// Largest file of a licence, in bytes: ring's has 20 KB.
const BYTES_MAX: u64 = 256 * 1024;

/// A crate that is linked.
struct Linked {
    /// Name and version.
    name: String,
    /// Its licence expression.
    licence: String,
    /// Who holds rights, each a line.
    holders: BTreeSet<String>,
    /// Its licences' texts, without the holders.
    texts: Vec<String>,
}

/// The whole file.
///
/// # Errors
/// Cargo does not answer, or a crate says nothing of its licence.
pub fn whole() -> Result<String, Box<dyn Error>> {
    let names = linked()?;
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--locked", "--format-version", "1"])?)?;
    let mut crates = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let name = format!("{} {}", text("name"), text("version"));
        if names.contains(&name) && package["source"].is_string() {
            crates.push(read(name, package)?);
        }
    }
    if crates.len() < 2 {
        return Err("cargo tells of no crates that are linked".into());
    }
    crates.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(file(&crates))
}

/// Names and versions of all that the two programs are linked from.
fn linked() -> Result<BTreeSet<String>, Box<dyn Error>> {
    let mut words = vec!["tree", "--locked", "--prefix", "none", "--edges", "normal,no-proc-macro"];
    words.extend([
        "--format",
        "{p}",
        "--package",
        "titania-agentd",
        "--package",
        "titania-agentctl",
    ]);
    words.extend(TARGETS.iter().flat_map(|target| ["--target", target]));
    let lines = cargo(&words)?;
    let name = |line: &str| {
        let mut words = line.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?.strip_prefix('v')?))
    };
    Ok(lines.lines().filter_map(name).collect())
}

fn cargo(words: &[&str]) -> Result<String, Box<dyn Error>> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let top = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let done = Command::new(program).args(words).current_dir(top).output()?;
    if !done.status.success() {
        return Err(format!("cargo {}: {}", words[0], String::from_utf8_lossy(&done.stderr)).into());
    }
    Ok(String::from_utf8(done.stdout)?)
}

fn read(name: String, package: &Value) -> Result<Linked, Box<dyn Error>> {
    let manifest = package["manifest_path"].as_str().unwrap_or_default();
    let folder = Path::new(manifest).parent().ok_or("a crate without a folder")?;
    let mut found = Linked {
        licence: package["license"].as_str().unwrap_or_default().replace('/', " OR "),
        name,
        holders: BTreeSet::new(),
        texts: Vec::new(),
    };
    let mut files: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    for entry in files {
        let file = entry.file_name().to_string_lossy().to_lowercase();
        let seen = entry.metadata()?;
        if seen.is_file()
            && seen.len() < BYTES_MAX
            && NAMES.iter().any(|start| file.starts_with(start))
        {
            take(&mut found, &String::from_utf8_lossy(&fs::read(entry.path())?));
        }
    }
    if found.licence.is_empty() && found.texts.is_empty() {
        return Err(format!("{} says nothing of its licence", found.name).into());
    }
    if found.holders.is_empty() {
        let authors = package["authors"].as_array().into_iter().flatten();
        found.holders.extend(authors.filter_map(Value::as_str).map(str::to_owned));
    }
    if found.holders.is_empty() {
        found.holders.insert(format!("the authors of {}", found.name));
    }
    Ok(found)
}

/// Takes holders and text of one licence file; the Apache License itself is left out.
fn take(found: &mut Linked, text: &str) {
    let mut kept: Vec<String> = Vec::new();
    let mut is_apache = false;
    for line in text.lines().map(str::trim) {
        is_apache |= line == "Apache License";
        let is_holder = line.to_lowercase().starts_with("copyright")
            && line.contains(|c: char| c.is_ascii_digit());
        if is_holder && !line.contains("[yyyy]") {
            found.holders.insert(line.to_owned());
        } else if !(is_apache || line.is_empty() && kept.last().is_none_or(String::is_empty)) {
            kept.push(line.to_owned());
        }
        // The last line of its appendix, or its own last line where that was left out.
        is_apache &= !line.starts_with("limitations under the License");
    }
    let text = kept.join("\n").trim().to_owned();
    if !text.is_empty() {
        found.texts.push(text);
    }
}

/// Texts that differ in their line breaks alone are one.
fn same(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn file(crates: &[Linked]) -> String {
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut texts: Vec<&str> = Vec::new();
    let mut out = format!("{}\n\n", OWN.trim_end());
    out.push_str(
        "What is linked into agentd and agentctl\n=======================================\n\n",
    );
    for linked in crates {
        out.push_str(&format!("{}\n  License: {}", linked.name, linked.licence));
        for text in &linked.texts {
            let number = *numbers.entry(same(text)).or_insert_with(|| {
                texts.push(text);
                texts.len()
            });
            out.push_str(&format!(" [{number}]"));
        }
        out.push('\n');
        for holder in &linked.holders {
            out.push_str(&format!("  {holder}\n"));
        }
    }
    out.push_str(
        "\nOn Debian systems the Apache License 2.0 is in /usr/share/common-licenses/Apache-2.0.\n",
    );
    for (at, text) in texts.iter().enumerate() {
        out.push_str(&format!("\n[{}]\n", at + 1));
        for line in text.lines() {
            out.push_str(format!("  {line}").trim_end());
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_apache_licence_is_left_out_and_what_follows_it_is_kept() {
        let mut found = Linked {
            name: "a 1.0.0".to_owned(),
            licence: "Apache-2.0 AND ISC".to_owned(),
            holders: BTreeSet::new(),
            texts: Vec::new(),
        };
        take(
            &mut found,
            "First.\n\n  Apache License\nVersion 2.0\nCopyright [yyyy] [name]\n  limitations under the License.\n\
             Copyright (c) 2020 A\nLast.",
        );
        assert_eq!(found.texts, ["First.\n\nLast."]);
        assert_eq!(found.holders.into_iter().collect::<Vec<_>>(), ["Copyright (c) 2020 A"]);
    }

    #[test]
    fn one_text_stands_once() {
        let linked = |name: &str, text: &str| Linked {
            name: name.to_owned(),
            licence: "MIT".to_owned(),
            holders: BTreeSet::from(["A".to_owned()]),
            texts: vec![text.to_owned()],
        };
        let out =
            file(&[linked("a 1.0.0", "Do as\nyou like."), linked("b 1.0.0", "Do as you\nlike.")]);
        assert_eq!(out.matches("License: MIT [1]").count(), 2, "{out}");
        assert!(!out.contains("[2]"), "{out}");
    }
}
