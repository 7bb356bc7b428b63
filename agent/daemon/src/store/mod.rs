//! The store: files of the state folder that must outlive a power cut.
//!
//! Promise: what a call here has answered to is on disk, whole; after a power cut each file holds its old bytes
//! or its new ones. A file of a newer agent is never touched. Room is kept for the writes that must not fail.
//! Trusts: the state folder's path and its owner, root. Distrusts: its contents, which may be cut off, old, newer
//! or a person's; and the disk.

mod bounded;
pub mod durable;
mod error;
mod handle;
pub mod history;
pub mod instance;
mod outbox;
pub mod records;
pub mod sequence;
pub mod state_folder;

pub use error::StoreError;
pub use handle::Store;
pub use outbox::{Left, Outbox};
pub use records::Loaded;
pub use sequence::Sequence;
pub use state_folder::{Durability, StateFolder};
