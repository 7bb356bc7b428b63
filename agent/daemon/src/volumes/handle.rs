//! The room's door for the loop: every call runs on one of three threads and answers by a future.
//!
//! Promise: looking and marking (the quick thread) never waits behind copying, seeding, owning, measuring
//! and removing (the long thread), and neither behind a disk that swallows a sync. A quick call is given up after [`QUICK_SECONDS_MAX`].

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use titania_core::fork::{Fork, ForkFile, Mark};
use titania_core::names::{AppName, Generation, InstanceId, Owner, StartedAt};
use titania_core::spec::Spec;

use super::copy::Copied;
use super::error::VolumesError;
use super::own::{Owned, Stubborn};
use super::paths::{Mount, Place, System};
use super::root::RootState;
use super::seed::Seed;
use super::size::Size;
use super::{copy, files, forks, lock, own, paths, root, seed, size, space, uids};
use crate::workers::{Cancel, Worker};

/// A quick call that takes longer means a disk that hangs (a dying card, a dead network mount).
pub const QUICK_SECONDS_MAX: u64 = 60;

/// The volumes of one board. Cheap to clone.
#[derive(Clone)]
pub struct Volumes {
    root: Arc<Path>,
    pub(super) system: Arc<System>,
    stubborn: Stubborn,
    quick: Worker,
    long: Worker,
    sync: Worker,
}

impl Volumes {
    /// The volumes under `root`, with the files of this board. Touches nothing.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn new(root: PathBuf) -> io::Result<Self> {
        Self::on(root, System::default())
    }

    /// The same with other places for the files of the board.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn on(root: PathBuf, system: System) -> io::Result<Self> {
        Ok(Self {
            root: root.into(),
            system: Arc::new(system),
            stubborn: Stubborn::default(),
            quick: Worker::start("volumes-quick")?,
            long: Worker::start("volumes-long")?,
            sync: Worker::start("volumes-sync")?,
        })
    }

    /// The volume root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn place(&self, app: &AppName) -> Place {
        Place::new(&self.root, app)
    }

    pub(super) async fn quick<T: Send + 'static>(
        &self,
        act: &'static str,
        job: impl FnOnce() -> Result<T, VolumesError> + Send + 'static,
    ) -> Result<T, VolumesError> {
        let limit = Duration::from_secs(QUICK_SECONDS_MAX);
        match tokio::time::timeout(limit, self.quick.run(move |_| job())).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(VolumesError::Cancelled),
            Err(_) => Err(VolumesError::NoAnswer { act, seconds: QUICK_SECONDS_MAX }),
        }
    }

    pub(super) async fn long<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Cancel) -> Result<T, VolumesError> + Send + 'static,
    ) -> Result<T, VolumesError> {
        let answer = self.long.run(job).await;
        answer.unwrap_or(Err(VolumesError::Cancelled))
    }

    /// Ends when all long jobs given so far have: what is given next begins at once.
    pub async fn idle(&self) {
        let _gone = self.long.run(|_| ()).await;
    }

    /// Whose board it is (DESIGN §3.4). `state`: the id in the state folder; `labelled`: has any container,
    /// of whatever instance, an instance label; `fresh`: the id to take if a new one must be made.
    ///
    /// On `New` and `TakenOver` the root has the id already, and the caller writes it to the state folder.
    ///
    /// # Errors
    /// The root can't be read or, for a new id, written.
    pub async fn settle_root(
        &self,
        state: Option<InstanceId>,
        labelled: bool,
        fresh: InstanceId,
    ) -> Result<RootState, VolumesError> {
        let (root, system) = (self.root.clone(), self.system.clone());
        let job = move || root::settle(&root, &system, state.as_ref(), labelled, fresh);
        self.quick("look at the volume root", job).await
    }

    /// `agentctl adopt`: writes the state folder's id, else the containers', else the root's, else `fresh`, to
    /// the root and returns it; the caller writes it to the state folder.
    ///
    /// # Errors
    /// Containers of several instances and no id in the state folder; or the root can't be written.
    pub async fn adopt(
        &self,
        state: Option<InstanceId>,
        containers: Vec<InstanceId>,
        fresh: InstanceId,
    ) -> Result<InstanceId, VolumesError> {
        let root = self.root.clone();
        let job = move || root::adopt(&root, state.as_ref(), &containers, fresh);
        self.quick("adopt the volume root", job).await
    }

    /// Apps that have a folder under the root, sorted.
    ///
    /// # Errors
    /// The root can't be read.
    pub async fn apps(&self) -> Result<Vec<AppName>, VolumesError> {
        let root = self.root.clone();
        self.quick("list the apps' volumes", move || forks::apps(&root)).await
    }

    /// The app's forks, by generation. An app without a folder has none.
    ///
    /// # Errors
    /// The folder can't be read, or a fork's file is of a newer agent.
    pub async fn forks(&self, app: &AppName) -> Result<Vec<Fork>, VolumesError> {
        let (place, stubborn) = (self.place(app), self.stubborn.clone());
        self.quick("list the forks", move || forks::list(&place, &stubborn)).await
    }

    /// The app's mounts for `generation`: state, data, sources and host mounts; no scratch. Pure.
    ///
    /// # Errors
    /// A container path that can't be a key.
    pub fn mounts(
        &self,
        app: &AppName,
        spec: &Spec,
        generation: Generation,
    ) -> Result<Vec<Mount>, VolumesError> {
        paths::mounts(&self.place(app), spec, generation)
    }

    /// Looks at each source of the app's mounts, as must be done right before create and start.
    ///
    /// # Errors
    /// [`VolumesError::SourcesMissing`] with all that are wrong.
    pub async fn check(
        &self,
        app: &AppName,
        spec: Arc<Spec>,
        generation: Generation,
    ) -> Result<(), VolumesError> {
        let (place, system) = (self.place(app), self.system.clone());
        let job = move || paths::check(&place, &system, &spec, generation);
        self.quick("look at the sources", job).await
    }

    /// Whether the app holds its `update.lock` at the top of its first state or data volume.
    ///
    /// # Errors
    /// It can't be looked at.
    pub async fn is_locked(
        &self,
        app: &AppName,
        spec: Arc<Spec>,
        generation: Generation,
    ) -> Result<bool, VolumesError> {
        let place = self.place(app);
        let job = move || lock::is_held(&place, &spec, generation);
        self.quick("look at the update lock", job).await
    }

    /// Bytes free for the agent on the disk of `path`, or of the nearest folder above it that exists.
    ///
    /// # Errors
    /// The disk can't be asked.
    pub async fn free_bytes(&self, path: PathBuf) -> Result<u64, VolumesError> {
        self.quick("ask for free space", move || space::free_bytes(&path)).await
    }

    /// Whether both lie on one disk; where one does not exist, the nearest folder above it counts.
    ///
    /// # Errors
    /// One can't be looked at.
    pub async fn same_disk(&self, a: PathBuf, b: PathBuf) -> Result<bool, VolumesError> {
        self.quick("compare disks", move || space::is_same_disk(&a, &b)).await
    }

    /// The uid of the pool that the app has.
    ///
    /// # Errors
    /// The list can't be read.
    pub async fn pool_uid(&self, app: &AppName) -> Result<Option<u32>, VolumesError> {
        let place = self.place(app);
        self.quick("look up the uid", move || uids::assigned(&place)).await
    }

    /// The uid of the pool that the app has, given out now if it had none. Once given it stays.
    ///
    /// # Errors
    /// The pool is empty, or the list can't be written.
    pub async fn assign_pool_uid(&self, app: &AppName) -> Result<u32, VolumesError> {
        let (place, system) = (self.place(app), self.system.clone());
        self.quick("give out a uid", move || uids::assign(&place, &system)).await
    }

    /// Makes the empty folder of a generation, marker first, its `<fork>.json`, the data folders and the room
    /// for later writes. What lies at the fork's folder from before is set aside.
    ///
    /// # Errors
    /// The fork carries a mark, or the disk refuses.
    pub async fn reserve(&self, app: &AppName, file: ForkFile) -> Result<(), VolumesError> {
        let place = self.place(app);
        self.quick("reserve a fork", move || forks::reserve(&place, &file)).await
    }

    /// Writes the mark into the fork's file. Room is given up for it when the disk is full.
    ///
    /// # Errors
    /// The fork has no readable file, or even the room was not enough.
    pub async fn mark(
        &self,
        app: &AppName,
        generation: Generation,
        mark: Mark,
    ) -> Result<(), VolumesError> {
        let place = self.place(app);
        let job = move || files::mark(&place, generation, mark);
        self.quick("mark a fork", job).await
    }

    /// Puts the fork's unfinished marker back: its copy no longer counts.
    ///
    /// # Errors
    /// It can't be written.
    pub async fn unfinish(
        &self,
        app: &AppName,
        generation: Generation,
    ) -> Result<(), VolumesError> {
        let place = self.place(app);
        self.quick("unfinish a fork", move || forks::unfinish(&place, generation)).await
    }

    /// Sets the fork's folder aside as `<fork>.old-<n>` and makes an empty one, unfinished.
    ///
    /// # Errors
    /// The disk refuses.
    pub async fn set_aside(
        &self,
        app: &AppName,
        generation: Generation,
    ) -> Result<(), VolumesError> {
        let place = self.place(app);
        self.quick("set a fork aside", move || forks::set_aside(&place, generation)).await
    }

    /// Copies the parent's fork, as the fork's file names it, into this one's folder. Without a parent: nothing.
    /// The marker stays: see [`Self::finish`]. A copy that fails takes away what it copied.
    ///
    /// # Errors
    /// Parent gone or incomplete, disk full, folders too deep.
    pub async fn copy(
        &self,
        app: &AppName,
        generation: Generation,
    ) -> Result<Copied, VolumesError> {
        let place = self.place(app);
        self.long(move |cancel| copy::copy(&place, generation, cancel)).await
    }

    /// Which volumes shall be seeded with what the image ships: state keys that are new and empty, data folders
    /// never seeded and empty; never a `source`.
    ///
    /// # Errors
    /// They can't be looked at.
    pub async fn seeds(
        &self,
        app: &AppName,
        spec: Arc<Spec>,
        generation: Generation,
    ) -> Result<Vec<Seed>, VolumesError> {
        let place = self.place(app);
        self.quick("look for empty volumes", move || seed::wanted(&place, &spec, generation)).await
    }

    /// Seeds one volume from a tar stream whose entries lie under one folder, the last part of the container
    /// path, as the engine's archive call sends it. `None`: the image ships nothing there.
    ///
    /// # Errors
    /// The archive is broken or too large; the volume is then empty again, and still wants its seed.
    pub async fn seed<R: Read + Send + 'static>(
        &self,
        app: &AppName,
        seed: Seed,
        archive: Option<R>,
    ) -> Result<Vec<String>, VolumesError> {
        let place = self.place(app);
        self.long(move |cancel| seed::seed(&place, &seed, archive, cancel)).await
    }

    /// Makes the fork count: its file takes the specification, the owner on the board and the parent's
    /// `StartedAt`; then the marker goes. The caller has looked, after the copy, that the parent is down and its `StartedAt` the same.
    ///
    /// # Errors
    /// The fork has no readable file, or the disk refuses.
    pub async fn finish(
        &self,
        app: &AppName,
        generation: Generation,
        parent_started_at: Option<StartedAt>,
        spec: Arc<Spec>,
        owner: Owner,
    ) -> Result<(), VolumesError> {
        let place = self.place(app);
        self.quick("finish a fork", move || {
            forks::finish(&place, generation, parent_started_at, spec, owner)
        })
        .await
    }

    /// Brings all that is in memory to the disks, others' too: after a download (sync(2)).
    ///
    /// Waits for every disk of the board, a dead one too: no other call waits behind it.
    ///
    /// # Errors
    /// The thread is gone.
    pub async fn sync(&self) -> Result<(), VolumesError> {
        self.sync.run(|_| rustix::fs::sync()).await.map_err(|_| VolumesError::Cancelled)
    }

    /// Gives the app's volumes to `owner`: walked only where the top folder's owner differs or a walk was cut off.
    ///
    /// # Errors
    /// A folder can't be read, or the disk refuses. What can't be owned (immutable) is no error but a warning.
    pub async fn own(
        &self,
        app: &AppName,
        spec: Arc<Spec>,
        generation: Generation,
        owner: Owner,
    ) -> Result<Owned, VolumesError> {
        let (place, stubborn) = (self.place(app), self.stubborn.clone());
        self.long(move |cancel| own::own(&place, &spec, generation, owner, &stubborn, cancel)).await
    }

    /// Bytes and files of a fork, for the estimate of a copy; counting ends at the limits of [`size`].
    ///
    /// # Errors
    /// It can't be read.
    pub async fn size(&self, app: &AppName, generation: Generation) -> Result<Size, VolumesError> {
        let place = self.place(app);
        self.long(move |cancel| size::of_fork(&place, generation, cancel)).await
    }
}

#[cfg(test)]
mod tests;
