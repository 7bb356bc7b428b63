//! Where things lie, what is mounted where, and whether it is there.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use titania_core::definition::DataVolume;
use titania_core::names::{AppName, Generation};
use titania_core::spec::Spec;

use super::error::{Absence, MissingSource, VolumesError};
use super::mounted::Mounted;
use super::tree::Meta;

/// Longest key in bytes: a name has at most 255, and markers are put around it.
pub const KEY_BYTES_MAX: usize = 200;

/// Files of the board that the room reads; another set in tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// What is mounted (proc(5)).
    pub mountinfo: PathBuf,
    /// What shall be mounted (fstab(5)).
    pub fstab: PathBuf,
    /// Folders of systemd's units, the one that counts first.
    pub units: Vec<PathBuf>,
    /// Files of users, `name:password:uid:…`, and groups.
    pub passwd: Vec<PathBuf>,
    /// Files of ranges of users, `name:first:count`, and groups.
    pub ranges: Vec<PathBuf>,
}

impl Default for System {
    fn default() -> Self {
        Self {
            mountinfo: "/proc/self/mountinfo".into(),
            fstab: "/etc/fstab".into(),
            units: [
                "/etc/systemd/system",
                "/run/systemd/system",
                "/run/systemd/generator",
                "/usr/lib/systemd/system",
                "/lib/systemd/system",
            ]
            .map(PathBuf::from)
            .to_vec(),
            passwd: ["/etc/passwd", "/etc/group"].map(PathBuf::from).to_vec(),
            ranges: ["/etc/subuid", "/etc/subgid"].map(PathBuf::from).to_vec(),
        }
    }
}

/// One bind mount of a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mount {
    /// Path on the board.
    pub source: PathBuf,
    /// Path in the container.
    pub target: String,
    /// Read-only in the container?
    pub read_only: bool,
}

/// The places of one app under the volume root.
#[derive(Clone, Debug)]
pub struct Place {
    root: PathBuf,
    app: AppName,
}

impl Place {
    /// The places of `app` under `root`.
    pub fn new(root: &Path, app: &AppName) -> Self {
        Self { root: root.to_owned(), app: app.clone() }
    }

    /// The volume root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The app.
    pub fn app(&self) -> &AppName {
        &self.app
    }

    /// The app's folder.
    pub fn folder(&self) -> PathBuf {
        self.root.join(self.app.as_str())
    }

    /// The folder of its forks.
    pub fn state(&self) -> PathBuf {
        self.folder().join("state")
    }

    /// The folder of its data volumes.
    pub fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// One fork's folder.
    pub fn fork(&self, generation: Generation) -> PathBuf {
        self.state().join(generation.to_string())
    }

    /// Something beside a fork's folder: `<fork>.<ending>`.
    pub fn beside_fork(&self, generation: Generation, ending: &str) -> PathBuf {
        self.state().join(format!("{generation}.{ending}"))
    }

    /// The fork's file.
    pub fn fork_file(&self, generation: Generation) -> PathBuf {
        self.beside_fork(generation, "json")
    }

    /// The marker of a fork that does not count yet.
    pub fn unfinished(&self, generation: Generation) -> PathBuf {
        self.beside_fork(generation, "unfinished")
    }

    /// A data volume's folder.
    pub fn data_volume(&self, key: &str) -> PathBuf {
        self.data().join(key)
    }

    /// A data volume's marker: beside `data`, so that no key can clash with it.
    pub fn data_marker(&self, key: &str, word: &str) -> PathBuf {
        self.folder().join(format!("data.{key}.{word}"))
    }

    /// The room kept for marks and markers.
    pub fn room(&self) -> PathBuf {
        self.state().join(".room")
    }
}

/// Name of the folder of a volume: its container path without the leading `/`, every other `/` as `-`.
///
/// # Errors
/// [`VolumesError::NoKey`].
pub fn key(path: &str) -> Result<String, VolumesError> {
    let no = |why| Err(VolumesError::NoKey { path: path.chars().take(200).collect(), why });
    let Some(rest) = path.strip_prefix('/') else {
        return no("it must begin with /");
    };
    if rest.is_empty() {
        return no("it must name a folder below /");
    }
    if rest.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return no("it has an empty part, or one that is . or ..");
    }
    if rest.contains('\0') {
        return no("it holds a NUL");
    }
    if rest.len() > KEY_BYTES_MAX {
        return no("it has more than 200 bytes");
    }
    Ok(rest.replace('/', "-"))
}

/// Folder on the board of a data volume.
pub(super) fn data_source(place: &Place, volume: &DataVolume) -> Result<PathBuf, VolumesError> {
    match &volume.source {
        Some(source) => Ok(PathBuf::from(source)),
        None => Ok(place.data_volume(&key(&volume.path)?)),
    }
}

/// Keys of a specification's state.
pub(super) fn state_keys(spec: &Spec) -> Result<Vec<String>, VolumesError> {
    let paths = &spec.definition.shape.volumes.state;
    paths.iter().map(|path| key(path)).collect()
}

/// Mounts of one generation: state, data, host mounts, in this order. Pure.
///
/// # Errors
/// [`VolumesError::NoKey`].
pub fn mounts(
    place: &Place,
    spec: &Spec,
    generation: Generation,
) -> Result<Vec<Mount>, VolumesError> {
    let shape = &spec.definition.shape;
    let fork = place.fork(generation);
    let mut mounts = Vec::new();
    for path in &shape.volumes.state {
        mounts.push(Mount {
            source: fork.join(key(path)?),
            target: path.clone(),
            read_only: false,
        });
    }
    for volume in &shape.volumes.data {
        mounts.push(Mount {
            source: data_source(place, volume)?,
            target: volume.path.clone(),
            read_only: volume.read_only,
        });
    }
    mounts.extend(shape.mounts.iter().map(|mount| Mount {
        source: PathBuf::from(&mount.host),
        target: mount.container.clone(),
        read_only: true,
    }));
    Ok(mounts)
}

/// Looks at each source right before create and start: the engine resolves paths anew at each start and follows
/// links, and Podman makes what is missing.
///
/// # Errors
/// [`VolumesError::SourcesMissing`] with all that are wrong.
pub fn check(
    place: &Place,
    system: &System,
    spec: &Spec,
    generation: Generation,
) -> Result<(), VolumesError> {
    let shape = &spec.definition.shape;
    let mut missing = Vec::new();
    let fork = place.fork(generation);
    for key in state_keys(spec)? {
        missing.extend(own_folder(place, &fork.join(&key)));
    }
    let mut mounted = None;
    for volume in &shape.volumes.data {
        let source = data_source(place, volume)?;
        if volume.source.is_none() {
            missing.extend(own_folder(place, &source));
            continue;
        }
        let mut absence = strangers(&source, true);
        if absence.is_none() && volume.mounted {
            let mounted = mounted.get_or_insert_with(|| Mounted::read(&system.mountinfo));
            absence = match mounted {
                Ok(mounted) if mounted.has(&source) => None,
                Ok(_) => Some(Absence::NotMounted),
                Err(_) => Some(Absence::Unreadable),
            };
        }
        missing.extend(absence.map(|why| MissingSource { path: source, why }));
    }
    for mount in &shape.mounts {
        let path = PathBuf::from(&mount.host);
        missing.extend(strangers(&path, false).map(|why| MissingSource { path, why }));
    }
    if missing.is_empty() { Ok(()) } else { Err(VolumesError::SourcesMissing(missing)) }
}

/// A folder under the root: no part of the way from the root is a link.
fn own_folder(place: &Place, path: &Path) -> Option<MissingSource> {
    let mut way = place.root().to_owned();
    for part in path.strip_prefix(place.root()).unwrap_or(path).components() {
        way.push(part);
        if let Some(why) = strangers(&way, true) {
            let path = match why {
                Absence::Nothing => path.to_owned(), // what shall be there, not what it would lie in
                _ => way,
            };
            return Some(MissingSource { path, why });
        }
    }
    None
}

/// A source of someone else's: links above it are theirs to set, it is none itself.
fn strangers(path: &Path, must_be_folder: bool) -> Option<Absence> {
    match Meta::at(path) {
        Ok(None) => Some(Absence::Nothing),
        Ok(Some(meta)) if meta.kind == rustix::fs::FileType::Symlink => Some(Absence::Link),
        Ok(Some(meta)) if must_be_folder && !meta.is_folder() => Some(Absence::NoFolder),
        Ok(Some(_)) => None,
        Err(_) => Some(Absence::Unreadable),
    }
}

/// Whether the root carries an instance id, so that folders may be made below it: it could have been unmounted
/// since it was looked at.
///
/// # Errors
/// [`VolumesError::SourcesMissing`] naming the root.
pub(super) fn ensure_root(place: &Place) -> Result<(), VolumesError> {
    let id = place.root().join(super::root::ID_FILE);
    match std::fs::symlink_metadata(&id) {
        Ok(seen) if seen.is_file() && seen.size() > 0 => Ok(()),
        _ => Err(VolumesError::SourcesMissing(vec![MissingSource {
            path: place.root().to_owned(),
            why: Absence::NotMounted,
        }])),
    }
}

#[cfg(test)]
mod tests;
