//! One app's definition file.

mod health;
mod image;
mod network;
mod process;
mod security;
mod update;
mod volumes;

use std::path::Path;

use titania_core::definition::{Definition, Limits, Shape};
use titania_core::names::AppName;
use titania_core::status::ConfigError;

use crate::FILE_BYTES_MAX;
use crate::faults::{Faults, quote, too_long};
use crate::table::{Field, Table, parse};
use crate::units;

pub(crate) use network::{overlap, port_of};
pub(crate) use process::{is_group, is_variable};

/// Every key of a definition above its first table, and the tables.
pub(crate) const KEYS: [&str; 30] = [
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
    "volumes",
    "env",
    "limits",
    "health",
    "update",
];

/// The tables of known keys.
const TABLES: [(&str, &[&str]); 6] = [
    ("track", &image::TRACK_KEYS),
    ("stop", &process::STOP_KEYS),
    ("volumes", &volumes::KEYS),
    ("limits", &LIMITS_KEYS),
    ("health", &health::KEYS),
    ("update", &update::KEYS),
];

const LIMITS_KEYS: [&str; 2] = ["memory", "cpus"];

/// Docker refuses a lower memory limit (20.10 and newer).
const MEMORY_BYTES_MIN: u64 = 6 << 20;

/// See [`crate::definition_keys`].
pub fn keys() -> Vec<(&'static str, &'static str)> {
    let within = |(table, keys): &(&'static str, &'static [&'static str])| {
        keys.iter().map(|key| (*table, *key)).collect::<Vec<_>>()
    };
    let top = KEYS.iter().map(|key| ("", *key));
    let data = volumes::DATA_KEYS.iter().map(|key| ("volumes.data", *key));
    top.chain(TABLES.iter().flat_map(within)).chain(data).collect()
}

/// Where a key that is not known in one table belongs.
fn stray(key: &str, here: &str) -> Option<String> {
    if !here.is_empty() && KEYS.contains(&key) {
        return Some(format!("\"{key}\" is a key of the definition: put it above the first table"));
    }
    let (table, _) = TABLES.iter().find(|(table, keys)| *table != here && keys.contains(&key))?;
    Some(format!("\"{key}\" is a key of [{table}]"))
}

/// A table with the known keys of [`TABLES`].
fn section<'a>(top: &Table<'a>, name: &'static str, example: &str) -> Option<Table<'a>> {
    let keys = TABLES.iter().find(|(table, _)| *table == name).map(|(_, keys)| *keys)?;
    top.get(name)?.table(keys, example, &|key| stray(key, name))
}

/// See [`crate::app_name`].
pub(crate) fn app_name(file: &str) -> Result<AppName, ConfigError> {
    let stem = Path::new(file).file_name().and_then(|name| name.to_str()).unwrap_or("");
    let stem = stem.strip_suffix(".toml").unwrap_or(stem);
    stem.parse::<AppName>().map_err(|error| ConfigError {
        file: file.to_string(),
        line: 1,
        column: 1,
        message: format!("the file's name names the app, and {error}"),
        hint: match renamed(stem) {
            Some(name) => format!("rename the file to {name}.toml"),
            None => "rename the file, as in wallet.toml".to_string(),
        },
    })
}

/// The nearest app name.
fn renamed(stem: &str) -> Option<AppName> {
    let word: String = stem
        .to_lowercase()
        .chars()
        .map(|c| if matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-') { c } else { '-' })
        .take(63)
        .collect();
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let word = word.strip_suffix("-probe").unwrap_or(word);
    word.parse().or_else(|_| word.replace("-g", "g").parse()).ok()
}

/// Reads the definition of the app `name`.
///
/// # Errors
/// Every fault of the file, in its order.
pub fn definition(name: &AppName, file: &str, text: &str) -> Result<Definition, Vec<ConfigError>> {
    if text.len() > FILE_BYTES_MAX {
        return Err(vec![too_long(file, text.len())]);
    }
    let faults = Faults::new(file, text);
    let read = parse(text, &faults).and_then(|document| {
        let top = Table::file(&document, &faults, &KEYS, &|key| stray(key, ""));
        whole(name, &top)
    });
    match read {
        Some(definition) if faults.is_empty() => Ok(definition),
        _ => Err(faults.finish()),
    }
}

/// All keys; `None` only where there is no image to build on.
fn whole(name: &AppName, top: &Table<'_>) -> Option<Definition> {
    let image = image::image(top);
    let allow_root = flag(top, "allow_root", false);
    let network = network::network(top);
    let volumes = volumes::volumes(top);
    let mounts = volumes::mounts(top);
    volumes::apart(top);
    let health = health::health(top, &network);
    let update = update::update(top);
    let after = after(name, top);
    let limits = limits(top);
    let shm_size = top.get("shm_size").and_then(shm_size);
    let (reference, track) = image.unwrap_or_else(image::stand_in);
    let plain = Shape::of(reference);
    let shape = Shape {
        user: process::user(top, allow_root),
        allow_root,
        groups: process::groups(top, allow_root),
        entrypoint: texts(top, "entrypoint", "[\"/app\"]"),
        command: texts(top, "command", "[\"-verbose\"]"),
        working_dir: top.get("working_dir").and_then(|f| crate::paths::absolute(f, "\"/app\"")),
        hostname: network::hostname(top),
        ports: network::ports(top, &network),
        devices: security::devices(top),
        env_file: top
            .get("env_file")
            .and_then(|f| crate::paths::absolute(f, "\"/etc/titania-agent/secrets/app.env\"")),
        env: process::env(top),
        stop: process::stop(top),
        volumes,
        limits,
        capabilities: security::capabilities(top),
        read_only: flag(top, "read_only", false),
        sysctls: security::sysctls(top, &network),
        shm_size,
        init: flag(top, "init", plain.init),
        extra_hosts: network::extra_hosts(top),
        dns: network::dns(top),
        labels: process::labels(top),
        mounts,
        network,
        ..plain
    };
    Some(Definition { shape, track, after, health, update })
}

fn flag(table: &Table<'_>, key: &str, default: bool) -> bool {
    table.get(key).and_then(Field::flag).unwrap_or(default)
}

fn texts(table: &Table<'_>, key: &str, example: &str) -> Option<Vec<String>> {
    table.get(key)?.texts(example)
}

/// Tells an item that stands in a list already.
fn twice<T: PartialEq>(list: &[T], item: &T, field: &Field<'_>, shown: &str) -> bool {
    let is_there = list.contains(item);
    if is_there {
        field.wrong(format!("\"{}\" names {shown} twice", field.name), "leave one of them out");
    }
    is_there
}

fn after(name: &AppName, top: &Table<'_>) -> Vec<AppName> {
    let Some(field) = top.get("after") else {
        return Vec::new();
    };
    let mut list: Vec<AppName> = Vec::new();
    for item in field.list("[\"tor\"]").unwrap_or_default() {
        let Some(text) = item.text("[\"tor\"]") else {
            continue;
        };
        match text.parse::<AppName>() {
            Ok(other) if other == *name => {
                item.wrong(
                    format!("\"after\" names {} itself", quote(text)),
                    "an app can't wait for itself: leave it out",
                );
            }
            Ok(other) => {
                if !twice(&list, &other, &item, &quote(text)) {
                    list.push(other);
                }
            }
            Err(error) => item.wrong(
                format!("\"after\": {error}"),
                "write the names of other apps, as in after = [\"tor\"]",
            ),
        }
    }
    list
}

fn limits(top: &Table<'_>) -> Limits {
    let Some(table) = section(top, "limits", "{ memory = \"256MiB\", cpus = 1.5 }") else {
        return Limits::default();
    };
    let memory = table.get("memory").and_then(|field| {
        let bytes = field.size("\"256MiB\"")?;
        if bytes < MEMORY_BYTES_MIN {
            field.wrong(
                "\"limits.memory\" is less than the engine takes",
                "write at least \"6MiB\"",
            );
        }
        Some(bytes)
    });
    Limits { memory, cpus: table.get("cpus").and_then(cpus) }
}

/// A number, with or without quotes.
fn cpus(field: &Field<'_>) -> Option<u32> {
    use toml::de::DeValue;
    let text = match field.value {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        DeValue::String(text) => text,
        _ => {
            field.wrong_type("a number of processors", "1.5");
            return None;
        }
    };
    field.unit(units::cpus(text))
}

fn shm_size(field: &Field<'_>) -> Option<u64> {
    let bytes = field.size("\"64MiB\"")?;
    if bytes == 0 {
        field.wrong("\"shm_size\" is zero", "leave it out for the engine's default of 64MiB");
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
