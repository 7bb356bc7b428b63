//! What an app keeps, and what it sees of the board.

use titania_core::definition::{DataVolume, HostMount, Volumes, volume_key};

use super::section;
use crate::faults::quote;
use crate::paths::{NAME_BYTES_MAX, absolute, is_inside, plain};
use crate::table::{Field, Table};

pub(super) const KEYS: [&str; 3] = ["state", "data", "scratch"];
pub(super) const DATA_KEYS: [&str; 5] = ["path", "source", "mounted", "read_only", "own"];

const PATH_EXAMPLE: &str = "\"/wallet\"";
const EXAMPLE: &str = "{ state = \"/wallet\" }";
const DATA_EXAMPLE: &str = "{ path = \"/media\", source = \"/mnt/usb/media\" }";
const MOUNT_EXAMPLE: &str = "[\"/etc/localtime:/etc/localtime\"]";

pub(super) fn volumes(top: &Table<'_>) -> Volumes {
    let Some(table) = section(top, "volumes", EXAMPLE) else {
        return Volumes::default();
    };
    let items = |key: &str| table.get(key).map(|f| f.one_or_list(PATH_EXAMPLE)).unwrap_or_default();
    let paths = |key: &str| -> Vec<_> {
        let with_path =
            items(key).into_iter().map(|item| (container_path(&item, PATH_EXAMPLE), item));
        with_path.filter_map(|(path, item)| Some((path?, item))).collect()
    };
    let state = paths("state");
    let data: Vec<_> = items("data")
        .into_iter()
        .filter_map(|item| data_volume(&item).map(|volume| (volume, item)))
        .collect();
    keys_apart(state.iter().map(|(path, item)| (path.as_str(), item)));
    let own = data.iter().filter(|(volume, _)| volume.source.is_none());
    keys_apart(own.map(|(volume, item)| (volume.path.as_str(), item)));
    Volumes {
        state: state.into_iter().map(|(path, _)| path).collect(),
        data: data.into_iter().map(|(volume, _)| volume).collect(),
        scratch: paths("scratch").into_iter().map(|(path, _)| path).collect(),
    }
}

/// A path in the container that something may be mounted on.
fn container_path(field: &Field<'_>, example: &str) -> Option<String> {
    mountable(field, absolute(field, example)?)
}

fn mountable(field: &Field<'_>, path: String) -> Option<String> {
    let taken = ["/proc", "/sys"].iter().any(|kernel| is_inside(&path, kernel));
    if taken || matches!(path.as_str(), "/" | "/dev") {
        let hint = "write the folder that the app writes to, as its image documents it";
        field
            .wrong(format!("\"{}\": nothing can be mounted on {}", field.name, quote(&path)), hint);
        return None;
    }
    Some(path)
}

fn data_volume(item: &Field<'_>) -> Option<DataVolume> {
    if item.value.is_str() {
        let path = container_path(item, PATH_EXAMPLE)?;
        return Some(DataVolume {
            path,
            source: None,
            mounted: false,
            read_only: false,
            own: true,
        });
    }
    if !item.value.is_table() {
        item.wrong_type("a path, a table, or a list of these", DATA_EXAMPLE);
        return None;
    }
    let table = item.table(&DATA_KEYS, DATA_EXAMPLE, &|_| None)?;
    let path = table.required("path", "\"/media\"").and_then(|f| container_path(f, "\"/media\""));
    let source = table.get("source").map(|f| (f, absolute(f, "\"/mnt/usb/media\"")));
    let flag = |key: &str| table.get(key).and_then(|f| Some((f, f.flag()?)));
    let (mounted, read_only, own) = (flag("mounted"), flag("read_only"), flag("own"));
    if source.is_none() {
        if let Some((field, true)) = mounted {
            let hint = "add the folder of the board: source = \"/mnt/usb/media\"";
            field.wrong_key("\"mounted\" asks for a mount point, and there is no \"source\"", hint);
        }
        if let Some((field, false)) = own {
            let hint = "leave \"own\" out: a volume of the app's own belongs to it";
            field.wrong_key("\"own\" is false, and there is no \"source\"", hint);
        }
    }
    if let Some((field, Some(path))) = &source
        && path == "/"
    {
        field.wrong("\"source\" is the whole board", "name the folder that the app needs");
    }
    let has_source = source.is_some();
    let value = |flag: Option<(&Field<'_>, bool)>| flag.map(|(_, value)| value);
    Some(DataVolume {
        path: path?,
        source: source.and_then(|(_, path)| path),
        mounted: value(mounted).unwrap_or(false),
        read_only: value(read_only).unwrap_or(false),
        own: value(own).unwrap_or(!has_source),
    })
}

/// `/host:/container`, always read-only.
pub(super) fn mounts(top: &Table<'_>) -> Vec<HostMount> {
    let Some(field) = top.get("mounts") else {
        return Vec::new();
    };
    field.list(MOUNT_EXAMPLE).unwrap_or_default().iter().filter_map(mount).collect()
}

fn mount(item: &Field<'_>) -> Option<HostMount> {
    let text = item.text(MOUNT_EXAMPLE)?;
    let parts: Vec<&str> = text.split(':').take(4).collect();
    let (host, container) = match parts.as_slice() {
        [host, container] => (*host, *container),
        [_, _, "ro"] => {
            let hint = "leave \":ro\" out: mounts are always read-only";
            item.wrong(format!("\"mounts\": {} has an option", quote(text)), hint);
            return None;
        }
        [host, container, "rw"] => {
            let hint = format!(
                "mounts are always read-only; to write, add [volumes] data = {{ path = {}, source = {} }}",
                quote(container),
                quote(host)
            );
            item.wrong(format!("\"mounts\": {} asks for writing", quote(text)), hint);
            return None;
        }
        _ => {
            let hint = format!("for example: mounts = {MOUNT_EXAMPLE}");
            item.wrong(format!("\"mounts\": {} is no /host:/container", quote(text)), hint);
            return None;
        }
    };
    let host = plain(item, host);
    let container = plain(item, container).and_then(|path| mountable(item, path));
    Some(HostMount { host: host?, container: container? })
}

/// Tells every path in the container that is, or lies inside, another one.
pub(super) fn apart(top: &Table<'_>) {
    let mut all: Vec<(String, Field<'_>)> = Vec::new();
    let table = top
        .get("volumes")
        .and_then(|f| f.value.is_table().then(|| f.free_table(EXAMPLE)).flatten());
    for key in KEYS {
        let Some(field) = table.as_ref().and_then(|table| table.get(key)) else {
            continue;
        };
        for item in field.one_or_list(PATH_EXAMPLE) {
            let path = match item.value.as_table() {
                Some(_) => item.free_table(DATA_EXAMPLE).and_then(|t| t.get("path").cloned()),
                None => Some(item),
            };
            if let Some((text, field)) = path.and_then(|f| Some((f.value.as_str()?.to_string(), f)))
            {
                all.push((text, field));
            }
        }
    }
    for item in top
        .get("mounts")
        .filter(|f| f.value.is_array())
        .and_then(|f| f.list(MOUNT_EXAMPLE))
        .unwrap_or_default()
    {
        if let Some((_, container)) = item.value.as_str().and_then(|text| text.split_once(':')) {
            all.push((container.to_string(), item.clone()));
        }
    }
    for (place, (inner, field)) in all.iter().enumerate() {
        let inner = inner.trim_end_matches('/');
        for (other, (outer, outer_field)) in all.iter().enumerate() {
            let outer = outer.trim_end_matches('/');
            let is_equal = inner == outer;
            if place == other
                || inner.is_empty()
                || outer.is_empty()
                || (is_equal && other > place)
                || !is_inside(inner, outer)
            {
                continue;
            }
            if is_equal {
                let message = format!(
                    "\"{}\": the path {} is taken by \"{}\"",
                    field.name,
                    quote(inner),
                    outer_field.name
                );
                field.wrong(message, "name each path once");
            } else {
                let message = format!(
                    "\"{}\": the path {} lies inside {} of \"{}\"",
                    field.name,
                    quote(inner),
                    quote(outer),
                    outer_field.name
                );
                field.wrong(
                    message,
                    format!(
                        "leave it out: it is kept with {}; or choose a path outside",
                        quote(outer)
                    ),
                );
            }
        }
    }
}

/// Tells two paths that would get one folder on the board.
fn keys_apart<'f, 'a: 'f>(paths: impl Iterator<Item = (&'f str, &'f Field<'a>)>) {
    let mut seen: Vec<(String, &str)> = Vec::new();
    for (path, field) in paths {
        let key = volume_key(path);
        if key.len() > NAME_BYTES_MAX {
            let message = format!(
                "\"{}\": the path {} is too long for the name of a folder",
                field.name,
                quote(path)
            );
            field.wrong(message, format!("{NAME_BYTES_MAX} bytes at most"));
            continue;
        }
        match seen.iter().find(|(other, before)| *other == key && *before != path) {
            Some((_, before)) => field.wrong(
                format!(
                    "\"{}\": {} and {} would share the folder {} on the board",
                    field.name,
                    quote(before),
                    quote(path),
                    quote(&key)
                ),
                "'/' is written '-' there: choose another path for one of them",
            ),
            None => seen.push((key, path)),
        }
    }
}
