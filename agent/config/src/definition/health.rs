//! `[health]`: how health is seen.

use titania_core::definition::{Health, ProbeRule};
use titania_core::time::Millis;

use super::section;
use crate::faults::quote;
use crate::table::{Field, Table};
use crate::units::shown;

pub(super) const KEYS: [&str; 10] = [
    "http",
    "tcp",
    "exec",
    "container",
    "interval",
    "timeout",
    "retries",
    "start_period",
    "settle",
    "deadline",
];
const PROBES: [&str; 4] = ["http", "tcp", "exec", "container"];

/// Shortest time between two probes and shortest wait for an answer: a board has other things to do.
const TIME_MIN: Millis = Millis(100);
/// Longest of all times here.
const TIME_MAX: Millis = Millis::seconds(24 * 3600);

pub(super) fn health(top: &Table<'_>, network: &str) -> Health {
    let usual = Health::default();
    let Some(table) = section(top, "health", "{ http = { port = 80, path = \"/\" } }") else {
        return usual;
    };
    let time = |key: &str, least: Millis, default: Millis| {
        let example = format!("\"{}\"", shown(default));
        table.get(key).and_then(|f| f.duration(&example, least, TIME_MAX)).unwrap_or(default)
    };
    let retries = table.get("retries").and_then(|f| f.whole(1, 1000, "3"));
    let health = Health {
        probe: probe(&table, network).unwrap_or_default(),
        interval: time("interval", TIME_MIN, usual.interval),
        timeout: time("timeout", TIME_MIN, usual.timeout),
        retries: retries.and_then(|n| u32::try_from(n).ok()).unwrap_or(usual.retries),
        start_period: time("start_period", Millis(0), usual.start_period),
        settle: time("settle", Millis(0), usual.settle),
        deadline: time("deadline", Millis(1), usual.deadline),
    };
    settles_in_time(&table, &health);
    health
}

fn settles_in_time(table: &Table<'_>, health: &Health) {
    if health.settle < health.deadline {
        return;
    }
    let word = |key: &str, time: Millis| {
        let by_default = if table.get(key).is_none() { " by default" } else { "" };
        format!("\"{}\"{by_default}", shown(time))
    };
    let settle = word("settle", health.settle);
    let deadline = word("deadline", health.deadline);
    if let Some(field) = table.get("settle").or_else(|| table.get("deadline")) {
        field.wrong(
            format!("\"settle\" is {settle} and \"deadline\" {deadline}: no release could ever prove itself"),
            "\"settle\" must be less than \"deadline\"",
        );
    }
}

fn probe(table: &Table<'_>, network: &str) -> Option<ProbeRule> {
    let mut written: Vec<_> =
        PROBES.iter().filter_map(|key| Some((*key, table.get(key)?))).collect();
    written.sort_by_key(|(_, field)| field.at.start);
    let (kind, field) = written.first()?;
    if let Some((other, second)) = written.get(1) {
        let message = format!("[health] has two kinds of probe, \"{kind}\" and \"{other}\"");
        second.wrong_key(message, "leave one of them out");
        return None;
    }
    if network == "none" && matches!(*kind, "http" | "tcp") {
        let hint =
            "write exec = [\"…\"], or leave the probe out: then it is healthy while it stays up";
        field.wrong_key(
            format!("\"health.{kind}\" asks over the network, and network = \"none\""),
            hint,
        );
    }
    match *kind {
        "http" => http(field),
        "tcp" => {
            const EXAMPLE: &str = "{ port = 6420 }";
            let table = field.table(&["port"], EXAMPLE, &|_| None)?;
            Some(ProbeRule::Tcp { port: port(&table)? })
        }
        "exec" => field.texts("[\"/bin/check\", \"--quick\"]").map(ProbeRule::Exec),
        _ => match field.flag()? {
            true => Some(ProbeRule::Container),
            false => {
                let hint = "leave it out; an app without a probe is healthy while it stays up";
                field.wrong("\"health.container\" takes true alone", hint);
                None
            }
        },
    }
}

fn port(table: &Table<'_>) -> Option<u16> {
    let number = table.required("port", "6420")?.whole(1, 65535, "6420")?;
    u16::try_from(number).ok()
}

fn http(field: &Field<'_>) -> Option<ProbeRule> {
    const EXAMPLE: &str = "{ port = 80, path = \"/health\" }";
    let table = field.table(&["port", "path"], EXAMPLE, &|_| None)?;
    let port = port(&table);
    let path = match table.get("path") {
        None => Some("/".to_string()),
        Some(field) => field.text("\"/health\"").and_then(|text| {
            let plain = text.bytes().all(|c| c.is_ascii_graphic()) && !text.contains('#');
            if text.starts_with('/') && plain {
                return Some(text.to_string());
            }
            let message = format!("\"health.http.path\": {} is no path of a URL", quote(text));
            field.wrong(message, "start with / and write blanks and the like as %20");
            None
        }),
    };
    Some(ProbeRule::Http { port: port?, path: path? })
}
