//! Paths as text: absolute, plain, without a way out of the folder they name.

use crate::faults::quote;
use crate::table::Field;

/// Longest path, in bytes (Linux: PATH_MAX is 4096 with its final zero byte).
const PATH_BYTES_MAX: usize = 4095;

/// Longest name of one file or folder, in bytes (Linux: NAME_MAX).
pub(crate) const NAME_BYTES_MAX: usize = 255;

/// An absolute path without `.`, `..` and doubled slashes; one slash at its end is dropped.
pub(crate) fn absolute(field: &Field<'_>, example: &str) -> Option<String> {
    plain(field, field.text(example)?)
}

/// The same for a part of a text.
pub(crate) fn plain(field: &Field<'_>, text: &str) -> Option<String> {
    let name = &field.name;
    if !text.starts_with('/') {
        let message = format!("\"{name}\": the path {} does not start with /", quote(text));
        let hint = match text {
            "" => "write the whole path".to_string(),
            _ => format!("write the whole path, as in {}", quote(&format!("/{text}"))),
        };
        field.wrong(message, hint);
        return None;
    }
    let path = if text.len() > 1 { text.strip_suffix('/').unwrap_or(text) } else { text };
    let parts = || path.split('/').skip(1);
    if parts().any(|part| part == "..") {
        let message = format!("\"{name}\": the path {} has \"..\" in it", quote(text));
        field.wrong(message, "write the path that is meant, without \"..\"");
        return None;
    }
    if path != "/" && parts().any(|part| matches!(part, "" | ".")) {
        let clean: Vec<&str> = parts().filter(|part| !matches!(*part, "" | ".")).collect();
        let message =
            format!("\"{name}\": the path {} has an empty part or \".\" in it", quote(text));
        field.wrong(message, format!("write {}", quote(&format!("/{}", clean.join("/")))));
        return None;
    }
    if path.len() > PATH_BYTES_MAX || parts().any(|part| part.len() > NAME_BYTES_MAX) {
        let message = format!("\"{name}\": the path {} is too long", quote(text));
        field.wrong(
            message,
            format!("{PATH_BYTES_MAX} bytes in all, {NAME_BYTES_MAX} between two slashes"),
        );
        return None;
    }
    Some(path.to_string())
}

/// Whether `inner` is `outer` or lies below it.
pub(crate) fn is_inside(inner: &str, outer: &str) -> bool {
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || outer == "/")
}
