//! Names of other apps into addresses.
//!
//! A static glibc cannot load its resolver, so this asks the container's name server itself: one
//! A question over UDP (RFC 1035). The engine's own server answers for the apps of a network.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Duration;

/// Time for the name server's answer: it is on the same board.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// The first address of `name`; a number is its own address.
pub fn look_up(name: &str) -> Result<IpAddr, String> {
    if let Ok(address) = name.parse() {
        return Ok(address);
    }
    let text = std::fs::read_to_string("/etc/resolv.conf").map_err(|error| error.to_string())?;
    let server = text
        .lines()
        .filter_map(|line| line.strip_prefix("nameserver"))
        .find_map(|rest| rest.trim().parse::<IpAddr>().ok())
        .ok_or("no name server in /etc/resolv.conf")?;
    let answer = ask(server, &question(name)).map_err(|error| format!("{server}: {error}"))?;
    address(&answer).ok_or_else(|| format!("{server} knows no address of {name}"))
}

fn question(name: &str) -> Vec<u8> {
    let mut packet = vec![0x71, 0x17, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).unwrap_or(63));
        packet.extend_from_slice(label.as_bytes());
    }
    packet.extend_from_slice(&[0, 0, 1, 0, 1]);
    packet
}

fn ask(server: IpAddr, packet: &[u8]) -> std::io::Result<Vec<u8>> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(ANSWER_TIME))?;
    socket.send_to(packet, (server, 53))?;
    let mut answer = vec![0; 1500];
    let size = socket.recv(&mut answer)?;
    answer.truncate(size);
    Ok(answer)
}

/// The first A record of an answer with one question.
fn address(packet: &[u8]) -> Option<IpAddr> {
    let answers = u16::from_be_bytes([*packet.get(6)?, *packet.get(7)?]);
    let mut at = past_name(packet, 12)? + 4;
    for _ in 0..answers {
        at = past_name(packet, at)?;
        let fixed = packet.get(at..at + 10)?;
        let size = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        if fixed[0..4] == [0, 1, 0, 1] && size == 4 {
            let part = packet.get(at + 10..at + 14)?;
            return Some(Ipv4Addr::new(part[0], part[1], part[2], part[3]).into());
        }
        at += 10 + size;
    }
    None
}

fn past_name(packet: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let size = *packet.get(at)?;
        match size {
            0 => return Some(at + 1),
            64.. => return Some(at + 2),
            _ => at += 1 + usize::from(size),
        }
    }
}
