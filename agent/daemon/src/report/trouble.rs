//! Trouble with the broker, in words: what, where, and what a person can do.

use rumqttc::{ConnectReturnCode, ConnectionError};
use titania_core::reason::{Class, Code, Reason};
use titania_core::time::{SET_CLOCK, Timestamp};

use super::connection::{KEEP_ALIVE, PACKETS_IN_MAX};
use super::settings::Address;
use super::tls;
use crate::trust;

fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

/// Files named in the settings are not as they should be.
pub(super) fn files_wrong(address: &Address, error: &tls::FileError) -> Reason {
    Reason::new(
        Code::ConfigInvalid,
        Class::Config,
        format!("{}: {error}", address),
        "put the file in order, or take its key out of [mqtt] in agent.toml; it is read again at the next try",
        now(),
    )
}

/// Nothing comes any more.
pub(super) fn silence(address: &Address) -> Reason {
    Reason::new(
        Code::BrokerUnreachable,
        Class::Environment,
        format!("{} does not answer any more", address),
        "look at the network and at the broker; the agent tries again by itself",
        now(),
    )
}

/// Too much comes.
pub(super) fn flood(address: &Address) -> Reason {
    Reason::new(
        Code::BrokerUnreachable,
        Class::Environment,
        format!(
            "{} sent more than {PACKETS_IN_MAX} packets in {} s, the connection was ended",
            address,
            KEEP_ALIVE.as_secs()
        ),
        "find out who publishes on this board's own topic availability",
        now(),
    )
}

fn is_of_clock(error: &rumqttc::TlsError) -> bool {
    trust::find_tls(error)
        .or_else(|| std::error::Error::source(error).and_then(trust::find_tls))
        .is_some_and(trust::begins_later)
}

/// The connection could not be made, or ended. Only a clock that was not set is blamed for a certificate that is not
/// valid yet.
pub(super) fn lost(address: &Address, error: &ConnectionError, is_clock_synced: bool) -> Reason {
    let unreachable = |message: String, hint: &str| {
        Reason::new(Code::BrokerUnreachable, Class::Environment, message, hint, now())
    };
    match error {
        ConnectionError::ConnectionRefused(code) => {
            let why = match code {
                ConnectReturnCode::BadUserNamePassword => "user or password is wrong",
                ConnectReturnCode::NotAuthorized => "this user is not allowed to connect",
                ConnectReturnCode::BadClientId => "it does not accept the client id",
                ConnectReturnCode::RefusedProtocolVersion => "it does not speak MQTT 3.1.1",
                _ => "it is not ready",
            };
            Reason::new(
                Code::BrokerDenied,
                Class::Environment,
                format!("{address} refuses the connection: {why}"),
                "see user and password_file under [mqtt] in agent.toml, and the broker's log",
                now(),
            )
        }
        ConnectionError::Tls(error) if !is_clock_synced && is_of_clock(error) => Reason::new(
            Code::ClockUnsynced,
            Class::Environment,
            format!(
                "no TLS connection to {address}: its certificate is not valid yet by the board's clock"
            ),
            SET_CLOCK,
            now(),
        ),
        ConnectionError::Tls(error) => unreachable(
            format!("no TLS connection to {address}: {error}"),
            "see ca under [mqtt] in agent.toml, the broker's certificate, and the board's clock",
        ),
        ConnectionError::Io(error) => unreachable(
            format!("{address} can't be reached: {error}"),
            "see url under [mqtt] in agent.toml, the network and the broker; the agent tries again by itself",
        ),
        ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => silence(address),
        other => unreachable(
            format!("the connection to {address} ended: {other}"),
            "see the broker's log; the agent tries again by itself",
        ),
    }
}
