//! What is wrong between definitions that are each right.

use titania_core::definition::Definition;
use titania_core::names::AppName;
use titania_core::status::ConfigError;
use toml::de::DeTable;

use crate::definition::{overlap, port_of};
use crate::faults::place;
use crate::nearest;

/// One app as it would come into force.
#[derive(Clone, Copy, Debug)]
pub struct App<'a> {
    /// Its name.
    pub name: &'a AppName,
    /// Its file.
    pub file: &'a str,
    /// The file's text, to find the place of a fault; empty where it is not at hand (then 1:1).
    pub text: &'a str,
    /// Its definition.
    pub definition: &'a Definition,
}

/// One fault, and the app whose definition can't come into force because of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// The app.
    pub app: AppName,
    /// The fault, placed in that app's file.
    pub error: ConfigError,
}

/// Faults between apps: two on one host port, names that are one when `.` is read as `_`, a cycle
/// in `after`, an `after` that names nobody. Each app that takes part gets a fault of its own, so
/// that a definition in force stays in force and a new one that clashes with it does not come in.
pub fn check_together(apps: &[App<'_>]) -> Vec<Clash> {
    let mut apps: Vec<App<'_>> = apps.to_vec();
    apps.sort_by_key(|app| app.name);
    let mut clashes = Vec::new();
    for app in &apps {
        for other in apps.iter().filter(|other| other.name != app.name) {
            names(app, other, &mut clashes);
            ports(app, other, &mut clashes);
        }
        nobody(app, &apps, &mut clashes);
        cycle(app, &apps, &mut clashes);
    }
    clashes
}

impl App<'_> {
    /// A fault at the item of the list `key` that `is` picks, else at the top.
    fn clash(&self, key: &str, is: impl Fn(&str) -> bool, message: String, hint: String) -> Clash {
        let item = |span: &std::ops::Range<usize>| place(self.text, span.start);
        let (line, column) = span(self.text, key, is).as_ref().map_or((1, 1), item);
        let error = ConfigError { file: self.file.to_string(), line, column, message, hint };
        Clash { app: self.name.clone(), error }
    }
}

/// Where an item of the list `key` stands.
fn span(text: &str, key: &str, is: impl Fn(&str) -> bool) -> Option<std::ops::Range<usize>> {
    let document = DeTable::parse(text).ok()?;
    let (_, list) = document.get_ref().iter().find(|(k, _)| k.get_ref() == key)?;
    let items = list.get_ref().as_array()?.iter();
    let mut texts = items.filter_map(|item| Some((item.get_ref().as_str()?, item.span())));
    texts.find(|(text, _)| is(text)).map(|(_, span)| span)
}

fn names(app: &App<'_>, other: &App<'_>, clashes: &mut Vec<Clash>) {
    let plain = |name: &AppName| name.as_str().replace('.', "_");
    if plain(app.name) == plain(other.name) {
        clashes.push(app.clash(
            "",
            |_| false,
            format!(
                "the names \"{}\" and \"{}\" are one where '.' is read as '_'",
                app.name, other.name
            ),
            "rename one of the two files".to_string(),
        ));
    }
}

fn ports(app: &App<'_>, other: &App<'_>, clashes: &mut Vec<Clash>) {
    for own in &app.definition.shape.ports {
        if let Some(taken) = other.definition.shape.ports.iter().find(|port| overlap(own, port)) {
            clashes.push(app.clash(
                "ports",
                |text| port_of(text).as_ref() == Ok(own),
                format!("\"{own}\" takes the same port of the board as \"{taken}\" of the app \"{}\" ({})", other.name, other.file),
                "give one of them another port of the board".to_string(),
            ));
        }
    }
}

fn nobody(app: &App<'_>, apps: &[App<'_>], clashes: &mut Vec<Clash>) {
    for wanted in &app.definition.after {
        if apps.iter().any(|other| other.name == wanted) {
            continue;
        }
        let known: Vec<&str> = apps
            .iter()
            .filter(|other| other.name != app.name)
            .map(|other| other.name.as_str())
            .collect();
        let hint = match nearest::hint(wanted.as_str(), &known, "app") {
            hint if hint.is_empty() => "no other app is defined: leave it out".to_string(),
            hint => hint,
        };
        clashes.push(app.clash(
            "after",
            |text| text == wanted.as_str(),
            format!("\"after\" names \"{wanted}\", and no app has this name"),
            hint,
        ));
    }
}

/// Tells an app that waits for itself in the end, by the shortest way round.
fn cycle(app: &App<'_>, apps: &[App<'_>], clashes: &mut Vec<Clash>) {
    let find = |name: &AppName| apps.iter().find(|other| other.name == name);
    // Breadth first: who is reached, and through whom.
    let mut reached: Vec<(&AppName, usize)> = Vec::new();
    let mut next = 0;
    let mut here = Some((app, usize::MAX));
    while let Some((from, place)) = here {
        for wanted in &from.definition.after {
            if wanted == app.name {
                let way = way(app.name, &reached, place);
                let first = way.get(1).map_or("", |name| name.as_str()).to_string();
                let names: Vec<String> = way.iter().map(ToString::to_string).collect();
                clashes.push(app.clash(
                    "after",
                    |text| text == first,
                    format!("\"after\" goes round in a circle: {}", names.join(" waits for ")),
                    "leave one of them out of another's \"after\"".to_string(),
                ));
                return;
            }
            if find(wanted).is_some() && reached.iter().all(|(name, _)| *name != wanted) {
                reached.push((wanted, place));
            }
        }
        here = None;
        while let (None, Some((name, _))) = (&here, reached.get(next)) {
            here = find(name).map(|app| (app, next));
            next += 1;
        }
    }
}

/// The names from `start` to the one at `place`, and `start` again.
fn way<'n>(start: &'n AppName, reached: &[(&'n AppName, usize)], place: usize) -> Vec<&'n AppName> {
    let mut names = vec![start];
    let mut place = place;
    while let Some((name, before)) = reached.get(place) {
        names.push(name);
        place = *before;
    }
    names.push(start);
    names.reverse();
    names
}

#[cfg(test)]
mod tests;
