//! `agentd`: reads its files, tells systemd, and hands over to the loop.

mod arguments;

use std::path::Path;
use std::process::ExitCode;

use arguments::Asked;
use titania_agentd::board::files;
use titania_agentd::board::service::{self, Signals, Watchdog};
use titania_agentd::board::unit::{self, Needs};
use titania_agentd::board::{clock, logging, neighbour};
use titania_agentd::reconcile::{self, Ended, Setup};
use tokio::runtime::{Builder, LocalOptions};

/// Events of the kernel taken at once: a board has some dozen connections.
const IO_EVENTS: usize = 64;
/// Wrong use, and files that are at fault (`--check-config`).
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let config = match arguments::read(std::env::args_os().skip(1)) {
        Ok(Asked::Run(config)) => config,
        Ok(Asked::Check(config)) => return check(&config),
        Ok(Asked::PrintUnit(config)) => {
            print!("{}", unit::drop_in(&Needs::of(&files::load(&config, clock::wall()))));
            return ExitCode::SUCCESS;
        }
        Ok(Asked::ForgetNeighbour) => return forget_neighbour(),
        Ok(Asked::Help) => {
            print!("{}", arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Asked::Version) => {
            println!("agentd {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprint!("error: {wrong}\n\n{}", arguments::HELP);
            return ExitCode::from(USAGE);
        }
    };
    logging::start();
    // Records, forks and the socket set their own modes; nothing is ever left open by accident.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o027));
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        log::warn!("another TLS provider was installed before");
    }
    match serve(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("agentd ends: {error}");
            ExitCode::FAILURE
        }
    }
}

fn check(config: &Path) -> ExitCode {
    let (faults, good) = files::check(config, clock::wall());
    for fault in &faults {
        eprintln!("{}", titania_config::shown(fault));
    }
    if faults.is_empty() {
        println!("{}: well, with {}", config.display(), some(good, "definition"));
        ExitCode::SUCCESS
    } else {
        eprintln!("{}; {} without", some(faults.len(), "fault"), some(good, "definition"));
        ExitCode::from(USAGE)
    }
}

/// The socket's one connection is standard input, and the answer goes there, too (systemd.exec(5), `StandardInput=`).
fn forget_neighbour() -> ExitCode {
    match neighbour::serve(std::io::stdin(), std::io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("no neighbour is forgotten: {error}");
            ExitCode::FAILURE
        }
    }
}

fn some(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn serve(config: &Path) -> std::io::Result<()> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        // Name look-ups alone run there (DESIGN §8); each thread costs memory.
        .max_blocking_threads(2)
        // Room for that many is taken at once.
        .max_io_events_per_tick(IO_EVENTS)
        // Not a LocalSet: it wakes itself by a system call at each event.
        .build_local(LocalOptions::default())?;
    let started_at = clock::wall();
    let ended = runtime.block_on(async {
        let mut signals = Signals::catch()?;
        loop {
            let in_force = files::load(config, clock::wall());
            for fault in &in_force.errors {
                log::error!("{}", titania_config::shown(fault));
            }
            let setup = Setup {
                in_force,
                watchdog: Watchdog::from_environment(),
                signals: &mut signals,
                started_at,
            };
            match reconcile::run(setup).await? {
                Ended::Stopped => return Ok(()),
                Ended::Anew => {
                    log::info!("settings and state folder can be used now: starting anew")
                }
            }
        }
    });
    service::stopping();
    // A look-up that hangs in the C library must not hold up the end.
    runtime.shutdown_background();
    ended
}
