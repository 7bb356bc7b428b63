//! The one program inside every image of the end-to-end tests.
//!
//! Promise: it stamps its volumes with its version before it serves, ends with 0 on SIGTERM, and
//! misbehaves only as its image (`/behaviour.txt`) or its environment (`BEHAVIOUR`) tells it to.
//! Trusts its image and environment, which the tests write; it is no part of the product.
//!
//! `test-app` serves; `test-app health` asks the one that serves (for exec probes and HEALTHCHECK); `test-app am UID`
//! ends with 0 when the board knows it by that uid.

mod behaviour;
#[cfg(feature = "database")]
mod database;
mod json;
mod name;
mod rights;
mod serve;
mod stamp;

use behaviour::Behaviour;
use nix::sys::signal::{SigSet, Signal};
use std::process::exit;
use std::sync::mpsc;
use std::time::Duration;

/// Exit code when a volume can't be written: the tests tell it from a crash that was asked for.
const EXIT_VOLUME: i32 = 13;
/// Exit code when it can't become another user.
const EXIT_USER: i32 = 16;
/// Exit code when the port can't be had.
const EXIT_PORT: i32 = 14;

fn main() {
    let port = std::env::var("PORT").ok().and_then(|text| text.parse().ok()).unwrap_or(8080);
    let mut arguments = std::env::args().skip(1);
    let am = match arguments.next().as_deref() {
        Some("health") => exit(i32::from(!serve::asks_healthy(port))),
        Some("am") => arguments.next(),
        _ => None,
    };
    if let Some(wanted) = am {
        exit(i32::from(rights::uid_on_board().map(|uid| uid.to_string()) != Some(wanted)));
    }
    let behaviour = Behaviour::read();
    if let Some(Err(error)) = behaviour.drop_to.map(rights::user) {
        eprintln!("test-app: {error}");
        exit(EXIT_USER);
    }
    answer_term(&behaviour);
    let version = stamp::version();
    if let Err(error) = stamp::stamp_all(&version) {
        eprintln!("test-app {version}: {error}");
        exit(EXIT_VOLUME);
    }
    #[cfg(feature = "database")]
    if let Err(error) = database::begin(&version) {
        eprintln!("test-app {version}: {error}");
        exit(EXIT_VOLUME);
    }
    println!("test-app {version} on port {port}: {behaviour:?}");
    if let Some((code, after)) = behaviour.crash {
        std::thread::spawn(move || {
            pause(after);
            println!("crash as told: exit code {code}");
            exit(code);
        });
    }
    if behaviour.deaf {
        loop {
            pause(Duration::from_secs(3600));
        }
    }
    let error = serve::serve(port, version, behaviour);
    eprintln!("port {port}: {error}");
    exit(EXIT_PORT);
}

/// Waits for `span`; nothing else is there to be waited for.
fn pause(span: Duration) {
    let (_kept, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(span);
}

/// Blocks SIGTERM for every thread to come and has one thread wait for it: as pid 1 no default act
/// would end the program.
fn answer_term(behaviour: &Behaviour) {
    let mut term = SigSet::empty();
    term.add(Signal::SIGTERM);
    if let Err(error) = term.thread_block() {
        eprintln!("SIGTERM can't be blocked: {error}");
        exit(1);
    }
    if behaviour.ignore_sigterm {
        return;
    }
    let linger = behaviour.slow_stop;
    std::thread::spawn(move || {
        if term.wait().is_ok() {
            println!("SIGTERM: ends");
            pause(linger);
            exit(0);
        }
    });
}
