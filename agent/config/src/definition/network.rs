//! Network, published ports, names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use titania_core::definition::{OWN_NETWORK, Port, Protocol};

use super::twice;
use crate::faults::quote;
use crate::nearest;
use crate::table::{Field, Table};

pub(super) fn network(top: &Table<'_>) -> String {
    let own = || OWN_NETWORK.to_string();
    let Some(field) = top.get("network") else {
        return own();
    };
    let Some(text) = field.text("\"titania\"") else {
        return own();
    };
    // Docker's rule for names of networks.
    let first = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !first || text.len() > 128 || !text.chars().all(rest) {
        let message = format!("\"network\": {} is no name of a network", quote(text));
        field.wrong(
            message,
            "write \"titania\", \"host\", \"none\" or the name of a network of the engine",
        );
        return own();
    }
    text.to_string()
}

/// RFC 1123, and Linux's 64 bytes.
fn is_host_name(text: &str) -> bool {
    let label = |part: &str| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        edge(part.chars().next())
            && edge(part.chars().last())
            && part.len() <= 63
            && part.chars().all(inner)
    };
    text.len() <= 64 && text.split('.').all(label)
}

pub(super) fn hostname(top: &Table<'_>) -> Option<String> {
    let field = top.get("hostname")?;
    let text = field.text("\"wallet\"")?;
    if !is_host_name(text) {
        let message = format!("\"hostname\": {} is no host name", quote(text));
        field.wrong(message, "letters, digits and '-', parts divided by '.', at most 64 in all");
        return None;
    }
    Some(text.to_string())
}

const PORTS_EXAMPLE: &str = "[\"6420:6420\", \"127.0.0.1:8080:80/tcp\"]";

pub(super) fn ports(top: &Table<'_>, network: &str) -> Vec<Port> {
    let mut list: Vec<Port> = Vec::new();
    let Some(field) = top.get("ports") else {
        return list;
    };
    let items = field.list(PORTS_EXAMPLE).unwrap_or_default();
    if !items.is_empty() && matches!(network, "host" | "none") {
        let hint = match network {
            "host" => {
                "leave \"ports\" out: on the board's own network the app's ports are the board's"
            }
            _ => "leave \"ports\" out, or choose another network",
        };
        field.wrong_key(
            format!("\"ports\" are published, and network = \"{network}\" can publish none"),
            hint,
        );
    }
    for item in items {
        let Some(port) = port(&item) else {
            continue;
        };
        match list.iter().find(|other| overlap(other, &port)) {
            Some(other) => item.wrong(
                format!(
                    "\"ports\": {} and {} take the same port of the board",
                    quote(&other.to_string()),
                    quote(&port.to_string())
                ),
                "leave one of them out, or give it another port of the board",
            ),
            None => list.push(port),
        }
    }
    list
}

fn port(item: &Field<'_>) -> Option<Port> {
    if let toml::de::DeValue::Integer(number) = item.value {
        let message = format!("\"ports\" takes text, not the number {}", number.as_str());
        item.wrong(message, format!("write \"{0}:{0}\"", number.as_str()));
        return None;
    }
    let text = item.text(PORTS_EXAMPLE)?;
    match port_of(text) {
        Ok(port) => Some(port),
        Err((why, hint)) => {
            item.wrong(format!("\"ports\": {} {why}", quote(text)), hint);
            None
        }
    }
}

/// Docker's short form: `[address:]board:container[/protocol]`; else what is wrong, and a hint.
pub(crate) fn port_of(text: &str) -> Result<Port, (String, String)> {
    let wrong = |why: &str, hint: &str| Err((why.to_string(), hint.to_string()));
    let (rest, protocol) = match text.rsplit_once('/') {
        None => (text, Protocol::Tcp),
        Some((rest, "tcp")) => (rest, Protocol::Tcp),
        Some((rest, "udp")) => (rest, Protocol::Udp),
        Some((rest, "sctp")) => (rest, Protocol::Sctp),
        Some((_, other)) => {
            let why = format!("has the unknown protocol {}", quote(other));
            return wrong(&why, &nearest::hint(other, &["tcp", "udp", "sctp"], "protocol"));
        }
    };
    let Some((front, container)) = rest.rsplit_once(':') else {
        return wrong(
            "names no port of the board",
            &format!("write {}", quote(&format!("{rest}:{rest}"))),
        );
    };
    let (address, host) = match front.rsplit_once(':') {
        None => (None, front),
        Some((address, host)) => (Some(address), host),
    };
    if [host, container].iter().any(|p| p.contains('-')) {
        return wrong("is a range", "ranges are not taken: write each port on its own");
    }
    if host.is_empty() {
        return wrong("names no port of the board", "write board:container, as in \"6420:6420\"");
    }
    let (Some(host), Some(container)) = (number(host), number(container)) else {
        return wrong(
            "is no published port",
            "write [address:]board:container[/protocol] with ports from 1 to 65535",
        );
    };
    let Some(address) = address.map_or(Some(String::new()), address_of) else {
        let why =
            format!("has {} before its ports, which is no address", quote(address.unwrap_or("")));
        let hint = "write an address of the board as in \"127.0.0.1:8080:80\", a v6 one in brackets: \"[::1]:8080:80\"";
        return wrong(&why, hint);
    };
    Ok(Port { address, host, container, protocol })
}

fn number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|c| c.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|n| *n > 0)
}

fn address_of(text: &str) -> Option<String> {
    match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(|a| a.to_string()),
        None => text.parse::<Ipv4Addr>().ok().map(|a| a.to_string()),
    }
}

/// Whether both take the same port of the board: the same number and protocol on addresses that
/// overlap (none written is every address, `0.0.0.0` every v4 and `::` every v6 one).
pub(crate) fn overlap(a: &Port, b: &Port) -> bool {
    if a.host != b.host || a.protocol != b.protocol {
        return false;
    }
    let address = |p: &Port| p.address.parse::<IpAddr>().ok();
    match (address(a), address(b)) {
        (None, _) | (_, None) => true,
        (Some(a), Some(b)) => {
            let either = a.is_unspecified() || b.is_unspecified();
            a == b || (a.is_ipv4() == b.is_ipv4() && either)
        }
    }
}

pub(super) fn extra_hosts(top: &Table<'_>) -> Vec<String> {
    const EXAMPLE: &str = "[\"printer:192.168.1.20\"]";
    let mut list: Vec<String> = Vec::new();
    let Some(field) = top.get("extra_hosts") else {
        return list;
    };
    for item in field.list(EXAMPLE).unwrap_or_default() {
        let Some(text) = item.text(EXAMPLE) else {
            continue;
        };
        let (name, address) = text.split_once(':').unwrap_or((text, ""));
        let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
        let address = match bare {
            "host-gateway" => Some(bare.to_string()), // the engine's word for the board itself
            _ => bare.parse::<IpAddr>().ok().map(|a| a.to_string()),
        };
        match address {
            Some(address) if is_host_name(name) => {
                let line = format!("{name}:{address}");
                if !twice(&list, &line, &item, &quote(&line)) {
                    list.push(line);
                }
            }
            _ => item.wrong(
                format!("\"extra_hosts\": {} is no name:address", quote(text)),
                "write \"printer:192.168.1.20\", or \"board:host-gateway\" for the board itself",
            ),
        }
    }
    list
}

pub(super) fn dns(top: &Table<'_>) -> Vec<String> {
    const EXAMPLE: &str = "[\"192.168.1.1\"]";
    let mut list: Vec<String> = Vec::new();
    let Some(field) = top.get("dns") else {
        return list;
    };
    for item in field.list(EXAMPLE).unwrap_or_default() {
        let Some(text) = item.text(EXAMPLE) else {
            continue;
        };
        match text.parse::<IpAddr>() {
            Ok(address) => {
                let address = address.to_string();
                if !twice(&list, &address, &item, &quote(&address)) {
                    list.push(address);
                }
            }
            Err(_) => item.wrong(
                format!("\"dns\": {} is no address of a name server", quote(text)),
                format!("for example: dns = {EXAMPLE}"),
            ),
        }
    }
    list
}
