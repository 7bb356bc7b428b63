//! Registry: which release a track points at now, asked with as little traffic as the protocol allows.
//!
//! Promise: one HEAD for each distinct repository and tag in a round, however many apps follow it
//! (semver: the pages of the tag list and that HEAD; a pinned digest: nothing once it is known);
//! bodies are fetched only when the digest moved, and dropped as soon as they are read. What is
//! called verified was hashed here. Credentials go to their own host and the token endpoint it
//! names over TLS, to nobody else. Connections and tokens are kept between polls.
//! Trusts: its settings, the board's certificates. Distrusts: everything a registry, a token
//! endpoint or a resolver says; each answer is bounded in size, depth and time.

mod backoff;
mod challenge;
mod client;
mod credentials;
mod error;
mod headers;
mod redirect;
mod settings;
mod state;
mod token;
mod transport;
mod walk;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use titania_core::digest::Digest;
use titania_core::oci::{Descriptor, ImageFacts};
use titania_core::platform::Platform;
use titania_core::reference::{Reference, Repository};
use titania_core::release::Release;
use titania_core::time::{Millis, Moment};
use titania_core::track::Track;

use client::Host;
use transport::Transport;

pub use backoff::NotBefore;
pub use credentials::Credentials;
pub use error::{Failure, NoAnswer, RegistryError};
pub use settings::{HostSettings, Timeouts};

/// Number of a poll. What was asked for in a round is not asked again in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Round(pub u64);

/// What a track points at, for one board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The release, all facts filled in that the registry gives.
    pub release: Release,
    /// What the image asks for.
    pub facts: ImageFacts,
    /// Its layers as the registry has them, the lowest first.
    pub layers: Vec<Descriptor>,
    /// What was chosen for the board and why, as text.
    pub platform_reason: String,
    /// The index had this digest before, and moved while this board's manifest did not: no update.
    pub index_before: Option<Digest>,
}

/// All registries. A clone is the same ones.
#[derive(Clone)]
pub struct Registries {
    inner: Rc<Inner>,
}

struct Inner {
    settings: BTreeMap<String, HostSettings>,
    plain: Rc<BTreeSet<String>>,
    timeouts: Timeouts,
    is_clock_synced: fn() -> bool,
    transports: RefCell<BTreeMap<Option<PathBuf>, Rc<Transport>>>,
    hosts: RefCell<BTreeMap<String, Rc<Host>>>,
    problems: Vec<RegistryError>,
}

/// The moment that the caller gave, moved on by what has passed since.
#[derive(Clone, Copy)]
struct Clock {
    given: Moment,
    since: Instant,
}

impl Clock {
    fn at(given: Moment) -> Self {
        Self { given, since: Instant::now() }
    }

    fn now(&self) -> Moment {
        let passed = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.given.after(Millis(passed))
    }
}

impl Registries {
    /// Registries as the settings name them; others are asked over https, without credentials.
    /// Reads the files with credentials now, and never again; connects to nobody yet. `is_clock_synced` is asked where
    /// a certificate is not valid yet: only a clock that was not set is blamed for that.
    pub fn new(
        settings: &[HostSettings],
        timeouts: Timeouts,
        is_clock_synced: fn() -> bool,
    ) -> Self {
        let plain =
            settings.iter().filter(|host| host.plain_http).map(|host| host.host.clone()).collect();
        let mut inner = Inner {
            settings: BTreeMap::new(),
            plain: Rc::new(plain),
            timeouts,
            is_clock_synced,
            transports: RefCell::default(),
            hosts: RefCell::default(),
            problems: Vec::new(),
        };
        for host in settings {
            inner.settings.insert(host.host.clone(), host.clone());
        }
        for host in settings {
            let found = inner.host(&host.host);
            inner.problems.extend(found.problem());
        }
        Self { inner: Rc::new(inner) }
    }

    /// Credentials of the settings that can't be used, for the board's problems. Their hosts are asked without any.
    pub fn problems(&self) -> &[RegistryError] {
        &self.inner.problems
    }

    /// What `track` points at in the repository of `reference`, for `board`.
    ///
    /// Within one `round` each repository and tag is asked for once, and a host that failed is not
    /// asked again. A pause that the host ordered (`Retry-After`) is kept to without a request; our
    /// own back-off is for the caller: see [`Self::not_before`]. Requests to one host are made one
    /// after the other. `now` is the boot clock.
    ///
    /// # Errors
    /// [`Failure::refuses`] tells a candidate that must not be taken from a registry that did not answer.
    pub async fn resolve(
        &self,
        reference: &Reference,
        track: &Track,
        board: &Platform,
        round: Round,
        now: Moment,
    ) -> Result<Rc<Resolved>, Failure> {
        let host = self.inner.host(&reference.repository.host);
        let mut state = host.state.lock().await;
        let clock = Clock::at(now);
        state.gate(&host, round, now).map_err(Failure::without_release)?;
        let answer = state.resolve(&host, reference, track, board, round, &clock).await;
        state.note(&host, Some(round), &clock, answer.as_ref().err().map(|f| &f.error));
        answer
    }

    /// Whether the registry still has the manifest: one HEAD.
    ///
    /// # Errors
    /// It gave neither a yes nor a no.
    pub async fn exists(
        &self,
        repository: &Repository,
        manifest: &Digest,
        now: Moment,
    ) -> Result<bool, RegistryError> {
        let host = self.inner.host(&repository.host);
        let mut state = host.state.lock().await;
        let clock = Clock::at(now);
        state.ordered_pause(&host, now)?;
        let answer = host.head(&mut state.auth, repository, &manifest.to_string(), &clock).await;
        state.note(&host, None, &clock, answer.as_ref().err());
        match answer {
            Ok(_) => Ok(true),
            Err(RegistryError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Credentials of the settings for a host, for the engine's pulls.
    pub fn credentials(&self, host: &str) -> Option<Credentials> {
        self.inner.host(host).credentials().cloned()
    }

    /// Until when a host is to be left alone, if it failed as a whole and has not answered since.
    pub fn not_before(&self, host: &str) -> Option<NotBefore> {
        self.inner.host(host).backoff.get().not_before()
    }

    /// Drops what only the round needed (tag lists). For the end of a round.
    pub fn rest(&self) {
        for host in self.inner.hosts.borrow().values() {
            if let Ok(mut state) = host.state.try_lock() {
                state.rest();
            }
        }
    }
}

impl Inner {
    fn host(&self, name: &str) -> Rc<Host> {
        if let Some(host) = self.hosts.borrow().get(name) {
            return Rc::clone(host);
        }
        let settings = self
            .settings
            .get(name)
            .cloned()
            .unwrap_or_else(|| HostSettings { host: name.to_owned(), ..HostSettings::default() });
        let transport = Rc::clone(
            self.transports.borrow_mut().entry(settings.ca.clone()).or_insert_with(|| {
                let (ca, is_clock_synced) = (settings.ca.clone(), self.is_clock_synced);
                Rc::new(Transport::new(ca, self.timeouts, is_clock_synced))
            }),
        );
        let host = Rc::new(Host::new(&settings, transport, Rc::clone(&self.plain)));
        self.hosts.borrow_mut().insert(name.to_owned(), Rc::clone(&host));
        host
    }
}
