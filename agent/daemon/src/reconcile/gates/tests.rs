//! Which gate holds a cutover back, and until when.

use super::*;
use titania_core::definition::{Port, Protocol};

fn port(address: &str, host: u16, protocol: Protocol) -> Port {
    Port { address: address.into(), host, container: 80, protocol }
}

#[test]
fn a_port_of_a_stranger_shuts_the_gate_and_the_app_s_own_does_not() {
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let number = stranger.local_addr().expect("an address").port();
    let wanted = [port("127.0.0.1", number, Protocol::Tcp)];
    let (port_of, gate) = ports::taken(&wanted, &[]).expect("shut");
    assert_eq!(port_of, &wanted[0]);
    assert_eq!(gate.reason.code, Code::PortInUse);
    assert_eq!(gate.waiting_for, WaitingFor::Port);
    assert!(gate.reason.message.contains(&format!("127.0.0.1:{number}/tcp")), "{gate:?}");
    let everywhere = [port("", number, Protocol::Tcp)];
    assert!(ports::taken(&everywhere, &[]).is_some(), "also asked for on all addresses");
    assert_eq!(ports::taken(&wanted, &wanted), None, "held by the app itself");
    assert_eq!(ports::taken(&wanted, &everywhere), None, "held by the app itself on all addresses");
    assert_eq!(ports::taken(&everywhere, &wanted), None, "held by the app itself on one of them");
    let udp = [port("127.0.0.1", number, Protocol::Udp)];
    assert_eq!(ports::taken(&udp, &[]), None, "another protocol");
    drop(stranger);
    assert_eq!(ports::taken(&wanted, &[]), None, "free again");
}

#[test]
fn a_udp_port_of_a_stranger_shuts_the_gate() {
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let number = stranger.local_addr().expect("an address").port();
    assert!(ports::taken(&[port("127.0.0.1", number, Protocol::Udp)], &[]).is_some());
}

#[test]
fn an_address_that_the_board_does_not_have_shuts_the_gate() {
    // 192.0.2.0/24 is kept for documentation (RFC 5737).
    assert!(ports::taken(&[port("192.0.2.1", 18080, Protocol::Tcp)], &[]).is_some());
}

#[test]
fn a_window_stays_shut_until_the_clock_is_set_and_says_so() {
    let hour = |hour: u64| Millis(hour * 3_600_000);
    let night = Window { from: 2 * 60, to: 5 * 60 };
    let now = Moment(77);
    // 1970-01-01 03:00 lies within it, by a clock that nobody has set.
    let gate = outside(night, false, hour(3), now).expect("shut");
    assert_eq!(gate.reason.code, Code::ClockUnsynced);
    assert_eq!(gate.reason.class, Class::Environment);
    assert_eq!(gate.waiting_for, WaitingFor::Clock);
    assert!(gate.reason.hint.contains("timedatectl"), "{gate:?}");
    assert!(gate.look_again.is_some() && gate.opens.is_none(), "{gate:?}");
    assert_eq!(outside(night, true, hour(3), now), None);
    let gate = outside(night, true, hour(1), now).expect("shut");
    assert_eq!(gate.waiting_for, WaitingFor::Window);
    assert_eq!(gate.opens, Some(now.after(hour(1))), "by the clock that never jumps");
    assert_eq!(gate.look_again, Some(now.after(CLOCK_LOOK)), "the other one may");
}

#[test]
fn a_hold_is_in_force_until_its_end() {
    let hold = |until| Hold { by: "uid:0".into(), reason: "exam".into(), until };
    let at = Timestamp(1000);
    assert_eq!(held_for(&hold(None), at), Some(None));
    assert_eq!(held_for(&hold(Some(Timestamp(1500))), at), Some(Some(Millis(500))));
    assert_eq!(held_for(&hold(Some(at)), at), None);
    assert_eq!(held_for(&hold(Some(Timestamp(999))), at), None);
}
