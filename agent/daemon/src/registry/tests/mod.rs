//! Against servers that are honest, broken or hostile, all on loopback.

mod access;
mod candidate;
mod choice;
mod fake;
mod hostile;
mod parsing;
mod pause;
mod real;
mod server;
mod settings;
mod tls;

use std::rc::Rc;
use std::time::Duration;

use titania_core::platform::Platform;
use titania_core::reference::Reference;
use titania_core::time::Moment;
use titania_core::track::Track;

use super::{
    Failure, HostSettings, NoAnswer, Registries, RegistryError, Resolved, Round, Timeouts,
};

/// Far above what loopback needs, short enough that a hang is a failure.
const PATIENT: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    header: Duration::from_secs(10),
    stall: Duration::from_secs(10),
    body: Duration::from_secs(20),
};

/// For servers that stall on purpose.
const HASTY: Timeouts = Timeouts {
    connect: Duration::from_millis(300),
    header: Duration::from_millis(300),
    stall: Duration::from_millis(300),
    body: Duration::from_millis(900),
};

/// A board and its registries.
struct Board {
    registries: Registries,
    platform: Platform,
    round: Round,
    now: Moment,
}

fn plain(authority: &str) -> HostSettings {
    HostSettings { host: authority.to_owned(), plain_http: true, ..HostSettings::default() }
}

impl Board {
    fn of(authority: &str) -> Self {
        Self::with(&[plain(authority)], PATIENT)
    }

    fn with(settings: &[HostSettings], timeouts: Timeouts) -> Self {
        Self::with_clock(settings, timeouts, || true)
    }

    fn with_clock(settings: &[HostSettings], timeouts: Timeouts, is_synced: fn() -> bool) -> Self {
        Self {
            registries: Registries::new(settings, timeouts, is_synced),
            platform: Platform::of("linux", "arm", "v7"),
            round: Round(1),
            now: Moment(1_000_000),
        }
    }

    /// The next poll, a minute later.
    fn next(&mut self) {
        self.round = Round(self.round.0 + 1);
        self.now = Moment(self.now.0 + 60_000);
    }

    async fn resolve(&self, image: &str, track: &Track) -> Result<Rc<Resolved>, Failure> {
        let reference: Reference = image.parse().expect("a reference");
        self.registries.resolve(&reference, track, &self.platform, self.round, self.now).await
    }

    /// What a moving tag points at.
    async fn tag(&self, authority: &str, tag: &str) -> Result<Rc<Resolved>, Failure> {
        self.resolve(&format!("{authority}/app"), &Track::Tag(tag.to_owned())).await
    }

    /// Why a moving tag can't be taken.
    async fn error(&self, authority: &str, tag: &str) -> RegistryError {
        match self.tag(authority, tag).await {
            Ok(seen) => panic!("resolved: {seen:?}"),
            Err(failure) => failure.error,
        }
    }
}

fn range(text: &str) -> Track {
    Track::Semver(text.to_owned())
}
