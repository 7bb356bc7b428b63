//! What an engine's no means. The one place that reads an engine's prose.
//!
//! The texts are those of Docker Engine 20.10, 26.1 and 28.5, and of Podman 4.3. Order counts: a
//! mount that failed also says "no such file", and Podman ends every such text with "command not found".

use serde::Deserialize;

use super::error::{EngineError, Refusal};

/// Longest message kept: runc nests the same text some five times.
const MESSAGE_CHARS_MAX: usize = 2000;

#[derive(Deserialize)]
struct Said {
    message: String,
}

/// The message of an error's body: its JSON field, else the text itself.
pub(super) fn message(body: &[u8]) -> String {
    let text = serde_json::from_slice::<Said>(body)
        .map_or_else(|_| String::from_utf8_lossy(body).trim().to_string(), |said| said.message);
    shorten(&text)
}

/// At most so many characters, without line ends.
pub(super) fn shorten(text: &str) -> String {
    text.trim()
        .chars()
        .take(MESSAGE_CHARS_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// The error for an answer of `status` with `message` to `act`.
pub(super) fn of(act: &str, status: u16, message: &str) -> EngineError {
    let act = act.to_string();
    let message = shorten(message);
    let refusal = of_text(&message);
    match (status, refusal) {
        (_, Some(refusal)) => EngineError::Refused { act, refusal, message },
        (404, None) => EngineError::NoSuch { act, message },
        (409, None) => EngineError::Conflict { act, message },
        // Podman answers 500 where a name is taken.
        (500, None) if message.contains("is already in use") => {
            EngineError::Conflict { act, message }
        }
        (400, None) => EngineError::Refused { act, refusal: Refusal::Definition, message },
        _ => EngineError::Refused { act, refusal: Refusal::Engine, message },
    }
}

/// What a text says was refused; null when it is none that is known.
pub(super) fn of_text(message: &str) -> Option<Refusal> {
    let text = message.to_ascii_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if any(&["no space left on device", "disk quota exceeded"]) {
        return Some(Refusal::DiskFull);
    }
    if any(&["port is already allocated", "address already in use", "ports are not available"]) {
        return Some(Refusal::PortInUse);
    }
    if any(&["gathering device information", "error creating device nodes", "custom device"]) {
        return Some(Refusal::DeviceMissing);
    }
    if any(&[
        "bind source path does not exist",
        "error mounting",
        "mount request",
        "statfs ",
        "error creating mount",
    ]) {
        return Some(Refusal::MountMissing);
    }
    if text.contains("network") && text.contains("not found") {
        return Some(Refusal::NetworkMissing);
    }
    if any(&["no such image", "image not known", "unable to find image"]) {
        return Some(Refusal::ImageMissing);
    }
    if any(&["docker-init", "catatonit", "exec: \"runc\""]) {
        return Some(Refusal::Engine);
    }
    if any(&["sysctl", "/proc/sys/", "rlimit"]) {
        return Some(Refusal::Definition);
    }
    is_not_runnable(&text).then_some(Refusal::NotRunnable)
}

/// The port in `Bind for 0.0.0.0:18080 failed: port is already allocated`: words of Docker's own list of ports. Where a
/// stranger's program has it the kernel's words come instead, "address already in use".
pub(super) fn allocated_port(message: &str) -> Option<u16> {
    let (before, _) = message.split_once(" failed: port is already allocated")?;
    let (_, bind) = before.rsplit_once("Bind for ")?;
    bind.rsplit_once(':')?.1.parse().ok()
}

/// Entry point, its rights, its user, its working folder: what is in the image.
fn is_not_runnable(text: &str) -> bool {
    let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let exec =
        text.contains("exec: \"") || text.contains("exec failed") || text.contains("oci runtime");
    let missing = any(&[
        "no such file or directory",
        "executable file not found",
        "permission denied",
        "is a directory",
        "exec format error",
        "not a directory",
    ]);
    let podman = any(&["command that was not found", "oci permission denied"]);
    let user = any(&[
        "unable to find user",
        "unable to find group",
        "no matching entries in passwd file",
        "no matching entries in group file",
        "no command specified",
    ]);
    let folder = any(&["chdir to cwd", "cannot mkdir"]);
    exec && missing || podman || user || folder
}

/// What a pull's error means: the registry's words, passed on by the engine.
pub(super) fn of_pull(message: &str) -> Refusal {
    let text = message.to_ascii_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if any(&["no space left on device", "disk quota exceeded"]) {
        Refusal::DiskFull
    } else if any(&["is not yet valid"]) && any(&[" is before "]) {
        Refusal::ClockBehind // Go says "has expired or is not yet valid: current time … is before …"
    } else if any(&["toomanyrequests", "too many requests", "rate limit"]) {
        Refusal::RateLimited
    } else if any(&[
        "verification failed",
        "digest mismatch",
        "unexpected commit digest",
        "failed precondition",
    ]) {
        Refusal::DigestMismatch
    } else if any(&[
        "manifest unknown",
        "manifest for ",
        "not found",
        "no such image",
        "name unknown",
    ]) {
        Refusal::ManifestMissing
    } else if any(&[
        "unauthorized",
        "access denied",
        "denied:",
        "docker login",
        "forbidden",
        "no basic auth",
    ]) {
        Refusal::RegistryDenied
    } else if any(&[
        "dial tcp",
        "no such host",
        "connection refused",
        "connection reset",
        "timeout",
        "deadline exceeded",
        "tls:",
        "x509",
        "eof",
        "no route to host",
        "network is unreachable",
        "server gave http response to https client",
        "internal server error",
        "bad gateway",
        "service unavailable",
    ]) {
        Refusal::RegistryUnreachable
    } else {
        Refusal::Engine
    }
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
