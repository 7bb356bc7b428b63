//! A volume root of a test, and specifications for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use titania_core::definition::{DataVolume, Definition, Health, Shape, Update};
use titania_core::digest::Digest;
use titania_core::fork::ForkFile;
use titania_core::names::{Generation, Owner};
use titania_core::release::Release;
use titania_core::spec::Spec;
use titania_core::track::Track;

use super::forks;
use super::paths::{Place, System};
use super::root::ID_FILE;
use crate::scratch::Scratch;

/// An id.
pub const ID: &str = "01234567-89ab-4cde-8f01-23456789abcd";

/// A root that is the board's own, and one app's places under it.
pub struct Board {
    pub place: Place,
    scratch: Scratch,
}

impl Board {
    pub fn new() -> Self {
        Self::on(Scratch::new())
    }

    pub fn on(scratch: Scratch) -> Self {
        let root = scratch.path().join("volumes");
        fs::create_dir(&root).unwrap();
        fs::write(root.join(ID_FILE), format!("{ID}\n")).unwrap();
        Self { place: Place::new(&root, &"wallet".parse().unwrap()), scratch }
    }

    /// A folder beside the root.
    pub fn outside(&self) -> &Path {
        self.scratch.path()
    }

    /// Files of a board without users and mounts, in `outside`.
    pub fn system(&self) -> System {
        let at = |name: &str| self.scratch.path().join(name);
        System {
            mountinfo: at("mountinfo"),
            fstab: at("fstab"),
            units: vec![at("etc-units"), at("lib-units")],
            passwd: vec![at("passwd"), at("group")],
            ranges: vec![at("subuid")],
        }
    }

    /// Reserves a fork of `parent` with the state at `/wallet`.
    pub fn reserve(&self, generation: u64, parent: Option<u64>) -> ForkFile {
        self.reserve_with(generation, parent, spec(&["/wallet"], &[]))
    }

    pub fn reserve_with(&self, generation: u64, parent: Option<u64>, spec: Spec) -> ForkFile {
        let file = file(generation, parent, spec);
        forks::reserve(&self.place, &file).unwrap();
        file
    }

    /// A complete fork, with the state at `/wallet`.
    pub fn complete(&self, generation: u64) -> PathBuf {
        let file = self.reserve(generation, None);
        forks::finish(&self.place, Generation(generation), None, file.spec, OWNER).unwrap();
        self.place.fork(Generation(generation)).join("wallet")
    }
}

/// A fork's file.
pub fn file(generation: u64, parent: Option<u64>, spec: Spec) -> ForkFile {
    ForkFile {
        schema: 1,
        parent: parent.map(Generation),
        generation: Generation(generation),
        config: None,
        definition: spec.hash,
        uid: None,
        gid: None,
        spec: Arc::new(spec),
        parent_started_at: None,
        mark: None,
    }
}

/// A data volume of the app's own.
pub fn data(path: &str) -> DataVolume {
    DataVolume { path: path.to_owned(), source: None, mounted: false, read_only: false, own: true }
}

/// A data volume of another's.
pub fn source(path: &str, source: &Path) -> DataVolume {
    DataVolume { source: Some(source.to_str().unwrap().to_owned()), own: false, ..data(path) }
}

/// A specification that runs as 1234:5678.
pub fn spec(state: &[&str], data: &[DataVolume]) -> Spec {
    let mut shape = Shape::of("docker.io/skycoin/skycoin:release".parse().unwrap());
    shape.volumes.state = state.iter().map(ToString::to_string).collect();
    shape.volumes.data = data.to_vec();
    Spec {
        hash: shape.hash(),
        definition: Definition {
            shape,
            track: Track::Tag("release".to_owned()),
            after: Vec::new(),
            health: Health::default(),
            update: Update::default(),
        },
        release: Release { config: Some(Digest::of(b"config")), ..Release::default() },
        user: Some(OWNER),
        groups: Vec::new(),
    }
}

/// Who it runs as.
pub const OWNER: Owner = Owner { uid: 1234, gid: 5678 };

/// All names below `folder`, sorted, without following links.
pub fn names(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(at) = todo.pop() {
        for entry in fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap();
            found.push(name.to_str().unwrap().to_owned());
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                todo.push(path);
            }
        }
    }
    found.sort();
    found
}
