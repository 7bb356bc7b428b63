//! Credentials: from Docker's `config.json`, or a user and a password file.
//!
//! Promise: read once, when the settings are; a file that can't be used is a problem that names it,
//! never a silent "anonymous"; no `Debug` shows a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::settings::HostSettings;

/// Largest `config.json` or password file read, in bytes: some hundred hosts with tokens.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What proves who is asking.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A user and a password.
    Password {
        /// User.
        user: String,
        /// Password.
        password: String,
    },
    /// A refresh token, which is changed for tokens at the token endpoint (Docker's `identitytoken`).
    IdentityToken {
        /// User, often empty or a placeholder.
        user: String,
        /// Token.
        token: String,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { user, .. } => write!(f, "Password {{ user: {user:?} }}"),
            Self::IdentityToken { user, .. } => write!(f, "IdentityToken {{ user: {user:?} }}"),
        }
    }
}

impl Credentials {
    /// Value of an `Authorization` header of the Basic scheme; `None` for a refresh token, which no
    /// registry takes there.
    pub(super) fn basic(&self) -> Option<String> {
        match self {
            Self::Password { user, password } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
            Self::IdentityToken { .. } => None,
        }
    }
}

/// What the settings give for a host: credentials, or none, or why they can't be used.
pub(super) fn read(settings: &HostSettings) -> Result<Option<Credentials>, String> {
    if let Some(user) = &settings.user {
        let file = settings
            .password_file
            .as_deref()
            .ok_or_else(|| format!("user = \"{user}\" needs a password_file"))?;
        let text = contents(file)?;
        let password = text.lines().next().unwrap_or_default();
        if password.is_empty() {
            return Err(format!("{} is empty: its first line is the password", file.display()));
        }
        return Ok(Some(Credentials::Password {
            user: user.clone(),
            password: password.to_owned(),
        }));
    }
    match &settings.auth {
        Some(file) => of_docker(&contents(file)?, &settings.host)
            .map_err(|problem| format!("{}: {problem}", file.display())),
        None => Ok(None),
    }
}

/// A small regular file: a pipe would hold up the agent, a device might never end.
pub(super) fn contents(path: &Path) -> Result<String, String> {
    let wrong = |error: std::io::Error| format!("{} can't be read: {error}", path.display());
    if !std::fs::metadata(path).map_err(wrong)?.is_file() {
        return Err(format!("{} is no file", path.display()));
    }
    let mut text = String::new();
    let read = File::open(path)
        .map_err(wrong)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(wrong)?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(format!("{} has more than {FILE_BYTES_MAX} bytes", path.display()));
    }
    Ok(text)
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, DockerAuth>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DockerAuth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: Option<IgnoredAny>,
}

/// Credentials for `host` in the text of a Docker `config.json`.
pub(super) fn of_docker(text: &str, host: &str) -> Result<Option<Credentials>, String> {
    let config: DockerConfig = serde_json::from_slice(text.as_bytes())
        // serde's message could quote a secret; its place is enough
        .map_err(|error| {
            format!("no Docker config.json (line {}, column {})", error.line(), error.column())
        })?;
    let entry = config.auths.iter().find(|(key, _)| names(key, host)).map(|(_, entry)| entry);
    if let Some(found) = entry.map(of_entry).transpose()?.flatten() {
        return Ok(Some(found));
    }
    let helper = config
        .helpers
        .iter()
        .find(|(key, _)| names(key, host))
        .map(|(_, helper)| helper)
        .or(config.store.as_ref().filter(|store| !store.is_empty() && entry.is_some()));
    if let Some(helper) = helper {
        return Err(format!(
            "credentials for {host} are kept by the helper \"{helper}\", which is not supported: log in without it, or use user and password_file"
        ));
    }
    if entry.is_some_and(|entry| entry.registrytoken.is_some()) {
        return Err(format!("a registrytoken for {host} is not supported"));
    }
    Ok(None)
}

fn of_entry(entry: &DockerAuth) -> Result<Option<Credentials>, String> {
    let (mut user, mut password) = (entry.username.clone(), entry.password.clone());
    if !entry.auth.is_empty() {
        let bad = || "\"auth\" is no base64 of \"user:password\"".to_owned();
        let bytes = STANDARD
            .decode(entry.auth.trim())
            .or_else(|_| STANDARD_NO_PAD.decode(entry.auth.trim()))
            .map_err(|_| bad())?;
        let text = String::from_utf8(bytes).map_err(|_| bad())?;
        let (name, secret) = text.split_once(':').ok_or_else(bad)?;
        user = name.to_owned();
        password = secret.trim_end_matches('\0').to_owned();
    }
    if !entry.identitytoken.is_empty() {
        return Ok(Some(Credentials::IdentityToken { user, token: entry.identitytoken.clone() }));
    }
    let given = !user.is_empty() || !password.is_empty();
    Ok(given.then_some(Credentials::Password { user, password }))
}

/// Whether a key of `auths` means `host`. A key with a path below the host is another thing: it is not widened.
fn names(key: &str, host: &str) -> bool {
    let bare = key.trim_start_matches("https://").trim_start_matches("http://");
    let bare = bare.strip_suffix("/v1/").or(bare.strip_suffix("/v2/")).unwrap_or(bare);
    let bare = bare.trim_end_matches('/');
    let same = |a: &str| match a {
        "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
        other => other.to_ascii_lowercase(),
    };
    same(bare) == same(host)
}
