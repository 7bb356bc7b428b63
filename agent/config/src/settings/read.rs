//! Reads settings: the main file, then each drop-in over it, key by key.

use titania_core::status::ConfigError;
use titania_core::time::Millis;
use toml::de::DeTable;

use super::{Board, Control, Disk, Engine, Paths, Settings, mqtt, registry};
use crate::FILE_BYTES_MAX;
use crate::definition::is_group;
use crate::faults::{Faults, quote, too_long};
use crate::paths::{absolute, is_inside};
use crate::table::{Field, Table, parse};

/// Keys and tables at the top of a file.
const KEYS: [&str; 10] =
    ["board", "poll", "paths", "engine", "registry", "trust", "mqtt", "disk", "metrics", "control"];

/// The tables and their keys.
const TABLES: [(&str, &[&str]); 9] = [
    ("board", &["id", "prefix"]),
    ("paths", &["apps", "keys", "state", "volumes", "socket", "allow_volatile"]),
    ("engine", &["socket"]),
    ("registry", &registry::KEYS),
    ("trust", &registry::TRUST_KEYS),
    ("mqtt", &mqtt::KEYS),
    ("disk", &["reserve", "fork_limit", "keep"]),
    ("metrics", &["listen", "socket"]),
    ("control", &["operators"]),
];

/// Shortest time between polls: a registry counts each one.
const POLL_MIN: Millis = Millis::seconds(60);
/// Longest: a board that asks less often than monthly has forgotten to ask.
const POLL_MAX: Millis = Millis::seconds(30 * 24 * 3600);
/// Most older forks kept.
const KEEP_MAX: i64 = 1000;
/// Longest prefix of topics, in bytes: leaves room for the rest of a topic on small brokers.
const PREFIX_BYTES_MAX: usize = 200;

/// See [`crate::settings_keys`].
pub fn keys() -> Vec<(&'static str, &'static str)> {
    let within = |(table, keys): &(&'static str, &'static [&'static str])| {
        keys.iter().map(|key| (*table, *key)).collect::<Vec<_>>()
    };
    KEYS.iter().map(|key| ("", *key)).chain(TABLES.iter().flat_map(within)).collect()
}

fn keys_of(table: &str) -> &'static [&'static str] {
    TABLES.iter().find(|(name, _)| *name == table).map_or(&[], |(_, keys)| keys)
}

/// Where a key that is not known in one table belongs.
fn stray(key: &str, here: &str) -> Option<String> {
    if !here.is_empty() && key == "poll" {
        return Some("\"poll\" stands above the first table".to_string());
    }
    let (table, _) = TABLES.iter().find(|(table, keys)| *table != here && keys.contains(&key))?;
    let brackets = if matches!(*table, "registry" | "trust") {
        format!("[[{table}]]")
    } else {
        format!("[{table}]")
    };
    Some(format!("\"{key}\" is a key of {brackets}"))
}

/// All files, in order.
pub(super) struct Files<'a> {
    tops: Vec<Table<'a>>,
}

impl<'a> Files<'a> {
    /// One table of all files: a later file's key replaces an earlier one's.
    pub(super) fn table(&self, name: &'static str) -> Option<Table<'a>> {
        let table = |top: &Table<'a>| {
            top.get(name)?.table(keys_of(name), "[table]", &|key| stray(key, name))
        };
        Table::merged(self.tops.iter().filter_map(table).collect())
    }

    /// The tables of an array of tables, file by file.
    pub(super) fn tables(&self, name: &'static str) -> Vec<Vec<(Field<'a>, Table<'a>)>> {
        let of = |top: &Table<'a>| {
            let Some(field) = top.get(name) else {
                return Vec::new();
            };
            if !field.value.is_array() {
                let message = format!("\"{name}\" takes a list of tables");
                field.wrong_key(message, format!("write [[{name}]] with two brackets"));
                return Vec::new();
            }
            let table = |item: Field<'a>| {
                let table = item.table(keys_of(name), "[[table]]", &|key| stray(key, name))?;
                Some((item, table))
            };
            field.list("[[table]]").unwrap_or_default().into_iter().filter_map(table).collect()
        };
        self.tops.iter().map(of).collect()
    }

    fn last(&self, key: &str) -> Option<&Field<'a>> {
        self.tops.iter().rev().find_map(|top| top.get(key))
    }
}

/// Reads `agent.toml` and its drop-ins (in this order: a later file's key overrides an earlier
/// one's, a `[[registry]]` of the same host is replaced whole, others are added).
///
/// # Errors
/// Every fault of all files, each with its own file, line and column.
pub fn settings(
    file: &str,
    text: &str,
    dropins: &[(&str, &str)],
) -> Result<Settings, Vec<ConfigError>> {
    let all: Vec<(&str, &str)> =
        std::iter::once((file, text)).chain(dropins.iter().copied()).collect();
    let long = all.iter().filter(|(_, text)| text.len() > FILE_BYTES_MAX);
    let long: Vec<_> = long.map(|(file, text)| too_long(file, text.len())).collect();
    if !long.is_empty() {
        return Err(long);
    }
    let faults: Vec<Faults<'_>> = all.iter().map(|(file, text)| Faults::new(file, text)).collect();
    let documents: Vec<Option<DeTable<'_>>> =
        all.iter().zip(&faults).map(|((_, text), faults)| parse(text, faults)).collect();
    let settings = read(&documents, &faults);
    drop(documents);
    if faults.iter().all(Faults::is_empty) {
        Ok(settings)
    } else {
        Err(faults.into_iter().flat_map(Faults::finish).collect())
    }
}

fn read<'a>(documents: &'a [Option<DeTable<'a>>], faults: &'a [Faults<'a>]) -> Settings {
    let top = |(document, faults): (&'a Option<DeTable<'a>>, &'a Faults<'a>)| {
        Some(Table::file(document.as_ref()?, faults, &KEYS, &|key| stray(key, "")))
    };
    let files = Files { tops: documents.iter().zip(faults).filter_map(top).collect() };
    let poll = files.last("poll").and_then(|f| f.duration("\"15m\"", POLL_MIN, POLL_MAX));
    registry::trust(&files);
    metrics(&files);
    Settings {
        board: board(&files),
        poll: poll.unwrap_or(Settings::default().poll),
        paths: paths(&files),
        engine: engine(&files),
        registries: registry::registries(&files),
        mqtt: mqtt::mqtt(&files),
        disk: disk(&files),
        control: control(&files),
    }
}

fn board(files: &Files<'_>) -> Board {
    let Some(table) = files.table("board") else {
        return Board::default();
    };
    let id = table.get("id").and_then(|field| {
        let text = field.text("\"kitchen-1\"")?;
        let good = text.len() <= 64
            && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-');
        if !good {
            let message = format!("\"board.id\": {} is no board id", quote(text));
            field.wrong(message, "1 to 64 letters, digits, '_' and '-'");
        }
        good.then(|| text.to_string())
    });
    let prefix = table.get("prefix").and_then(|field| {
        let text = field.text("\"titania/kitchen-1\"")?;
        let bad = text.contains(['+', '#']) || text.starts_with('$') || text.split('/').any(str::is_empty);
        if bad || text.len() > PREFIX_BYTES_MAX {
            let message = format!("\"board.prefix\": {} is no prefix of MQTT topics", quote(text));
            field.wrong(message, format!("no '+', '#', no '$' at its start, no empty part, at most {PREFIX_BYTES_MAX} bytes, as in \"titania/kitchen-1\""));
            return None;
        }
        Some(text.to_string())
    });
    Board { id, prefix }
}

fn paths(files: &Files<'_>) -> Paths {
    let usual = Paths::default();
    let Some(table) = files.table("paths") else {
        return usual;
    };
    let path = |key: &str, default: &str| {
        let field = table.get(key);
        let path = field.and_then(|f| absolute(f, &quote(default)));
        if let (Some(field), Some("/")) = (field, path.as_deref()) {
            field.wrong(
                format!("\"paths.{key}\" is the whole board"),
                format!("for example: {key} = {}", quote(default)),
            );
        }
        path.unwrap_or_else(|| default.to_string())
    };
    let paths = Paths {
        apps: path("apps", &usual.apps),
        keys: path("keys", &usual.keys),
        state: path("state", &usual.state),
        volumes: path("volumes", &usual.volumes),
        socket: path("socket", &usual.socket),
        allow_volatile: table
            .get("allow_volatile")
            .and_then(Field::flag)
            .unwrap_or(usual.allow_volatile),
    };
    // Else the agent's own folder would pass for an app's, and come and go with the volumes' disk.
    if paths.volumes != "/"
        && is_inside(&paths.state, &paths.volumes)
        && let Some(field) = table.get("state").or_else(|| table.get("volumes"))
    {
        let (state, volumes) = (quote(&paths.state), quote(&paths.volumes));
        field.wrong(
            format!("\"paths.state\" {state} lies in \"paths.volumes\" {volumes}"),
            "choose a folder outside for one of them",
        );
    }
    paths
}

fn engine(files: &Files<'_>) -> Engine {
    let table = files.table("engine");
    let field = table.as_ref().and_then(|table| table.get("socket"));
    let socket = field.and_then(|field| {
        let text = field.text("\"/run/docker.sock\"")?;
        if let Some(path) = text.strip_prefix("unix://") {
            let message = format!("\"engine.socket\": {} is a URL", quote(text));
            field.wrong(message, format!("write the path alone: socket = {}", quote(path)));
            return None;
        }
        absolute(field, "\"/run/docker.sock\"")
    });
    Engine { socket }
}

fn disk(files: &Files<'_>) -> Disk {
    let usual = Disk::default();
    let Some(table) = files.table("disk") else {
        return usual;
    };
    let size = |key: &str, example: &str, default: u64| {
        table.get(key).and_then(|f| f.size(example)).unwrap_or(default)
    };
    let keep = table.get("keep").and_then(|f| f.whole(0, KEEP_MAX, "3"));
    Disk {
        reserve: size("reserve", "\"256MiB\"", usual.reserve),
        fork_limit: size("fork_limit", "\"1GiB\"", usual.fork_limit),
        keep: keep.and_then(|n| u32::try_from(n).ok()).unwrap_or(usual.keep),
    }
}

fn control(files: &Files<'_>) -> Control {
    let table = files.table("control");
    let field = table.as_ref().and_then(|table| table.get("operators"));
    let operators = field.and_then(|field| {
        let text = field.text("\"adm\"")?;
        if !is_group(text) {
            let message = format!("\"control.operators\": {} is no name of a group", quote(text));
            field.wrong(message, "write a name of /etc/group, as in operators = \"adm\"");
            return None;
        }
        Some(text.to_string())
    });
    Control { operators }
}

/// Checked, then refused: its room comes later.
fn metrics(files: &Files<'_>) {
    let Some(table) = files.table("metrics") else {
        return;
    };
    let listen = table.get("listen").map(|field| {
        let text = field.text("\"127.0.0.1:9100\"")?;
        let address = text.parse::<std::net::SocketAddr>();
        if address.is_err() {
            let message =
                format!("\"metrics.listen\": {} is no address with its port", quote(text));
            field.wrong(message, "for example: listen = \"127.0.0.1:9100\"");
        }
        address.ok().map(|_| ())
    });
    let socket =
        table.get("socket").map(|f| absolute(f, "\"/run/titania-agent/metrics.sock\"").map(|_| ()));
    match (listen, socket) {
        (Some(_), Some(_)) => {
            table.wrong("[metrics] has both \"listen\" and \"socket\"", "leave one of them out")
        }
        (Some(None), _) | (_, Some(None)) => {}
        _ => table.wrong(
            "[metrics] is not in this version",
            "leave it out; the same figures go out over MQTT",
        ),
    }
}
