//! Whether the ports of an app can be had, before it is stopped for them.
//!
//! Promise: nobody ends up here: a port is bound and let go, never listened at. Without the right to bind one below
//! 1024 the kernel's tables of sockets are read instead.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, bind, socket, sockopt};
use titania_core::definition::{Port, Protocol};
use titania_core::reason::{Class, Code};
use titania_core::status::WaitingFor;

use super::{Gate, shut};

/// Most bytes read of a table of sockets: 150 a socket, some thousand sockets.
const TABLE_BYTES_MAX: u64 = 1024 * 1024;
/// State of a TCP socket that listens (include/net/tcp_states.h).
const LISTENS: &str = "0A";

/// A port that somebody else has, and what is told of it. `held`: those that the app's own running container has.
pub(super) fn taken<'a>(wanted: &'a [Port], held: &[Port]) -> Option<(&'a Port, Gate)> {
    // On whatever address: a port that the app has on one can't be tried on all.
    let is_held =
        |port: &Port| held.iter().any(|own| (own.host, own.protocol) == (port.host, port.protocol));
    let taken = wanted.iter().filter(|port| !is_held(port)).find_map(|port| {
        let error = addresses(port)
            .into_iter()
            .find_map(|address| try_port(address, port.protocol).err())?;
        Some((port, error))
    });
    let (port, error) = taken?;
    let message = format!("port {} of the board can't be had: {error}", shown(port));
    let hint = "find who has it: ss -lntup; or publish another one in the definition";
    Some((port, shut(Code::PortInUse, Class::Environment, message, hint, WaitingFor::Port)))
}

fn shown(port: &Port) -> String {
    if port.address.is_empty() {
        format!("{}/{}", port.host, port.protocol)
    } else {
        format!("{}:{}/{}", port.address, port.host, port.protocol)
    }
}

fn addresses(port: &Port) -> Vec<SocketAddr> {
    let at = |ip: IpAddr| SocketAddr::new(ip, port.host);
    if port.address.is_empty() {
        return vec![at(Ipv4Addr::UNSPECIFIED.into()), at(Ipv6Addr::UNSPECIFIED.into())];
    }
    let bare = port.address.trim_start_matches('[').trim_end_matches(']');
    bare.parse().map(at).into_iter().collect()
}

/// Binds and lets go, without ever listening: no client of another can end up here.
fn try_port(address: SocketAddr, protocol: Protocol) -> io::Result<()> {
    let kind = match protocol {
        Protocol::Tcp => SocketType::STREAM,
        Protocol::Udp => SocketType::DGRAM,
        Protocol::Sctp => return Ok(()), // few kernels have it; its start tells
    };
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let Ok(socket) = socket(family, kind, None) else {
        return Ok(()); // a board without IPv6
    };
    if protocol == Protocol::Tcp {
        sockopt::set_socket_reuseaddr(&socket, true)?; // as dockerd: what only lingers is no owner
    }
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    match bind(&socket, &address) {
        Ok(()) => Ok(()),
        Err(Errno::ADDRNOTAVAIL) if address.ip().is_unspecified() => Ok(()),
        Err(errno @ (Errno::ADDRINUSE | Errno::ADDRNOTAVAIL)) => Err(errno.into()),
        Err(Errno::ACCESS | Errno::PERM) if is_in_tables(address, protocol) => {
            Err(Errno::ADDRINUSE.into())
        }
        Err(_) => Ok(()),
    }
}

/// Whether somebody listens at that address and port, or at all addresses, as /proc/net tells (proc(5)).
fn is_in_tables(address: SocketAddr, protocol: Protocol) -> bool {
    let name = if protocol == Protocol::Udp { "udp" } else { "tcp" };
    [name.to_owned(), format!("{name}6")].iter().any(|name| {
        let mut table = Vec::new();
        let read = File::open(format!("/proc/self/net/{name}"))
            .and_then(|file| file.take(TABLE_BYTES_MAX).read_to_end(&mut table));
        read.is_ok() && is_listed(&String::from_utf8_lossy(&table), address, protocol)
    })
}

/// Lines are `sl local:port remote:port state …`, addresses as 32-bit words in the machine's own order.
fn is_listed(table: &str, wanted: SocketAddr, protocol: Protocol) -> bool {
    table.lines().skip(1).any(|line| {
        let mut words = line.split_ascii_whitespace();
        let (Some(local), Some(state)) = (words.nth(1), words.nth(1)) else {
            return false;
        };
        let Some((address, port)) = local.split_once(':') else {
            return false;
        };
        let is_port = u16::from_str_radix(port, 16) == Ok(wanted.port());
        let is_open = protocol != Protocol::Tcp || state == LISTENS;
        let clashes = match listed_address(address) {
            Some(listed) => {
                let is_any = listed.is_unspecified() || wanted.ip().is_unspecified();
                is_any || listed.to_canonical() == wanted.ip()
            }
            None => false,
        };
        is_port && is_open && clashes
    })
}

fn listed_address(hex: &str) -> Option<IpAddr> {
    let mut bytes = Vec::with_capacity(16);
    for at in (0..hex.len()).step_by(8) {
        let word = u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(four) => Some(Ipv4Addr::from(four).into()),
        Err(_) => <[u8; 16]>::try_from(bytes).ok().map(|all| Ipv6Addr::from(all).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_this_kernel_shows_who_listens() {
        let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = stranger.local_addr().unwrap();
        let everywhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
        let elsewhere = SocketAddr::new(Ipv4Addr::new(127, 0, 0, 9).into(), address.port());
        assert!(is_in_tables(address, Protocol::Tcp));
        assert!(is_in_tables(everywhere, Protocol::Tcp));
        assert!(!is_in_tables(elsewhere, Protocol::Tcp));
        assert!(!is_in_tables(address, Protocol::Udp));
        let _client = std::net::TcpStream::connect(address).unwrap();
        drop(stranger);
        assert!(!is_in_tables(address, Protocol::Tcp), "a connection that lingers is no listener");
    }

    #[test]
    fn a_table_that_makes_no_sense_lists_nothing() {
        let wanted = "127.0.0.1:80".parse().unwrap();
        for table in ["", "head\n", "head\n 0: zz:0050 0 0A\n", "head\n 0: 0100007F 0 0A\n0:"] {
            assert!(!is_listed(table, wanted, Protocol::Tcp), "{table:?}");
        }
    }
}
