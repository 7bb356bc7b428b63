//! The service manager: what `agentd` tells systemd, and the watchdog that the loop alone feeds.
//!
//! Promise: without systemd (no `NOTIFY_SOCKET`) every call does nothing. A message that can't be sent
//! is dropped: the manager's own time-outs judge that.

use std::time::Duration;

use sd_notify::NotifyState;
use titania_core::time::{Millis, Moment};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::clock;

/// The agent is up: the loop has made its first round.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// One line for `systemctl status`.
pub fn status(line: &str) {
    tell(&[NotifyState::Status(line)]);
}

/// The files are being read again; [`ready`] must follow (sd_notify(3): RELOADING needs MONOTONIC_USEC).
pub fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// The agent goes; the apps stay.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping; the apps run on")]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log::debug!("systemd was not told: {error}");
    }
}

/// systemd's watchdog. Fed by the loop alone, so that a loop that hangs is ended.
#[derive(Debug)]
pub struct Watchdog {
    /// Half of what systemd allows; `None` where it does not watch.
    every: Option<Millis>,
    fed: Moment,
}

impl Watchdog {
    /// As systemd asks for in `WATCHDOG_USEC`.
    pub fn from_environment() -> Self {
        Self::new(sd_notify::watchdog_enabled())
    }

    fn new(allowed: Option<Duration>) -> Self {
        let half = |span: Duration| Millis(u64::try_from(span.as_millis() / 2).unwrap_or(u64::MAX));
        Self { every: allowed.map(half), fed: Moment(0) }
    }

    /// When it must be fed next: the loop sleeps no longer than that. `None`: never.
    pub fn due(&self) -> Option<Moment> {
        self.every.map(|every| self.fed.after(every))
    }

    /// The loop has made a round. Tells systemd only where that is due: a busy loop writes no storm.
    pub fn feed(&mut self) {
        self.feed_at(clock::moment(), || tell(&[NotifyState::Watchdog]));
    }

    fn feed_at(&mut self, now: Moment, tell: impl FnOnce()) {
        if self.due().is_some_and(|due| due <= now) {
            self.fed = now;
            tell();
        }
    }
}

/// What the agent is asked for by signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// SIGHUP: read the files again.
    Reload,
    /// SIGTERM or SIGINT: end; the apps go on.
    Stop,
}

/// Signals to the agent.
#[derive(Debug)]
pub struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes over SIGHUP, SIGTERM and SIGINT. Needs a tokio runtime.
    ///
    /// # Errors
    /// Where the kernel refuses a handler.
    pub fn catch() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next one. Cancel-safe.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_told_twice_as_often_as_it_asks_for_and_no_more() {
        let mut watchdog = Watchdog::new(Some(Duration::from_secs(60)));
        let mut told = 0;
        for second in 1000..1120 {
            watchdog.feed_at(Moment(second * 1000), || told += 1);
        }
        assert_eq!(told, 4);
        assert_eq!(watchdog.due(), Some(Moment(1_120_000)));
    }

    #[test]
    fn without_systemd_nothing_is_due() {
        let mut watchdog = Watchdog::new(None);
        watchdog.feed_at(Moment(1), || panic!("nobody to tell"));
        assert_eq!(watchdog.due(), None);
    }
}
