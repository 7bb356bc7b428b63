//! The store's door for the loop: writes go to one thread, one after the other, and answer by a future.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use titania_core::names::{AppName, InstanceId};
use titania_core::outcome::Outcome;
use titania_core::record::Record;
use titania_core::time::Timestamp;

use super::error::StoreError;
use super::records::Loaded;
use super::sequence::Sequence;
use super::{history, instance, records, sequence};
use crate::workers::Worker;

/// The files of one state folder. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    state: Arc<Path>,
    writer: Worker,
}

impl Store {
    /// The store in the folder `state`, which [`super::StateFolder::open`] has opened.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn new(state: PathBuf) -> Result<Self, StoreError> {
        let writer =
            Worker::start("store").map_err(StoreError::io("start a thread for", &state))?;
        Ok(Self { state: state.into(), writer })
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Path) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let state = self.state.clone();
        let answer = self.writer.run(move |_| job(&state)).await;
        answer.unwrap_or(Err(StoreError::Gone))
    }

    /// Apps that have a record, sorted: those without a definition are orphans.
    ///
    /// # Errors
    /// The folder can't be read.
    pub async fn apps(&self) -> Result<Vec<AppName>, StoreError> {
        self.run(records::apps).await
    }

    /// The app's record, or what is left of it. Missing and unreadable are no errors: see [`Loaded`].
    ///
    /// # Errors
    /// [`StoreError::Newer`]: it is of a newer agent.
    pub async fn load(&self, app: &AppName) -> Result<Loaded, StoreError> {
        let app = app.clone();
        self.run(move |state| records::load(state, &app)).await
    }

    /// Writes the record; when this answers it is on disk. A full disk: the app's room is given up for it.
    ///
    /// # Errors
    /// The disk refuses, though room was kept; the old record is still whole. [`StoreError::Newer`].
    pub async fn save(&self, app: &AppName, record: Record) -> Result<(), StoreError> {
        let app = app.clone();
        self.run(move |state| records::save(state, &app, &record)).await
    }

    /// Removes the app's record, with the one before and its room.
    ///
    /// # Errors
    /// The disk refuses; to be called again.
    pub async fn forget(&self, app: &AppName) -> Result<(), StoreError> {
        let app = app.clone();
        self.run(move |state| records::forget(state, &app)).await
    }

    /// Removes the app's history.
    ///
    /// # Errors
    /// The disk refuses; to be called again.
    pub async fn forget_history(&self, app: &AppName) -> Result<(), StoreError> {
        let app = app.clone();
        self.run(move |state| history::forget(state, &app)).await
    }

    /// Makes the app's room again, where it was given up.
    ///
    /// # Errors
    /// The disk has no room.
    pub async fn ensure_room(&self, app: &AppName) -> Result<(), StoreError> {
        let app = app.clone();
        self.run(move |state| records::ensure_room(state, &app)).await
    }

    /// Appends a line to the app's history unless one of its id is there; true when it was appended.
    ///
    /// # Errors
    /// The disk refuses; it may be appended later from the record, which holds the last outcome.
    pub async fn append_history(&self, outcome: Outcome) -> Result<bool, StoreError> {
        self.run(move |state| history::append(state, &outcome)).await
    }

    /// Lines of one app or of all, newest first, that ended before `before`; at most `limit`.
    ///
    /// # Errors
    /// The files can't be read.
    pub async fn history(
        &self,
        app: Option<AppName>,
        limit: usize,
        before: Option<Timestamp>,
    ) -> Result<Vec<Outcome>, StoreError> {
        self.run(move |state| history::query(state, app.as_ref(), limit, before)).await
    }

    /// The state folder's instance id; null when it is missing or no id.
    ///
    /// # Errors
    /// It can't be read.
    pub async fn instance(&self) -> Result<Option<InstanceId>, StoreError> {
        self.run(instance::read).await
    }

    /// Writes the instance id.
    ///
    /// # Errors
    /// The disk refuses.
    pub async fn write_instance(&self, id: InstanceId) -> Result<(), StoreError> {
        self.run(move |state| instance::write(state, &id)).await
    }

    /// Opens the numbers of events; `now` as in [`sequence::reserve`].
    ///
    /// # Errors
    /// The file can't be read or written.
    pub async fn sequence(&self, now: Option<Timestamp>) -> Result<Sequence, StoreError> {
        Sequence::open(self, now).await
    }

    /// Reserves a block of numbers.
    ///
    /// # Errors
    /// As [`sequence::reserve`].
    pub(super) async fn reserve_numbers(
        &self,
        now: Option<Timestamp>,
        floor: u64,
    ) -> Result<Range<u64>, StoreError> {
        self.run(move |state| sequence::reserve(state, now, floor)).await
    }
}
