//! What an app has on the board, to be compared with exactly what it should have.

use crate::app::App;
use crate::wait::wait_until;
use crate::{Container, SOON};
use serde_json::Value;

/// Where the agent's own tags lie.
const OWN_TAGS: &str = "titania-agent.local/";

/// All that the agent made for one app, but volumes of data and the room it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Names of containers, of throw-away ones too.
    pub containers: Vec<String>,
    /// Names in the folder of its forks: folders, their files, markers.
    pub forks: Vec<String>,
    /// Its images by the agent's tag.
    pub images: Vec<String>,
    /// Ids of images without a tag of the agent's: nobody can say whose they are.
    pub strays: Vec<String>,
}

impl Kept {
    /// What `app` should have: containers, forks (each with its file) and images of these generations.
    pub fn of(app: &str, containers: &[u64], forks: &[u64], images: &[u64]) -> Self {
        let mut files: Vec<String> =
            forks.iter().flat_map(|fork| [fork.to_string(), format!("{fork}.json")]).collect();
        files.sort();
        let mut images: Vec<String> =
            images.iter().map(|number| format!("{OWN_TAGS}{app}:g{number}")).collect();
        images.sort();
        Self {
            containers: containers.iter().map(|number| format!("{app}-g{number}")).collect(),
            forks: files,
            images,
            strays: Vec::new(),
        }
    }

    /// And the file of a fork that is gone itself: that of the highest number always stays.
    #[must_use]
    pub fn and_file(mut self, fork: u64) -> Self {
        self.forks.push(format!("{fork}.json"));
        self.forks.sort();
        self
    }
}

impl App<'_> {
    /// What it has now.
    pub fn kept(&self) -> Kept {
        let engine = self.board().engine();
        let own = format!("{}-", self.name());
        let mut containers: Vec<String> = engine.containers().iter().map(Container::name).collect();
        containers.retain(|name| name.starts_with(&own));
        let mut kept =
            Kept { containers, forks: self.fork_names(), images: Vec::new(), strays: Vec::new() };
        for image in engine.images() {
            let tags = image["RepoTags"].as_array().into_iter().flatten();
            let tags: Vec<&str> = tags.filter_map(Value::as_str).collect();
            if !tags.iter().any(|tag| tag.starts_with(OWN_TAGS)) {
                kept.strays.push(image["Id"].as_str().unwrap_or_default().to_owned());
            }
            let of_app = format!("{OWN_TAGS}{}:", self.name());
            let own = tags.into_iter().filter(|tag| tag.starts_with(&of_app));
            kept.images.extend(own.map(str::to_owned));
        }
        kept.images.sort();
        kept
    }

    /// Waits until it has exactly this: what is no longer needed goes after an outcome is told.
    #[track_caller]
    pub fn wait_kept(&self, wanted: &Kept) {
        wait_until(SOON, &format!("{} to keep exactly {wanted:#?}", self.name()), || {
            let kept = self.kept();
            match kept == *wanted {
                true => Ok(()),
                false => Err(format!("{kept:#?}")),
            }
        });
    }

    /// Names in the folder of its forks, but for the room that the agent keeps there.
    pub fn fork_names(&self) -> Vec<String> {
        let list = std::fs::read_dir(self.folder().join("state"));
        let names = list.into_iter().flatten().flatten();
        let mut names: Vec<String> =
            names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.retain(|name| name != ".room");
        names.sort();
        names
    }

    /// Highest generation that it ever had, by its forks' files.
    pub fn highest(&self) -> u64 {
        let names = self.fork_names();
        let numbers = names.iter().filter_map(|name| name.strip_suffix(".json")?.parse().ok());
        numbers.max().unwrap_or(0)
    }
}
