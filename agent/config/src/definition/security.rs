//! Rights that an app gets back after all were taken, and devices.

use std::collections::BTreeMap;

use super::process::{flat, scalar};
use super::twice;
use crate::faults::quote;
use crate::nearest;
use crate::paths::absolute;
use crate::table::Table;

/// Capabilities of Linux up to 6.x (capabilities(7)).
const CAPABILITIES: [&str; 41] = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

pub(super) fn capabilities(top: &Table<'_>) -> Vec<String> {
    const EXAMPLE: &str = "[\"NET_BIND_SERVICE\"]";
    let mut list: Vec<String> = Vec::new();
    let Some(field) = top.get("capabilities") else {
        return list;
    };
    for item in field.list(EXAMPLE).unwrap_or_default() {
        let Some(text) = item.text(EXAMPLE) else {
            continue;
        };
        let upper = text.to_uppercase();
        let name = upper.strip_prefix("CAP_").unwrap_or(&upper).to_string();
        if name == "ALL" {
            item.wrong(
                "\"capabilities\": \"ALL\" is not taken",
                "name each that the app needs, as in capabilities = [\"NET_ADMIN\"]",
            );
        } else if !CAPABILITIES.contains(&name.as_str()) {
            let hint = nearest::hint(&name, &CAPABILITIES, "capability");
            item.wrong(format!("\"capabilities\": {} is no capability", quote(text)), hint);
        } else if !twice(&list, &name, &item, &quote(&name)) {
            list.push(name);
        }
    }
    list
}

pub(super) fn devices(top: &Table<'_>) -> Vec<String> {
    const EXAMPLE: &str = "[\"/dev/i2c-1\"]";
    let mut list: Vec<String> = Vec::new();
    let Some(field) = top.get("devices") else {
        return list;
    };
    for item in field.list(EXAMPLE).unwrap_or_default() {
        let Some(text) = item.text(EXAMPLE) else {
            continue;
        };
        if let Some((device, _)) = text.split_once(':') {
            let message = format!("\"devices\": {} names more than the device", quote(text));
            item.wrong(
                message,
                format!("a device has the same path inside: write {}", quote(device)),
            );
            continue;
        }
        if !text.starts_with('/') {
            let device = quote(&format!("/dev/{text}"));
            let message = format!("\"devices\": {} is no path of a device", quote(text));
            item.wrong(message, format!("write the whole path, as in {device}"));
            continue;
        }
        let Some(path) = absolute(&item, EXAMPLE) else {
            continue;
        };
        if !path.starts_with("/dev/") {
            let hint = format!("devices lie below /dev, as in devices = {EXAMPLE}");
            item.wrong(format!("\"devices\": {} is no device", quote(&path)), hint);
        } else if !twice(&list, &path, &item, &quote(&path)) {
            list.push(path);
        }
    }
    list
}

/// Kernel settings that belong to a namespace of the container (the engine's own list).
const IPC_SYSCTLS: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

pub(super) fn sysctls(top: &Table<'_>, network: &str) -> BTreeMap<String, String> {
    const EXAMPLE: &str = "{ \"net.core.somaxconn\" = 1024 }";
    let mut sysctls = BTreeMap::new();
    let Some(table) = top.get("sysctls").and_then(|f| f.free_table(EXAMPLE)) else {
        return sysctls;
    };
    for (key, field) in flat(&table, "") {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
        let is_net = key.starts_with("net.");
        let is_known =
            is_net || key.starts_with("fs.mqueue.") || IPC_SYSCTLS.contains(&key.as_str());
        if !is_known || !key.chars().all(plain) || key.contains("..") || key.ends_with('.') {
            field.wrong_key(
                format!("\"sysctls\": {} is no setting of a container's own", quote(&key)),
                "net.*, fs.mqueue.* and the kernel.* of messages, semaphores and shared memory are; others are the board's",
            );
        } else if is_net && network == "host" {
            field.wrong_key(
                format!("\"sysctls\": {} belongs to the network, and network = \"host\" is the board's own", quote(&key)),
                "set it on the board, in /etc/sysctl.d",
            );
        } else if field.value.is_bool() {
            field.wrong_type("text or a number", "1");
        } else if let Some(value) = scalar(&field, "text or a number", "1024") {
            if value.is_empty() || value.chars().any(char::is_control) {
                field.wrong(
                    format!("\"sysctls\": {} has no value on one line", quote(&key)),
                    "for example: \"net.core.somaxconn\" = 1024",
                );
            } else {
                sysctls.insert(key, value);
            }
        }
    }
    sysctls
}
