//! `[[registry]]` and `[[trust]]`.

use titania_core::reference::{Reference, Repository};

use super::RegistrySettings;
use super::read::Files;
use crate::faults::quote;
use crate::paths::absolute;
use crate::table::{Field, Table};

pub(super) const KEYS: [&str; 9] = [
    "host",
    "auth",
    "user",
    "password_file",
    "ca",
    "client_cert",
    "client_key",
    "mirror",
    "plain_http",
];
pub(super) const TRUST_KEYS: [&str; 2] = ["repository", "keys"];

const HOST_EXAMPLE: &str = "\"registry.example.org\"";

pub(super) fn registries(files: &Files<'_>) -> Vec<RegistrySettings> {
    let mut all: Vec<RegistrySettings> = Vec::new();
    for file in files.tables("registry") {
        let mut own: Vec<RegistrySettings> = Vec::new();
        for (item, table) in &file {
            let Some(registry) = registry(table) else {
                continue;
            };
            if own.iter().any(|other| other.host == registry.host) {
                item.wrong(
                    format!("the registry {} is there twice", quote(&registry.host)),
                    "leave one of them out",
                );
            }
            own.push(registry);
        }
        // A drop-in's registry replaces the one of an earlier file.
        all.retain(|before| own.iter().all(|later| later.host != before.host));
        all.extend(own);
    }
    all
}

fn registry(table: &Table<'_>) -> Option<RegistrySettings> {
    let host = table.required("host", HOST_EXAMPLE).and_then(host);
    let path = |key: &str, example: &str| table.get(key).and_then(|f| absolute(f, example));
    let auth = path("auth", "\"/etc/titania-agent/docker.json\"");
    let password_file = path("password_file", "\"/etc/titania-agent/secrets/registry\"");
    let ca = path("ca", "\"/etc/titania-agent/registry-ca.pem\"");
    let user = table.get("user").and_then(|f| f.text("\"board\"")).map(String::from);
    let plain_http = table.get("plain_http").and_then(Field::flag).unwrap_or(false);
    if let Some(field) = table.get("user")
        && user.as_deref().is_some_and(|user| user.contains(':'))
    {
        field.wrong(
            "\"registry.user\" has a ':' in it",
            "a user name of basic authentication has none",
        );
    }
    pair(table, "registry", "user", "password_file");
    if let (Some(_), Some(user)) = (table.get("auth"), table.get("user")) {
        user.wrong_key("[[registry]] has both \"auth\" and \"user\"", "leave one of them out");
    }
    if let (true, Some(ca)) = (plain_http, table.get("ca")) {
        ca.wrong_key(
            "[[registry]] has \"ca\", and plain_http = true uses no certificate",
            "leave one of them out",
        );
    }
    later(table);
    Some(RegistrySettings { host: host?, auth, user, password_file, ca, plain_http })
}

/// Keys whose room comes later: checked, then refused.
fn later(table: &Table<'_>) {
    for (key, example) in [
        ("client_cert", "\"/etc/titania-agent/client.pem\""),
        ("client_key", "\"/etc/titania-agent/client.key\""),
    ] {
        if let Some(field) = table.get(key)
            && absolute(field, example).is_some()
        {
            field.refused(
                "leave it out; \"auth\", or \"user\" and \"password_file\", prove who asks",
            );
        }
    }
    if let Some(field) = table.get("mirror")
        && host(field).is_some()
    {
        field.refused("leave it out; an image of the mirror can be named in the definition itself");
    }
}

/// Two keys that come together.
pub(super) fn pair(table: &Table<'_>, name: &str, first: &str, second: &str) {
    let (there, missing) = match (table.get(first), table.get(second)) {
        (Some(there), None) => (there, second),
        (None, Some(there)) => (there, first),
        _ => return,
    };
    there.wrong_key(
        format!("\"{}\" comes with \"{name}.{missing}\", which is missing", there.name),
        format!("add {missing}, or leave both out"),
    );
}

/// A host with an optional port, as it stands in a normalised reference.
fn host(field: &Field<'_>) -> Option<String> {
    let text = field.text(HOST_EXAMPLE)?;
    if let Some((_, rest)) = text.split_once("://") {
        let rest = rest.trim_end_matches('/');
        let hint = match text.starts_with("http://") {
            true => format!("write {}, and plain_http = true for HTTP without TLS", quote(rest)),
            false => format!("write {}", quote(rest)),
        };
        field.wrong(format!("\"{}\": {} is a URL", field.name, quote(text)), hint);
        return None;
    }
    // What a reference takes as its host is one: a dot, a port or localhost make it so.
    let parsed = format!("{text}/x/x").parse::<Reference>();
    match parsed {
        Ok(Reference { repository: Repository { host, path }, .. }) if path == "x/x" => Some(host),
        _ => {
            let hint = "write a name with a dot, or with its port, as in \"registry.example.org\" or \"nas:5000\"";
            field.wrong(format!("\"{}\": {} is no registry host", field.name, quote(text)), hint);
            None
        }
    }
}

/// `[[trust]]`: checked, then refused.
pub(super) fn trust(files: &Files<'_>) {
    for (item, table) in files.tables("trust").into_iter().flatten() {
        let repository = table
            .required("repository", "\"docker.io/skycoin/*\"")
            .and_then(|f| f.text("\"docker.io/skycoin/*\""));
        const KEYS_EXAMPLE: &str = "[\"/etc/titania-agent/keys/skycoin.pub\"]";
        let keys = table.required("keys", KEYS_EXAMPLE).and_then(|f| f.list(KEYS_EXAMPLE));
        let keys = keys
            .map(|keys| keys.iter().filter(|key| absolute(key, KEYS_EXAMPLE).is_none()).count());
        if let (Some(_), Some(0)) = (repository, keys) {
            item.wrong(
                "[[trust]] is not in this version",
                "leave it out: no image is checked against a key yet",
            );
        }
    }
}
