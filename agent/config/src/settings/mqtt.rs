//! `[mqtt]`: the broker.

use titania_core::time::Millis;
use toml::de::DeValue;

use super::Mqtt;
use super::read::Files;
use super::registry::pair;
use crate::faults::quote;
use crate::nearest;
use crate::paths::absolute;
use crate::table::{Field, Table};

pub(super) const KEYS: [&str; 9] = [
    "url",
    "ca",
    "client_cert",
    "client_key",
    "user",
    "password_file",
    "commands",
    "homeassistant",
    "metrics",
];

/// Verbs that change something, as `agentctl` has them.
const VERBS: [&str; 11] = [
    "update", "rollback", "retry", "stop", "start", "restart", "adopt", "hold", "resume",
    "snapshot", "purge",
];

const URL_EXAMPLE: &str = "\"mqtts://broker.example.org:8883\"";
const METRICS: Millis = Millis::seconds(300);
/// Shortest time between two messages of metrics.
const METRICS_MIN: Millis = Millis::seconds(10);
const METRICS_MAX: Millis = Millis::seconds(24 * 3600);

pub(super) fn mqtt(files: &Files<'_>) -> Option<Mqtt> {
    let table = files.table("mqtt")?;
    later(&table);
    pair(&table, "mqtt", "client_cert", "client_key");
    // MQTT 3.1.1, 3.1.2.9: no password without a user name.
    if let (Some(field), None) = (table.get("password_file"), table.get("user")) {
        field.wrong_key(
            "\"mqtt.password_file\" comes with \"mqtt.user\", which is missing",
            "add user, or leave both out",
        );
    }
    let path = |key: &str, example: &str| table.get(key).and_then(|f| absolute(f, example));
    let ca = path("ca", "\"/etc/titania-agent/broker-ca.pem\"");
    let client_cert = path("client_cert", "\"/etc/titania-agent/client.pem\"");
    let client_key = path("client_key", "\"/etc/titania-agent/client.key\"");
    let password_file = path("password_file", "\"/etc/titania-agent/secrets/mqtt\"");
    let user = table.get("user").and_then(|f| f.text("\"board\"")).map(String::from);
    let metrics = table.get("metrics").and_then(metrics).unwrap_or(METRICS);
    let (tls, host, port) = table.required("url", URL_EXAMPLE).and_then(url)?;
    for key in ["ca", "client_cert", "client_key"] {
        if let (false, Some(field)) = (tls, table.get(key)) {
            field.wrong_key(
                format!("\"mqtt.{key}\" is for TLS, and the url is mqtt://"),
                "write mqtts:// in the url, or leave it out",
            );
        }
    }
    Some(Mqtt { host, port, tls, ca, client_cert, client_key, user, password_file, metrics })
}

/// `mqtt[s]://host[:port]`. Never shown as a whole: it may hold a password.
fn url(field: &Field<'_>) -> Option<(bool, String, u16)> {
    let text = field.text(URL_EXAMPLE)?;
    let wrong = |why: &str, hint: String| {
        field.wrong(format!("\"mqtt.url\" {why}"), hint);
        None
    };
    let Some((scheme, rest)) = text.split_once("://") else {
        return wrong(
            "does not start with mqtt:// or mqtts://",
            format!("for example: url = {URL_EXAMPLE}"),
        );
    };
    let tls = match scheme {
        "mqtt" => false,
        "mqtts" => true,
        "tcp" => return wrong("has the scheme \"tcp\"", "write mqtt://".to_string()),
        "ssl" | "tls" => {
            return wrong(
                &format!("has the scheme {}", quote(scheme)),
                "write mqtts://".to_string(),
            );
        }
        other => {
            return wrong(
                &format!("has the unknown scheme {}", quote(other)),
                "write mqtt:// or mqtts://".to_string(),
            );
        }
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains('@') {
        return wrong(
            "has a user in it",
            "write user = \"…\" and password_file = \"/…\" instead".to_string(),
        );
    }
    if rest.contains(['/', '?', '#']) {
        return wrong(
            "has more than a host and a port",
            format!("for example: url = {URL_EXAMPLE}"),
        );
    }
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').unwrap_or(("", ""));
            let host =
                host.parse::<std::net::Ipv6Addr>().map(|a| a.to_string()).unwrap_or_default();
            (host, port)
        }
        None => {
            let end = rest.find(':').unwrap_or(rest.len());
            let (host, port) = rest.split_at(end);
            let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            let is_host = host.len() <= 253 && host.chars().all(good);
            (if is_host { host.to_string() } else { String::new() }, port)
        }
    };
    let port = match port {
        "" => Some(if tls { 8883 } else { 1883 }),
        text => text
            .strip_prefix(':')
            .filter(|p| p.bytes().all(|c| c.is_ascii_digit()))
            .and_then(|p| p.parse().ok())
            .filter(|p| *p > 0),
    };
    match (host.is_empty(), port) {
        (false, Some(port)) => Some((tls, host, port)),
        (true, _) => wrong("has no host", format!("for example: url = {URL_EXAMPLE}")),
        (_, None) => wrong(
            "has no port from 1 to 65535 behind its host",
            format!("for example: url = {URL_EXAMPLE}"),
        ),
    }
}

/// A duration; `"0s"` or 0 is off.
fn metrics(field: &Field<'_>) -> Option<Millis> {
    if let DeValue::Integer(number) = field.value
        && number.as_str() == "0"
    {
        return Some(Millis(0));
    }
    let time = field.duration("\"5m\"", Millis(0), METRICS_MAX)?;
    if time.0 > 0 && time < METRICS_MIN {
        field
            .wrong("\"mqtt.metrics\" is less than \"10s\"", "write \"10s\" or more, or 0 for none");
    }
    Some(time)
}

/// Keys whose room comes later: checked, then refused.
fn later(table: &Table<'_>) {
    if let Some(field) = table.get("homeassistant")
        && field.flag() == Some(true)
    {
        field.refused("write homeassistant = false, or leave it out");
    }
    let Some(field) = table.get("commands") else {
        return;
    };
    let Some(items) = field.list("[\"update\"]") else {
        return;
    };
    let mut wrong = 0;
    for item in &items {
        let verb = item.text("[\"update\"]");
        if let Some(verb) = verb.filter(|verb| !VERBS.contains(verb)) {
            item.wrong(
                format!("\"mqtt.commands\": {} is no verb", quote(verb)),
                nearest::hint(verb, &VERBS, "verb"),
            );
            wrong += 1;
        } else if verb.is_none() {
            wrong += 1;
        }
    }
    if wrong == 0 && !items.is_empty() {
        field.refused("leave it out; agentctl takes commands on the board itself");
    }
}
