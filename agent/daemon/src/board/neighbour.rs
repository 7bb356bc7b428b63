//! The kernel's table of neighbours: an entry for a container's address that nobody has answered is taken away.
//!
//! While an app is down its clients make the kernel ask the bridge for its address. The kernel asks again only after
//! a second (`retrans_time_ms`, arp(7)), and a new container mostly gets the address of the one before: it runs, and
//! can't be reached for as long. Without the entry the kernel asks anew at the next packet.
//!
//! Promise: only an entry without an answer goes, and only on the interface by which the board reaches that address
//! without a gateway. Nothing else is changed; what is wrong is told, and no update waits for it.
//! Trusts: the kernel (rtnetlink(7)); what it says is bounded all the same.

mod service;
mod wire;

use std::io;
use std::net::IpAddr;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{connect, recv, send, socket_with};
use rustix::thread::CapabilitySet;

pub use service::{Helper, SOCKET, serve};
use wire::{Answer, Entry, Request};

/// Room for one packet of the kernel: it fills at most 32 KiB of a dump at once (netlink_dump).
const PACKET_BYTES: usize = 64 * 1024;
/// Most packets of one answer: the table has room for 1,024 neighbours (`gc_thresh3`), some hundred in a packet.
const PACKETS_MAX: usize = 64;

/// Whether this process may change the table.
pub fn may_forget() -> bool {
    let rights = rustix::thread::capabilities(None);
    rights.is_ok_and(|sets| sets.effective.contains(CapabilitySet::NET_ADMIN))
}

/// Takes the unanswered entry of `address` away; false: there is none. May wait for the kernel's lock of all
/// interfaces, which the engine takes as well: some milliseconds, not for the loop.
///
/// # Errors
/// Without CAP_NET_ADMIN, where no netlink socket may be opened, and as the kernel says.
pub fn forget(address: IpAddr) -> io::Result<bool> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    connect(&socket, &SocketAddrNetlink::new(0, 0))?;
    let ask = |request: &Request| ask(&socket, request);
    let routes = ask(&Request::route(address))?;
    let Some(interface) = routes.iter().find_map(Answer::direct_route) else {
        return Ok(false); // by a gateway: the address is none of a bridge here
    };
    let entries = ask(&Request::neighbours(address))?;
    let is_it = |entry: &Entry| {
        entry.interface == interface && entry.address == address && entry.is_unanswered()
    };
    if !entries.iter().filter_map(Answer::neighbour).any(|entry| is_it(&entry)) {
        return Ok(false);
    }
    match ask(&Request::forget(address, interface)) {
        Ok(_) => Ok(true),
        // The kernel gave it up by itself meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// What became of it, in words.
pub fn said(is_gone: bool) -> &'static str {
    if is_gone { "its unanswered entry is gone" } else { "it has no unanswered entry" }
}

/// Asks the kernel, which has its answer ready when the question is sent (netlink(7)).
fn ask(socket: &rustix::fd::OwnedFd, request: &Request) -> io::Result<Vec<Answer>> {
    let bytes = request.bytes();
    if send(socket, bytes, SendFlags::empty())? != bytes.len() {
        return Err(io::ErrorKind::WriteZero.into());
    }
    let mut answers = Vec::new();
    let mut packet = vec![0; PACKET_BYTES];
    for _ in 0..PACKETS_MAX {
        let (size, _) = recv(socket, packet.as_mut_slice(), RecvFlags::empty())?;
        if wire::read(packet.get(..size).unwrap_or_default(), &mut answers)? {
            return Ok(answers);
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the kernel's answer has no end"))
}
