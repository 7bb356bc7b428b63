//! The proxy between a client and a server of a few lines.

use super::*;
use crate::http::{Place, Response, ask};
use crate::{Hostile, SOON, wait_until};

/// Ports of these tests: no other listens there on a machine that runs them.
fn pair(server: u16, front: u16) -> (Hostile, Proxy, SocketAddr) {
    let server = Hostile::start(server, |_, target| Reply::of("text/plain", target.as_bytes()));
    let back = Side::Tcp(server.host().parse().unwrap());
    let front = SocketAddr::from(([127, 0, 0, 1], front));
    (server, Proxy::start(Side::Tcp(front), back), front)
}

fn get(front: SocketAddr, target: &str) -> io::Result<Response> {
    ask(Place::Tcp(front), "GET", target, &[], b"")
}

fn told(fate: Fate) -> Meddling {
    Meddling { is_it: Box::new(|_, target| target == "/it"), fate, times: 1 }
}

#[test]
fn a_proxy_meddles_with_the_calls_that_it_was_told_of_and_with_no_other() {
    let (server, proxy, front) = pair(47_611, 47_612);
    let asked = |target: &str| server.asked().iter().filter(|one| one.ends_with(target)).count();
    assert_eq!(get(front, "/it").unwrap().text(), "/it");
    proxy.meddle(told(Fate::Dropped));
    assert_eq!(get(front, "/other").unwrap().text(), "/other");
    assert!(get(front, "/it").is_err());
    assert_eq!((asked("/it"), proxy.met()), (1, 1), "the server did not hear of it");
    assert_eq!(get(front, "/it").unwrap().text(), "/it", "once was told");
    proxy.meddle(told(Fate::Cut));
    assert!(get(front, "/it").is_err());
    assert_eq!((asked("/it"), proxy.met()), (3, 1), "the server did it");
    proxy.meddle(told(Fate::Torn));
    assert!(get(front, "/it").is_err());
    proxy.meddle(told(Fate::Spoilt));
    assert_eq!(get(front, "/it").unwrap().text(), "/ht");
    proxy.meddle(told(Fate::Answered(Reply::of("text/plain", "no").status(429))));
    assert_eq!(get(front, "/it").unwrap().status, 429);
}

#[test]
fn what_a_proxy_holds_comes_when_it_is_healed() {
    let (server, proxy, front) = pair(47_613, 47_614);
    for fate in [Fate::Held, Fate::Stalled] {
        let before = server.asked().len();
        proxy.meddle(told(fate));
        let asker = std::thread::spawn(move || get(front, "/it").unwrap().text());
        wait_until(SOON, "the server to be asked", || server.asked().len() > before);
        assert!(!asker.is_finished());
        proxy.heal();
        assert_eq!(asker.join().unwrap(), "/it");
    }
}
