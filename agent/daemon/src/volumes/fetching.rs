//! The marker `<fork>.fetching`: what the agent pulls from here on is its own, also after a power cut before the tag.

use std::path::PathBuf;

use titania_core::names::{AppName, Generation};

use super::error::VolumesError;
use super::handle::Volumes;
use super::paths::Place;
use super::{files, forks};

/// How its name ends.
const FETCHING: &str = ".fetching";

fn marker(place: &Place, generation: Generation) -> PathBuf {
    place.beside_fork(generation, FETCHING.trim_start_matches('.'))
}

/// Takes the marker away.
///
/// # Errors
/// The disk's.
pub(super) fn done(place: &Place, generation: Generation) -> Result<(), VolumesError> {
    files::take_marker(&marker(place, generation))
}

impl Volumes {
    /// Whether a pull for the app was begun, for whatever generation, and its end not written down: one whose record was lost
    /// begins anew under another number.
    ///
    /// # Errors
    /// The disk's.
    pub async fn is_fetching(&self, app: &AppName) -> Result<bool, VolumesError> {
        let place = self.place(app);
        let job = move || {
            let names = forks::entries(&place.state())?;
            Ok(names.iter().any(|(name, _)| name.ends_with(FETCHING)))
        };
        self.quick("look for a marker", job).await
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
