//! What is remembered of a registry between requests: answers by tag, so that what did not move costs one HEAD.

use std::collections::BTreeMap;
use std::rc::Rc;

use hyper::Method;
use titania_core::digest::Digest;
use titania_core::oci;
use titania_core::platform::Platform;
use titania_core::reference::{Reference, Repository, is_tag};
use titania_core::release::Release;
use titania_core::time::Moment;
use titania_core::track::{self, Track};

use super::backoff::{CLOCK_WAIT_MAX, WAIT_MAX};
use super::client::{Ask, Host, malformed, named};
use super::error::{Failure, RegistryError};
use super::token::Auth;
use super::walk::{Top, Walk};
use super::{Clock, Resolved, Round, headers};

/// Most answers kept for one host; the one asked for longest ago goes first. Some 2 KiB each.
const SEEN_MAX: usize = 128;

/// Tags asked for at once: what registries send at most.
const PAGE_TAGS: usize = 1000;

/// Most pages of a tag list, and most bytes of all of them.
const PAGES_MAX: usize = 100;
const LIST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What is remembered of one host.
#[derive(Default)]
pub(super) struct State {
    /// How its requests are authorised.
    pub auth: Auth,
    seen: BTreeMap<Key, Seen>,
    lists: BTreeMap<String, List>,
    failed: Option<(Round, RegistryError)>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    path: String,
    /// A tag, or a digest: no tag has a colon.
    reference: String,
    platform: Platform,
}

struct Seen {
    /// Last round in which the registry was asked.
    round: Round,
    /// What the tag pointed at; null when that was not known.
    digest: Option<Digest>,
    outcome: Result<Rc<Resolved>, Failure>,
}

/// Tags of a repository that are versions.
struct List {
    round: Round,
    /// How many tags there were in all.
    tags: usize,
    versions: Vec<String>,
}

impl State {
    /// Whether the host may be asked in this round.
    pub(super) fn gate(&self, host: &Host, round: Round, now: Moment) -> Result<(), RegistryError> {
        match &self.failed {
            Some((failed, error)) if *failed == round => Err(error.clone()),
            _ => self.ordered_pause(host, now),
        }
    }

    /// A pause that the host asked for and that is not over.
    pub(super) fn ordered_pause(&self, host: &Host, now: Moment) -> Result<(), RegistryError> {
        match host.backoff.get().ordered(now) {
            Some(left) => Err(RegistryError::RateLimited {
                host: host.name.clone(),
                retry_after: Some(std::time::Duration::from_millis(left.0)),
            }),
            None => Ok(()),
        }
    }

    /// Takes note of how the host as a whole did.
    pub(super) fn note(
        &mut self,
        host: &Host,
        round: Option<Round>,
        clock: &Clock,
        error: Option<&RegistryError>,
    ) {
        let mut backoff = host.backoff.get();
        match error.filter(|error| error.is_of_host()) {
            Some(error) => {
                let longest = if error.is_of_clock() { CLOCK_WAIT_MAX } else { WAIT_MAX };
                backoff.failed(clock.now(), error.retry_after(), longest);
                self.failed = round.map(|round| (round, error.clone()));
            }
            None => backoff.answered(),
        }
        host.backoff.set(backoff);
    }

    /// Drops what only a round needs.
    pub(super) fn rest(&mut self) {
        self.lists.clear();
    }

    /// What a track points at.
    pub(super) async fn resolve(
        &mut self,
        host: &Host,
        reference: &Reference,
        track: &Track,
        board: &Platform,
        round: Round,
        clock: &Clock,
    ) -> Result<Rc<Resolved>, Failure> {
        let repository = &reference.repository;
        let wanted = self
            .wanted(host, reference, track, round, clock)
            .await
            .map_err(Failure::without_release)?;
        let key = Key { path: repository.path.clone(), reference: wanted, platform: board.clone() };
        if let Some(seen) = self.seen.get(&key)
            && (seen.round == round || (*track == Track::Pinned && seen.digest.is_some()))
        {
            return seen.outcome.clone();
        }
        let (digest, outcome) = self.look(host, repository, &key, clock).await;
        if let Err(failure) = &outcome
            && failure.error.is_of_host()
        {
            return outcome; // what was known stays
        }
        if let (Some(digest), Some(seen)) = (digest, self.seen.get_mut(&key))
            && seen.digest == Some(digest)
        {
            seen.round = round;
            return seen.outcome.clone();
        }
        let lasting = match &outcome {
            Ok(_) => true,
            Err(failure) => failure.error.is_of_content(),
        };
        self.keep(
            key,
            Seen { round, digest: digest.filter(|_| lasting), outcome: outcome.clone() },
        );
        outcome
    }

    /// The tag or digest to ask for.
    async fn wanted(
        &mut self,
        host: &Host,
        reference: &Reference,
        track: &Track,
        round: Round,
        clock: &Clock,
    ) -> Result<String, RegistryError> {
        let none = || RegistryError::NoReference { image: reference.to_string() };
        match track {
            Track::Tag(tag) if is_tag(tag) => Ok(tag.clone()),
            Track::Tag(_) => Err(none()),
            Track::Pinned => reference.digest.map(|digest| digest.to_string()).ok_or_else(none),
            Track::Semver(range) => {
                let repository = &reference.repository;
                let fresh =
                    self.lists.get(&repository.path).is_some_and(|list| list.round == round);
                if !fresh {
                    let list = self.list(host, repository, round, clock).await?;
                    self.lists.insert(repository.path.clone(), list);
                }
                let list = self.lists.get(&repository.path);
                let tags = list.map(|list| list.versions.iter().map(String::as_str));
                track::highest(range, tags.into_iter().flatten()).map(str::to_owned).ok_or_else(
                    || RegistryError::NoTag {
                        repository: repository.to_string(),
                        range: range.clone(),
                        tags: list.map_or(0, |list| list.tags),
                    },
                )
            }
        }
    }

    /// The tag list, page by page. Only versions are kept of it.
    async fn list(
        &mut self,
        host: &Host,
        repository: &Repository,
        round: Round,
        clock: &Clock,
    ) -> Result<List, RegistryError> {
        let what = format!("the tag list of {repository}");
        let mut path = format!("/v2/{}/tags/list?n={PAGE_TAGS}", repository.path);
        let mut list = List { round, tags: 0, versions: Vec::new() };
        let mut left = LIST_BYTES_MAX;
        for _ in 0..PAGES_MAX {
            let ask = Ask {
                method: Method::GET,
                uri: host.uri(&path, &what)?,
                what: &what,
                repository: &repository.path,
                accept: None,
            };
            let limit = left.min(oci::TAGS_BYTES_MAX);
            let page = match host.get(&mut self.auth, &ask, limit, clock).await {
                Err(RegistryError::NotFound { .. }) => {
                    Err(RegistryError::NotFound { what: format!("repository {repository}") })
                }
                other => other,
            }?;
            left = left.saturating_sub(page.bytes.len());
            let tags = oci::tags(&page.bytes).map_err(|error| malformed(&what, error))?;
            list.tags += tags.len();
            list.versions.extend(tags.into_iter().filter(|tag| track::is_version(tag)));
            match headers::next_page(&page.headers, &host.authority) {
                Some(next) if next != path => path = next,
                _ => return Ok(list),
            }
        }
        Err(RegistryError::TooLarge { what, limit: LIST_BYTES_MAX })
    }

    /// Asks for a tag or digest: HEAD first, the rest only if that moved. The digest is what the tag points at.
    async fn look(
        &mut self,
        host: &Host,
        repository: &Repository,
        key: &Key,
        clock: &Clock,
    ) -> (Option<Digest>, Result<Rc<Resolved>, Failure>) {
        let seen = self.seen.get(key);
        let before = seen.and_then(|seen| seen.digest);
        let known = seen.and_then(|seen| seen.outcome.clone().ok());
        let pinned: Option<Digest> = key.reference.parse().ok();
        let head = match pinned {
            Some(digest) => Ok(Some(digest)),
            None => host.head(&mut self.auth, repository, &key.reference, clock).await,
        };
        let top = match head {
            Ok(Some(digest)) => Top::named(digest),
            Ok(None) => {
                match host.manifest(&mut self.auth, repository, &key.reference, clock).await {
                    Ok(answer) => Top::read(answer),
                    Err(error) => return (None, Err(Failure::without_release(error))),
                }
            }
            Err(error) => return (None, Err(Failure::without_release(error))),
        };
        let digest = top.digest;
        if let (Some(seen), true) = (seen, before == Some(digest)) {
            return (Some(digest), seen.outcome.clone());
        }
        let mut walk = Walk {
            host,
            auth: &mut self.auth,
            clock,
            repository,
            image: named(repository, &key.reference),
            board: &key.platform,
            known,
            fetches: 0,
            release: Release {
                repository: Some(repository.to_string()),
                tag: pinned.is_none().then(|| key.reference.clone()),
                ..Release::default()
            },
        };
        let outcome = walk.start(top).await;
        let release = walk.release;
        (Some(digest), outcome.map(Rc::new).map_err(|error| Failure { error, release }))
    }

    fn keep(&mut self, key: Key, seen: Seen) {
        self.seen.insert(key, seen);
        while self.seen.len() > SEEN_MAX {
            let oldest = self.seen.iter().min_by_key(|(_, seen)| seen.round);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            self.seen.remove(&key);
        }
    }
}
