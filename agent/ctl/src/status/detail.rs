//! More about one app, for who asked for it by name.

use crate::view::{App, Release, Status, short_digest};
use crate::words::{age, bytes, clean, span};

/// Lines: what stands before the text, and the text.
pub(super) fn lines(status: &Status, app: &App) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut put = |name: &str, text: String| lines.push((format!("  {name:11} "), clean(&text)));
    if let Some(current) = &app.current {
        let proven = if app.proven { "" } else { ", not proven yet" };
        put("current", format!("{}{proven}", long(current)));
    }
    if let Some(candidate) = &app.candidate {
        put("candidate", long(candidate));
    }
    if let Some(previous) = &app.previous {
        put("previous", long(previous));
    }
    if let Some(container) = &app.container {
        let user =
            container.user.as_deref().map_or_else(String::new, |user| format!(", user {user}"));
        let restarts = match container.restarts {
            0 => String::new(),
            1 => ", restarted once".into(),
            count => format!(", restarted {count} times"),
        };
        put("container", format!("{} {}{user}{restarts}", container.name, container.state));
    }
    put("health", app.health.clone());
    if let Some(file) = &app.definition.file {
        put("definition", file.clone());
    }
    for snapshot in &app.snapshots {
        let since =
            age(status.at, snapshot.at).map_or_else(String::new, |age| format!(", {age} old"));
        let size = bytes(snapshot.bytes);
        put("snapshot", format!("g{}: {}, {size}{since}", snapshot.fork, snapshot.kind));
    }
    if let Some(last) = app.last.as_ref().filter(|last| last.outcome == "committed") {
        let since =
            age(status.at, last.ended_at).map_or_else(String::new, |age| format!(" {age} ago"));
        let down = last.down_ms.map_or_else(String::new, |ms| format!(", down for {}", span(ms)));
        put("last", format!("{} committed{since}{down}", last.id));
    }
    lines
}

/// `docker.io/a/b:release, 0.26.1, 555555555555, linux/arm/v7`
fn long(release: &Release) -> String {
    let image = match (&release.repository, &release.tag) {
        (Some(repository), Some(tag)) => Some(format!("{repository}:{tag}")),
        (Some(repository), None) => Some(repository.clone()),
        (None, tag) => tag.clone(),
    };
    let digest = release.config.as_deref().map(short_digest);
    let parts = [image, release.version.clone(), digest, release.platform.clone()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
