//! Inspect: can this image run here, as whom, and is all that it keeps in a volume of the app?
//!
//! Promise: nothing of the app is touched; what is refused is refused on proof, the rest is a warning.

use std::sync::Arc;

use titania_core::definition::{Shape, UserRule};
use titania_core::names::{Generation, Owner};
use titania_core::reason::{Class, Code, Reason};
use titania_core::spec::Spec;

use super::super::candidate;
use super::super::fault::Fault;
use super::super::users::{self, Chosen, ImageUsers, UserFault};
use super::Act;
use super::image::{self, Entry};
use super::program::{self, Case};
use crate::board::{clock, userland};
use crate::engine::{EngineError, ImageFacts, Throwaway};

/// Largest `/etc/passwd` or `/etc/group` of an image, in bytes: ten thousand users.
const USERS_BYTES_MAX: usize = 1024 * 1024;

/// What of an image is needed to choose its user.
#[derive(Default)]
struct UserFiles {
    passwd: Option<String>,
    group: Option<String>,
}

impl Act<'_> {
    /// Looks into the image; evidence gets the specification made whole.
    pub(super) async fn inspect(
        &self,
        generation: Generation,
        spec: &Arc<Spec>,
    ) -> Result<(), Fault> {
        let image =
            self.agent.engine.image(&self.app.name, generation).await?.ok_or(Fault::LookAgain)?;
        self.fits(&image)?;
        covered(&image, spec)?;
        let instance = self.instance()?;
        let probe = self.agent.engine.throwaway(&self.app.name, &instance, &image.id).await?;
        let looked = self.look_into(&probe, &image, spec, generation).await;
        if let Err(error) = probe.remove().await {
            log::warn!("{}: {error}", self.app.name);
        }
        let files = looked?;
        let user = self.user(spec, &image, &files).await?;
        let groups = groups(&spec.definition.shape.groups).await?;
        let whole = Spec { user: Some(user), groups, ..(**spec).clone() };
        self.app.memory.borrow_mut().evidence.inspected = Some((generation, Arc::new(whole)));
        Ok(())
    }

    fn fits(&self, image: &ImageFacts) -> Result<(), Fault> {
        let board = self.agent.shared.borrow().platform.clone();
        let Some((board, _)) = board.filter(|(board, _)| image::is_foreign(image, board)) else {
            return Ok(());
        };
        let variant =
            if image.variant.is_empty() { String::new() } else { format!("/{}", image.variant) };
        let message = format!(
            "the image as it was fetched is for {}/{}{variant}, this board is {board}",
            image.os, image.architecture
        );
        let hint = "name an image or tag that has this board's platform";
        Err(Fault::new(Code::NoPlatform, Class::Release, message, hint))
    }

    async fn look_into(
        &self,
        probe: &Throwaway,
        image: &ImageFacts,
        spec: &Spec,
        generation: Generation,
    ) -> Result<UserFiles, Fault> {
        let shape = &spec.definition.shape;
        let entry = self.entry(probe, shape, image).await?;
        if let Entry::Damaged(what) = &entry {
            return Err(self.damaged_entry(generation, image, what).await?);
        }
        judge_entry(&entry)?;
        let asks_image = matches!(shape.user, UserRule::Image | UserRule::Auto | UserRule::Mapped);
        if !asks_image {
            return Ok(UserFiles::default());
        }
        Ok(UserFiles {
            passwd: text(probe, "/etc/passwd").await?,
            group: text(probe, "/etc/group").await?,
        })
    }

    /// What is to be said of the image's entry point.
    ///
    /// # Errors
    /// The engine's.
    pub(super) async fn entry(
        &self,
        probe: &Throwaway,
        shape: &Shape,
        image: &ImageFacts,
    ) -> Result<Entry, EngineError> {
        let look = async |path: &str| probe.look(path).await;
        let (path, bytes) = match image::find(shape, image, look).await? {
            Entry::There(path, bytes) => (path, bytes),
            other => return Ok(other),
        };
        let board = self.agent.shared.borrow().platform.clone();
        let board = board.filter(|_| !userland::runs_others()).map(|(board, _)| board);
        let case = Case { shape, image, board: board.as_ref() };
        let read = async |path: &str, most: usize| probe.head(path, most).await;
        program::judge(&case, &path, bytes, look, read).await
    }

    /// Who it runs as.
    async fn user(
        &self,
        spec: &Spec,
        image: &ImageFacts,
        files: &UserFiles,
    ) -> Result<Owner, Fault> {
        let shape = &spec.definition.shape;
        let says = ImageUsers {
            user: &image.user,
            passwd: files.passwd.as_deref(),
            group: files.group.as_deref(),
        };
        let kept = candidate::kept_user(&spec.definition, self.world.record.current.as_ref());
        self.warn_of_change(kept, says, shape.allow_root);
        let is_mapped = self.agent.map_base().is_some();
        match users::choose(&shape.user, shape.allow_root, says, kept, is_mapped) {
            Ok(Chosen::Numbers(owner)) => Ok(owner),
            Ok(Chosen::Pool) => {
                let uid = self.agent.volumes.assign_pool_uid(&self.app.name).await?;
                Ok(Owner { uid, gid: uid })
            }
            Err(fault) => Err(refused(&fault)),
        }
    }

    /// An image whose USER changes is a warning, not a change.
    fn warn_of_change(&self, kept: Option<Owner>, says: ImageUsers<'_>, allow_root: bool) {
        let now = users::of_image(says, allow_root).ok();
        let mut memory = self.app.memory.borrow_mut();
        let changed = match (kept, now) {
            (Some(kept), Some(now)) if kept != now && now.uid != 0 => Some((kept, now)),
            _ => None,
        };
        let Some((kept, now)) = changed else {
            memory.warnings.remove(&Code::UserChanged);
            return;
        };
        let message = format!(
            "its image's USER is {now} now; it goes on as {kept}, to which its volumes belong"
        );
        let hint = format!("to follow the image: user = \"{now}\"");
        let reason = Reason::new(Code::UserChanged, Class::Release, message, hint, clock::wall());
        memory.warnings.insert(Code::UserChanged, reason);
    }
}

fn refused(fault: &UserFault) -> Fault {
    let (code, class) = match fault {
        UserFault::Root { .. } | UserFault::NotMapped => (Code::NeedsRootStart, Class::Config),
        UserFault::NoUser(_) | UserFault::NoGroup(_) | UserFault::Number(_) => {
            (Code::NotRunnable, Class::Release)
        }
    };
    Fault::new(code, class, fault.to_string(), fault.hint())
}

fn covered(image: &ImageFacts, spec: &Spec) -> Result<(), Fault> {
    let missing = image::uncovered(&image.volumes, &spec.definition.shape);
    let Some(first) = missing.first() else {
        return Ok(());
    };
    let message = format!(
        "the image has VOLUME {}, and no volume of the definition is there",
        missing.join(", ")
    );
    let hint = format!(
        "under [volumes] add it to data = [\"{first}\"] to keep it for good, to state = [\"{first}\"] to have it go \
         back with a rollback, or to scratch = [\"{first}\"] to lose it"
    );
    Err(Fault::new(Code::UndeclaredVolume, Class::Config, message, hint))
}

fn judge_entry(entry: &Entry) -> Result<(), Fault> {
    let message = match entry {
        Entry::Fine | Entry::There(..) | Entry::Damaged(_) => return Ok(()),
        Entry::NoCommand => "the image names no command to run".to_owned(),
        Entry::Missing(path) => format!("its entry point {path} is not in the image"),
        Entry::NotExecutable(path) => format!("its entry point {path} may be executed by nobody"),
        Entry::Foreign(what) => format!("{what}, which this board's processor can't run"),
        Entry::NoLoader(what) => format!("{what} is not in the image"),
    };
    let hint =
        "a corrected release is taken by itself; or set entrypoint or command in the definition";
    Err(Fault::new(Code::NotRunnable, Class::Release, message, hint))
}

/// A small text of the image; null where there is none that can be read.
async fn text(probe: &Throwaway, path: &str) -> Result<Option<String>, Fault> {
    match probe.file(path, USERS_BYTES_MAX).await {
        Ok(bytes) => Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
        Err(EngineError::Garbled { detail, .. }) => {
            log::warn!("{path} of an image can't be read: {detail}");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Numbers of the board's groups. The only look-ups that may ask a network, so they have a thread of their own.
async fn groups(names: &[String]) -> Result<Vec<u32>, Fault> {
    let mut numbers = Vec::new();
    for name in names {
        if let Ok(number) = name.parse::<u32>() {
            numbers.push(number);
            continue;
        }
        let asked = name.clone();
        let found =
            tokio::task::spawn_blocking(move || nix::unistd::Group::from_name(&asked)).await;
        match found {
            Ok(Ok(Some(group))) => numbers.push(group.gid.as_raw()),
            Ok(Ok(None)) => {
                let message = format!("the board has no group \"{name}\"");
                let hint = "name a group of this board in groups, or its number: getent group";
                return Err(Fault::new(Code::ConfigInvalid, Class::Config, message, hint));
            }
            Ok(Err(errno)) => return Err(looked_up(name, &errno.to_string())),
            Err(error) => return Err(looked_up(name, &error.to_string())),
        }
    }
    Ok(numbers)
}

fn looked_up(name: &str, error: &str) -> Fault {
    let message = format!("group \"{name}\" could not be looked up: {error}");
    Fault::new(Code::ConfigInvalid, Class::Environment, message, "name it by its number in groups")
}
