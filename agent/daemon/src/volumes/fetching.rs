//! The marker `<fork>.fetching`: what the agent pulls from here on is its own, also after a power cut before the tag.

use std::path::PathBuf;

use titania_core::names::{AppName, Generation};

use super::error::VolumesError;
use super::files;
use super::handle::Volumes;
use super::paths::Place;

fn marker(place: &Place, generation: Generation) -> PathBuf {
    place.beside_fork(generation, "fetching")
}

/// Takes the marker away.
///
/// # Errors
/// The disk's.
pub(super) fn done(place: &Place, generation: Generation) -> Result<(), VolumesError> {
    files::take_marker(&marker(place, generation))
}

impl Volumes {
    /// Whether a pull for that generation was begun, and its end not written down.
    ///
    /// # Errors
    /// The disk's.
    pub async fn is_fetching(
        &self,
        app: &AppName,
        generation: Generation,
    ) -> Result<bool, VolumesError> {
        let marker = marker(&self.place(app), generation);
        self.quick("look for a marker", move || files::has_marker(&marker)).await
    }

    /// Writes down that one begins.
    ///
    /// # Errors
    /// The disk's.
    pub async fn fetching(
        &self,
        app: &AppName,
        generation: Generation,
    ) -> Result<(), VolumesError> {
        let place = self.place(app);
        let job = move || files::put_marker(&place, &marker(&place, generation));
        self.quick("put a marker down", job).await
    }

    /// Writes down that it ended, with the image tagged.
    ///
    /// # Errors
    /// The disk's.
    pub async fn fetched(&self, app: &AppName, generation: Generation) -> Result<(), VolumesError> {
        let place = self.place(app);
        self.quick("take a marker away", move || done(&place, generation)).await
    }
}
