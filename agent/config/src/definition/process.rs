//! Who the process is, what it gets, how it is stopped.

use std::collections::BTreeMap;

use titania_core::definition::{Stop, UserRule};
use titania_core::time::Millis;
use toml::de::DeValue;

use super::{KEYS, section, twice};
use crate::faults::quote;
use crate::nearest;
use crate::table::{Field, Table};

pub(super) const STOP_KEYS: [&str; 2] = ["signal", "grace"];

/// Largest uid and gid: the number after it means "none" to the kernel.
const ID_MAX: u32 = u32::MAX - 1;

/// Longest time until SIGKILL: a day; a board is to come down in the end.
const GRACE_MAX: Millis = Millis::seconds(24 * 3600);

const USER_WORDS: [&str; 4] = ["auto", "image", "pool", "mapped"];

pub(super) fn user(top: &Table<'_>, allow_root: bool) -> UserRule {
    top.get("user").and_then(|field| user_rule(field, allow_root)).unwrap_or_default()
}

fn user_rule(field: &Field<'_>, allow_root: bool) -> Option<UserRule> {
    let text = match field.value {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::String(text) => text,
        _ => {
            field.wrong_type("a word, a uid or \"uid:gid\"", "\"10000:10000\"");
            return None;
        }
    };
    match text {
        "auto" => return Some(UserRule::Auto),
        "image" => return Some(UserRule::Image),
        "pool" => return Some(UserRule::Pool),
        "mapped" => return Some(UserRule::Mapped),
        _ => {}
    }
    let (uid, gid) = text.split_once(':').unwrap_or((text, text));
    let (Some(uid), Some(gid)) = (id(uid), id(gid)) else {
        let message = format!(
            "\"user\": {} is neither auto, image, pool or mapped nor a number nor \"uid:gid\"",
            quote(text)
        );
        let near = nearest::nearest(text, &USER_WORDS).filter(|near| nearest::is_near(text, near));
        let hint = match near {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => {
                "names of users are not looked up: write the number, as in user = 10000".to_string()
            }
        };
        field.wrong(message, hint);
        return None;
    };
    if !allow_root && (uid == 0 || gid == 0) {
        let what = if uid == 0 { "root" } else { "root's group" };
        field.wrong(
            format!("\"user\": {} is {what}", quote(text)),
            "write another number, or allow_root = true beside it",
        );
        return None;
    }
    Some(UserRule::Fixed { uid, gid })
}

/// Digits alone: no sign, no blank, at most [`ID_MAX`].
fn id(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|n| *n <= ID_MAX)
}

/// A name as `groupadd` takes it: at most 32 characters.
pub(crate) fn is_group(text: &str) -> bool {
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    first && text.len() <= 32 && text.chars().all(rest)
}

pub(super) fn groups(top: &Table<'_>, allow_root: bool) -> Vec<String> {
    const EXAMPLE: &str = "[\"i2c\", \"gpio\"]";
    let mut list = Vec::new();
    let Some(field) = top.get("groups") else {
        return list;
    };
    for item in field.list(EXAMPLE).unwrap_or_default() {
        let text = match item.value {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::String(text) => text,
            _ => {
                item.wrong_type("names and numbers of groups", EXAMPLE);
                continue;
            }
        };
        let number = id(text);
        if number.is_none() && !is_group(text) {
            let hint = format!("write a name or a number of /etc/group, as in groups = {EXAMPLE}");
            item.wrong(format!("\"groups\": {} is no group", quote(text)), hint);
        } else if !allow_root && (number == Some(0) || text == "root") {
            let message = format!("\"groups\": {} is root's group", quote(text));
            item.wrong(message, "leave it out, or write allow_root = true");
        } else {
            let text = number.map_or_else(|| text.to_string(), |n| n.to_string());
            if !twice(&list, &text, &item, &quote(&text)) {
                list.push(text);
            }
        }
    }
    list
}

/// A key that was probably meant for the definition stands in a table of free keys.
fn strayed(key: &str, field: &Field<'_>, table: &str) -> bool {
    let is_key = KEYS.contains(&key);
    if is_key {
        let message = format!("\"{key}\" stands in [{table}] and is a key of the definition");
        field.wrong_key(message, "put it above the first table");
    }
    is_key
}

/// Values never stand in a message.
pub(super) fn env(top: &Table<'_>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    let Some(table) = top.get("env").and_then(|f| f.free_table("{ LOG_LEVEL = \"info\" }")) else {
        return env;
    };
    for (key, field) in table.fields() {
        if strayed(key, field, "env") {
            continue;
        }
        if !is_variable(key) {
            let message = format!("{} is no name of a variable", quote(key));
            field.wrong_key(message, "leave out blanks, = and control characters");
            continue;
        }
        if let Some(value) = scalar(field, "text, a number, true or false", "\"info\"") {
            env.insert(key.to_string(), value);
        }
    }
    env
}

/// What an environment can hold as a name.
pub(crate) fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c == '=' || c.is_whitespace() || c.is_control())
}

/// Text, number or boolean as text.
pub(super) fn scalar(field: &Field<'_>, takes: &str, example: &str) -> Option<String> {
    match field.value {
        DeValue::String(_) => field.free_text(example).map(String::from),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(value) => Some(value.to_string()),
            Err(_) => {
                field.wrong(
                    format!("\"{}\" is a number of more than 64 bits", field.name),
                    "put it between quotes",
                );
                None
            }
        },
        DeValue::Float(number) => Some(number.as_str().to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        _ => {
            field.wrong_type(takes, example);
            None
        }
    }
}

/// Labels of one's own; `org.example.x = "y"` may be written with or without quotes around the key.
pub(super) fn labels(top: &Table<'_>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let Some(table) =
        top.get("labels").and_then(|f| f.free_table("{ \"org.example.room\" = \"hall\" }"))
    else {
        return labels;
    };
    for (key, field) in flat(&table, "") {
        if strayed(&key, &field, "labels") {
            continue;
        }
        if key.starts_with("org.titania.agent.") {
            let message = format!("the label {} is the agent's own", quote(&key));
            field.wrong_key(message, "write another name");
        } else if key.is_empty() || key.chars().any(char::is_control) {
            field.wrong_key(
                format!("{} is no name of a label", quote(&key)),
                "write a name as in \"org.example.room\"",
            );
        } else if let Some(value) = scalar(&field, "text, a number, true or false", "\"hall\"") {
            labels.insert(key, value);
        }
    }
    labels
}

/// Fields with the tables that TOML makes of dotted keys put together again.
pub(super) fn flat<'a>(table: &Table<'a>, before: &str) -> Vec<(String, Field<'a>)> {
    let mut list = Vec::new();
    for (key, field) in table.fields() {
        let name = format!("{before}{key}");
        if field.value.is_table() {
            if let Some(inner) = field.free_table("{}") {
                list.extend(flat(&inner, &format!("{name}.")));
            }
        } else {
            list.push((name, field.clone()));
        }
    }
    list
}

pub(super) fn stop(top: &Table<'_>) -> Stop {
    let mut stop = Stop::default();
    let Some(table) = section(top, "stop", "{ signal = \"SIGTERM\", grace = \"30s\" }") else {
        return stop;
    };
    if let Some(signal) = table.get("signal").and_then(signal) {
        stop.signal = signal;
    }
    if let Some(grace) =
        table.get("grace").and_then(|f| f.duration("\"30s\"", Millis(0), GRACE_MAX))
    {
        stop.grace = grace;
    }
    stop
}

/// Signals by name (signal(7)); real-time ones as `SIGRTMIN+3`.
const SIGNALS: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

fn signal(field: &Field<'_>) -> Option<String> {
    let text = field.text("\"SIGTERM\"")?;
    let upper = text.to_uppercase();
    let name = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    let offset = |base: &str, sign: char, most: u8| {
        let rest = name.strip_prefix(base)?;
        if rest.is_empty() {
            return Some(());
        }
        let number: u8 = rest.strip_prefix(sign)?.parse().ok()?;
        (number <= most).then_some(())
    };
    let real_time = offset("SIGRTMIN", '+', 15).or_else(|| offset("SIGRTMAX", '-', 14));
    if real_time.is_some() || SIGNALS.contains(&name.as_str()) {
        return Some(name);
    }
    field.wrong(
        format!("\"stop.signal\": {} is no signal", quote(text)),
        nearest::hint(&name, &SIGNALS, "signal"),
    );
    None
}
