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
mod resolve;
mod settings;
mod tags;
mod token;
mod transport;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use titania_core::digest::Digest;
use titania_core::oci::{Descriptor, ImageFacts};
use titania_core::platform::Platform;
use titania_core::reference::{Reference, Repository};
use titania_core::release::Release;
use titania_core::time::Moment;
use titania_core::track::Track;

pub use backoff::NotBefore;
pub use credentials::Credentials;
pub use error::{Failure, NoAnswer, RegistryError};
pub use settings::{HostSettings, Timeouts};
