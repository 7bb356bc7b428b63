//! What may lie on the board when an update has ended and its leftovers were tidied away: exactly what the
//! product promises to keep with `keep = 0`.

use super::scene::{APP, Scene};
use crate::kept::Kept;
use crate::vm::Look;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// All that is too much, or missing.
pub fn complaints(scene: &Scene, look: &Look) -> Vec<String> {
    let record = look.record();
    let number = |release: &str| record[release]["generation"].as_u64();
    let Some(current) = number("current") else {
        return vec!["no current release".to_owned()];
    };
    let kept = scene.app.kept();
    let mut wanted: Vec<u64> = number("previous").into_iter().chain([current]).collect();
    let images = wanted.clone();
    wanted.extend(newest_failed(&marks(scene)));
    wanted.sort_unstable();
    wanted.dedup();
    let mut expected = Kept::of(APP, &[current], &wanted, &images);
    let highest = scene.app.highest();
    if !wanted.contains(&highest) {
        expected = expected.and_file(highest);
    }
    if scene.has_lost_images {
        let only = Kept::of(APP, &[], &[], &[current]).images;
        if kept.images == only {
            expected.images = only;
        }
    }
    let mut complaints = Vec::new();
    if kept != expected {
        complaints.push(format!("kept is {kept:#?}, should be {expected:#?}"));
    }
    complaints.extend(other_files(scene));
    complaints.extend(of_engine(scene));
    complaints
}

/// The forks' files, read.
fn marks(scene: &Scene) -> Vec<Value> {
    let folder = scene.app.folder().join("state");
    let names = scene.app.fork_names().into_iter().filter(|name| name.ends_with(".json"));
    let texts = names.filter_map(|name| std::fs::read_to_string(folder.join(name)).ok());
    texts.filter_map(|text| serde_json::from_str(&text).ok()).collect()
}

/// Of the failed ones that ran the newest is kept.
fn newest_failed(marks: &[Value]) -> Option<u64> {
    let failed =
        marks.iter().filter(|file| file["mark"]["kind"] == "failed" && file["mark"]["ran"] == true);
    failed.filter_map(|file| file["generation"].as_u64()).max()
}

/// Temporary files, and names that nobody should have made.
fn other_files(scene: &Scene) -> Vec<String> {
    let agent = scene.board.agent();
    let mut complaints = Vec::new();
    for folder in [agent.state(), agent.volumes()] {
        let mut found = Vec::new();
        walk(&folder, &mut found);
        let torn = found.into_iter().filter(|path| path.ends_with(".new") || path.contains(".tmp"));
        complaints.extend(torn.map(|path| format!("left over: {path}")));
    }
    let known = [format!("{APP}.json"), format!("{APP}.json.1"), format!("{APP}.room")];
    let sets = [
        (agent.state().join("apps"), BTreeSet::from(known)),
        (
            scene.app.folder(),
            BTreeSet::from(["data", "data.data.seeded", "state"].map(str::to_owned)),
        ),
    ];
    for (folder, known) in sets {
        let found = names(&folder);
        if !found.is_subset(&known) {
            complaints.push(format!("{}: {found:?}", folder.display()));
        }
    }
    complaints
}

fn names(folder: &Path) -> BTreeSet<String> {
    let list = std::fs::read_dir(folder).into_iter().flatten().flatten();
    list.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn walk(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&path, found);
        }
        found.push(path.to_string_lossy().into_owned());
    }
}

/// Volumes of the engine's own, second networks, throw-away containers.
fn of_engine(scene: &Scene) -> Vec<String> {
    let engine = scene.board.engine();
    let mut complaints = Vec::new();
    let volumes = engine.api("GET", "/volumes", &Value::Null).json();
    if volumes["Volumes"].as_array().is_some_and(|list| !list.is_empty()) {
        complaints.push(format!("volumes of the engine: {volumes}"));
    }
    let own = engine.networks().iter().filter(|one| one["Name"] == "titania").count();
    if own != 1 {
        complaints.push(format!("{own} networks of the agent's"));
    }
    let all = engine.containers();
    if all.len() != 1 {
        let names: Vec<String> = all.iter().map(crate::Container::name).collect();
        complaints.push(format!("containers: {names:?}"));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn of_failed_forks_the_newest_that_ran_is_kept() {
        let file = |generation: u64, mark: Value| json!({"generation": generation, "mark": mark});
        let marks = [
            file(1, json!({"kind": "committed", "count": 1})),
            file(2, json!({"kind": "failed", "ran": true})),
            file(3, json!({"kind": "failed", "ran": true})),
            file(4, json!({"kind": "failed", "ran": false})),
            file(5, Value::Null),
        ];
        assert_eq!(newest_failed(&marks), Some(3));
        assert_eq!(newest_failed(&marks[..1]), None);
    }
}
