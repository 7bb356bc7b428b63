//! Messages of rtnetlink(7), as far as one entry of the table of neighbours needs them: netlink(7), linux/neighbour.h,
//! linux/rtnetlink.h. All in the machine's own byte order, parts aligned to four bytes.

use std::io;
use std::net::IpAddr;

/// `NLMSG_ERROR`: an errno, or 0 where an answer was asked for and there is no other.
const ERROR: u16 = 2;
/// `NLMSG_DONE`: the end of a list.
const DONE: u16 = 3;
/// `RTM_NEWROUTE`, `RTM_GETROUTE`.
const ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
/// `RTM_NEWNEIGH`, `RTM_DELNEIGH`, `RTM_GETNEIGH`.
const NEIGHBOUR: u16 = 28;
const DELETE_NEIGHBOUR: u16 = 29;
const GET_NEIGHBOUR: u16 = 30;
/// `NLM_F_REQUEST`, `NLM_F_ACK`, `NLM_F_DUMP`.
const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const DUMP: u16 = 0x300;
/// `NLM_F_MULTI`: part of a list, which ends with [`DONE`].
const MULTI: u16 = 0x2;
/// `RTA_DST` and `NDA_DST`: the address.
const ADDRESS: u16 = 1;
/// `RTA_OIF`: the interface.
const INTERFACE: u16 = 4;
/// `RTA_GATEWAY`.
const GATEWAY: u16 = 5;
/// `NUD_INCOMPLETE`, `NUD_FAILED`: asked for and not answered (yet).
const UNANSWERED: u16 = 0x01 | 0x20;
/// Sizes of `nlmsghdr`, `rtmsg`, `ndmsg` and `rtattr`.
const HEAD: usize = 16;
const ROUTE_HEAD: usize = 12;
const NEIGHBOUR_HEAD: usize = 12;
const ATTRIBUTE_HEAD: usize = 4;
/// `AF_INET`, `AF_INET6` (linux/socket.h).
const INET: u8 = 2;
const INET6: u8 = 10;

/// One question.
pub struct Request(Vec<u8>);

/// One message of an answer, without its head.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    kind: u16,
    body: Vec<u8>,
}

/// One entry of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// On which interface.
    pub interface: u32,
    /// For which address.
    pub address: IpAddr,
    state: u16,
}

impl Request {
    /// By which interface is it reached?
    pub fn route(address: IpAddr) -> Self {
        let mut head = [0; ROUTE_HEAD];
        head[0] = family(address);
        head[1] = if address.is_ipv4() { 32 } else { 128 }; // all of it counts
        Self::new(GET_ROUTE, REQUEST, &head, Some(address))
    }

    /// All entries of that family: a single one can be asked for since Linux 5.0 alone.
    pub fn neighbours(of: IpAddr) -> Self {
        Self::new(GET_NEIGHBOUR, REQUEST | DUMP, &neighbour_head(of, 0), None)
    }

    /// Take it away.
    pub fn forget(address: IpAddr, interface: u32) -> Self {
        let head = neighbour_head(address, interface);
        Self::new(DELETE_NEIGHBOUR, REQUEST | ACK, &head, Some(address))
    }

    fn new(kind: u16, flags: u16, head: &[u8], address: Option<IpAddr>) -> Self {
        let mut body = head.to_vec();
        if let Some(address) = address {
            let octets = octets(address);
            let size = u16::try_from(ATTRIBUTE_HEAD + octets.len()).unwrap_or_default();
            body.extend(size.to_ne_bytes());
            body.extend(ADDRESS.to_ne_bytes());
            body.extend(octets);
        }
        let size = u32::try_from(HEAD + body.len()).unwrap_or_default();
        let mut all = size.to_ne_bytes().to_vec();
        all.extend(kind.to_ne_bytes());
        all.extend(flags.to_ne_bytes());
        all.extend([0; 8]); // number and port: one question at a time, by the kernel's choice
        all.extend(body);
        Self(all)
    }

    /// As it is sent.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Answer {
    /// The interface of a route that needs no gateway.
    pub fn direct_route(&self) -> Option<u32> {
        (self.kind == ROUTE && self.attribute(ROUTE_HEAD, GATEWAY).is_none())
            .then(|| self.attribute(ROUTE_HEAD, INTERFACE).and_then(word))?
    }

    /// The entry that it tells of.
    pub fn neighbour(&self) -> Option<Entry> {
        if self.kind != NEIGHBOUR {
            return None;
        }
        let octets = self.attribute(NEIGHBOUR_HEAD, ADDRESS)?;
        let address = match (*self.body.first()?, octets.len()) {
            (INET, 4) => IpAddr::from(<[u8; 4]>::try_from(octets).ok()?),
            (INET6, 16) => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
            _ => return None,
        };
        let state = half(self.body.get(8..10)?)?;
        Some(Entry { interface: word(self.body.get(4..8)?)?, address, state })
    }

    fn attribute(&self, head: usize, wanted: u16) -> Option<&[u8]> {
        let mut rest = self.body.get(head..)?;
        while let (Some(size), Some(kind)) =
            (rest.get(..2).and_then(half), rest.get(2..4).and_then(half))
        {
            let size = usize::from(size);
            let value = rest.get(ATTRIBUTE_HEAD..size)?;
            if kind == wanted {
                return Some(value);
            }
            rest = rest.get(size.next_multiple_of(4)..).unwrap_or_default();
        }
        None
    }
}

impl Entry {
    /// Asked for, and nobody has answered.
    pub fn is_unanswered(&self) -> bool {
        self.state & UNANSWERED != 0
    }
}

/// Reads the messages of one packet. True: nothing comes after them.
///
/// # Errors
/// The one that the kernel answered with; a message that is no whole one.
pub fn read(packet: &[u8], answers: &mut Vec<Answer>) -> io::Result<bool> {
    let mut rest = packet;
    while !rest.is_empty() {
        let torn = || io::Error::new(io::ErrorKind::InvalidData, "a torn answer of the kernel");
        let size = rest.get(..4).and_then(word).and_then(|size| usize::try_from(size).ok());
        let message = size.and_then(|size| rest.get(..size)).ok_or_else(torn)?;
        let kind = message.get(4..6).and_then(half).ok_or_else(torn)?;
        let flags = message.get(6..8).and_then(half).ok_or_else(torn)?;
        let body = message.get(HEAD..).ok_or_else(torn)?;
        match kind {
            DONE => return Ok(true),
            ERROR => {
                let code = body.get(..4).and_then(word).ok_or_else(torn)?;
                return match code.cast_signed() {
                    0 => Ok(true),
                    errno => Err(io::Error::from_raw_os_error(errno.saturating_neg())),
                };
            }
            _ => answers.push(Answer { kind, body: body.to_vec() }),
        }
        if flags & MULTI == 0 {
            return Ok(true);
        }
        rest = rest.get(message.len().next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

fn neighbour_head(address: IpAddr, interface: u32) -> [u8; NEIGHBOUR_HEAD] {
    let mut head = [0; NEIGHBOUR_HEAD];
    head[0] = family(address);
    head[4..8].copy_from_slice(&interface.to_ne_bytes());
    head
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { INET } else { INET6 }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn half(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.try_into().ok()?))
}

fn word(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message as the kernel writes one.
    fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let mut all = u32::try_from(HEAD + body.len()).unwrap().to_ne_bytes().to_vec();
        all.extend([kind.to_ne_bytes(), flags.to_ne_bytes()].concat());
        all.extend([0; 8]);
        all.extend(body);
        all.resize(all.len().next_multiple_of(4), 0);
        all
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let size = u16::try_from(ATTRIBUTE_HEAD + value.len()).unwrap();
        [&size.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat()
    }

    fn neighbour(state: u16) -> Vec<u8> {
        let mut body = neighbour_head("172.18.0.2".parse().unwrap(), 7).to_vec();
        body[8..10].copy_from_slice(&state.to_ne_bytes());
        body.extend(attribute(2, &[1, 2, 3, 4, 5, 6, 0, 0])); // NDA_LLADDR, padded
        body.extend(attribute(ADDRESS, &[172, 18, 0, 2]));
        body
    }

    #[test]
    fn a_list_of_several_packets_is_read_to_its_end() {
        let mut answers = Vec::new();
        let packet =
            [neighbour(0x01), neighbour(0x02)].map(|body| message(NEIGHBOUR, MULTI, &body));
        assert!(!read(&packet.concat(), &mut answers).unwrap());
        assert!(read(&message(DONE, MULTI, &[0; 4]), &mut answers).unwrap());
        let entries: Vec<Entry> = answers.iter().filter_map(Answer::neighbour).collect();
        let address = "172.18.0.2".parse().unwrap();
        let entry = |state| Entry { interface: 7, address, state };
        assert_eq!(entries, [entry(1), entry(2)]);
        let unanswered: Vec<bool> = entries.iter().map(Entry::is_unanswered).collect();
        assert_eq!(unanswered, [true, false], "incomplete, reachable");
        assert!(Entry { state: 0x20, ..entry(0) }.is_unanswered(), "failed");
        assert!(!Entry { state: 0x80, ..entry(0) }.is_unanswered(), "permanent");
    }

    #[test]
    fn a_route_by_a_gateway_leads_to_no_bridge_of_this_board() {
        let route = |attributes: &[Vec<u8>]| {
            let body = [&[0; ROUTE_HEAD][..], &attributes.concat()].concat();
            Answer { kind: ROUTE, body }.direct_route()
        };
        let interface = attribute(INTERFACE, &9_u32.to_ne_bytes());
        assert_eq!(route(std::slice::from_ref(&interface)), Some(9));
        assert_eq!(route(&[interface, attribute(GATEWAY, &[10, 0, 0, 1])]), None);
        assert_eq!(route(&[]), None);
    }

    #[test]
    fn an_error_of_the_kernel_is_one_and_a_torn_answer_too() {
        let error = |errno: i32| read(&message(ERROR, 0, &errno.to_ne_bytes()), &mut Vec::new());
        assert!(error(0).unwrap(), "an acknowledgement");
        assert_eq!(error(-2).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(error(-1).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert!(error(i32::MIN).is_err());
        let whole = message(NEIGHBOUR, MULTI, &neighbour(1));
        for torn in [
            &whole[..3],
            &whole[..20],
            &whole[..whole.len() - 4],
            &[8, 0, 0, 0, 0, 0, 0, 0],
            &[0; 16],
        ] {
            assert!(read(torn, &mut Vec::new()).is_err(), "{torn:?}");
        }
        for size in [0_u16, 3, 200] {
            let mut body = neighbour(1);
            body[NEIGHBOUR_HEAD..NEIGHBOUR_HEAD + 2].copy_from_slice(&size.to_ne_bytes());
            assert_eq!(Answer { kind: NEIGHBOUR, body }.neighbour(), None, "{size}");
        }
    }
}
