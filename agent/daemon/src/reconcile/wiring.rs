//! Settings as the rooms want them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use titania_config::{DEFAULT_ENGINE_SOCKETS, Settings};

use crate::registry::HostSettings;
use crate::report::{Address, Backoff, MqttSettings};

/// The engine's socket: the setting, else the first that is there, else Docker's.
pub fn engine_socket(settings: &Settings) -> PathBuf {
    let [docker, _] = DEFAULT_ENGINE_SOCKETS;
    let found = || DEFAULT_ENGINE_SOCKETS.into_iter().find(|path| Path::new(path).exists());
    settings.engine.socket.as_deref().or_else(found).unwrap_or(docker).into()
}

/// Registries.
pub fn registries(settings: &Settings) -> Vec<HostSettings> {
    let host = |one: &titania_config::RegistrySettings| HostSettings {
        host: one.host.clone(),
        auth: one.auth.as_ref().map(PathBuf::from),
        user: one.user.clone(),
        password_file: one.password_file.as_ref().map(PathBuf::from),
        ca: one.ca.as_ref().map(PathBuf::from),
        plain_http: one.plain_http,
    };
    settings.registries.iter().map(host).collect()
}

/// The broker; null where there is none.
pub fn mqtt(settings: &Settings, board: &str) -> Option<MqttSettings> {
    let mqtt = settings.mqtt.as_ref()?;
    let path = |text: &Option<String>| text.as_ref().map(PathBuf::from);
    // An IPv6 address stands in brackets in what is shown.
    let host = if mqtt.host.contains(':') { format!("[{}]", mqtt.host) } else { mqtt.host.clone() };
    Some(MqttSettings {
        address: Address { host, port: mqtt.port, tls: mqtt.tls },
        board: board.to_owned(),
        prefix: settings.board.prefix.clone().unwrap_or_else(|| format!("titania/{board}")),
        user: mqtt.user.clone(),
        password_file: path(&mqtt.password_file),
        ca: path(&mqtt.ca),
        client_cert: path(&mqtt.client_cert),
        client_key: path(&mqtt.client_key),
        metrics: Duration::from_millis(mqtt.metrics.0),
        backoff: Backoff::default(),
    })
}
