//! `image`, `track` and `arch_tags`: what is wanted.

use titania_core::reference::{Reference, Repository, is_tag};
use titania_core::track::{self, Track};

use super::section;
use crate::faults::quote;
use crate::nearest;
use crate::table::{Field, Table};

pub(super) const TRACK_KEYS: [&str; 2] = ["semver", "pattern"];

const EXAMPLE: &str = "\"docker.io/library/nginx:1.27\"";
const TRACK_EXAMPLE: &str = "{ semver = \">=0.26, <0.28\" }";

/// The reference and its track; `None` when faults were told.
pub(super) fn image(top: &Table<'_>) -> Option<(Reference, Track)> {
    arch_tags(top);
    let has_track = top.get("track").is_some();
    let range = semver(top);
    let field = top.required("image", EXAMPLE)?;
    let text = field.text(EXAMPLE)?;
    let reference: Reference = match text.parse() {
        Ok(reference) => reference,
        Err(error) => {
            field.wrong(
                format!("\"image\": {} is no image reference: {error}", quote(text)),
                better(text),
            );
            return None;
        }
    };
    let both = |what: String| {
        let bare = reference.repository.to_string();
        field.wrong(
            format!("\"image\" names {what}, and there is a \"track\" as well"),
            format!("leave \"track\" out, or write the bare repository: image = {}", quote(&bare)),
        );
    };
    match (&reference.digest, &reference.tag, has_track) {
        (Some(digest), _, true) => both(format!("the digest {digest}")),
        (None, Some(tag), true) => both(format!("the tag {}", quote(tag))),
        (Some(_), _, false) => return Some((reference, Track::Pinned)),
        (None, Some(tag), false) => {
            let track = Track::Tag(tag.clone());
            return Some((reference, track));
        }
        (None, None, true) => return Some((reference, Track::Semver(range?))),
        (None, None, false) => field.wrong(
            format!(
                "\"image\": {} has neither a tag nor a digest, and there is no \"track\"",
                quote(text)
            ),
            format!(
                "write image = {} for a tag that moves, or add track = {{ semver = \">=1\" }}",
                quote(&format!("{text}:latest"))
            ),
        ),
    }
    None
}

/// What the rest is read with where there is no image: never leaves this crate.
pub(super) fn stand_in() -> (Reference, Track) {
    let repository = Repository { host: String::new(), path: String::new() };
    (Reference { repository, tag: None, digest: None }, Track::Pinned)
}

/// The reference that was probably meant.
fn better(text: &str) -> String {
    let bare = text.split_once("://").map_or(text, |(_, rest)| rest).trim();
    let lower = bare.to_lowercase();
    for guess in [bare, lower.as_str()] {
        if guess != text && guess.parse::<Reference>().is_ok() {
            return format!("did you mean {}?", quote(guess));
        }
    }
    format!("write host/repository:tag, as in {EXAMPLE}")
}

/// The range of `track`, checked.
fn semver(top: &Table<'_>) -> Option<String> {
    let table = section(top, "track", TRACK_EXAMPLE)?;
    match (table.get("semver"), table.get("pattern")) {
        (Some(_), Some(pattern)) => {
            pattern.wrong_key(
                "\"track\" has both \"semver\" and \"pattern\"",
                "leave one of them out",
            );
            None
        }
        (Some(field), None) => {
            let text = field.text("\">=0.26, <0.28\"")?;
            match track::range(text) {
                Ok(()) => Some(text.to_string()),
                Err(error) => {
                    let hint =
                        "write comparisons with commas between them, as in \">=0.26, <0.28\"";
                    field.wrong(
                        format!(
                            "\"track.semver\": {} is no range of versions: {error}",
                            quote(text)
                        ),
                        hint,
                    );
                    None
                }
            }
        }
        (None, Some(field)) => {
            field.text("\"^v(\\\\d+)$\"")?;
            field.refused("write a tag that moves in \"image\", or track = { semver = \">=1\" }");
            None
        }
        (None, None) => {
            table.wrong("\"track\" is empty", format!("for example: track = {TRACK_EXAMPLE}"));
            None
        }
    }
}

/// Checked, then refused: its room comes later.
fn arch_tags(top: &Table<'_>) {
    const EXAMPLE: &str = "[\"{tag}-arm32v7\"]";
    let Some(field) = top.get("arch_tags") else {
        return;
    };
    let Some(items) = field.list(EXAMPLE) else {
        return;
    };
    let good = |item: &Field<'_>| {
        let Some(text) = item.text(EXAMPLE) else {
            return false;
        };
        let is_good = text.contains("{tag}") && is_tag(&text.replace("{tag}", "1"));
        if !is_good {
            let hint =
                nearest::hint(text, &["{tag}-arm32v7", "{tag}-arm32v6", "{tag}-arm64v8"], "form");
            item.wrong(
                format!("\"arch_tags\": {} is no tag with {{tag}} in it", quote(text)),
                hint,
            );
        }
        is_good
    };
    // Every item is looked at, whatever the one before it was.
    if items.iter().filter(|item| !good(item)).count() == 0 {
        field.refused("write the tag of this board's architecture in \"image\"");
    }
}
