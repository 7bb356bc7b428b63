//! Each text of an engine has its class.

use super::*;

/// Answers to a start, as engines were seen to give them.
const STARTS: &[(u16, &str, Refusal)] = &[
    // Docker 20.10 and 28.5
    (
        400,
        "invalid mount config for type \"bind\": bind source path does not exist: /x/none",
        Refusal::MountMissing,
    ),
    (
        400,
        "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error mounting \"/w\" to rootfs at \"/state\": stat /w: no such file or directory: unknown",
        Refusal::MountMissing,
    ),
    (
        500,
        "failed to create task for container: failed to create shim task: failed to fulfil mount request: open /w: no such file or directory",
        Refusal::MountMissing,
    ),
    (
        500,
        "driver failed programming external connectivity on endpoint web-g2 (abc): Bind for 127.0.0.1:29084 failed: port is already allocated",
        Refusal::PortInUse,
    ),
    (
        500,
        "driver failed programming external connectivity on endpoint web (abc): Error starting userland proxy: listen tcp4 127.0.0.1:80: bind: address already in use",
        Refusal::PortInUse,
    ),
    (
        500,
        "failed to set up container networking: driver failed: failed to bind host port for 127.0.0.1:80: address already in use",
        Refusal::PortInUse,
    ),
    (
        500,
        "error gathering device information while adding custom device \"/dev/nope\": no such file or directory",
        Refusal::DeviceMissing,
    ),
    (
        400,
        "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: \"/nope\": stat /nope: no such file or directory: unknown",
        Refusal::NotRunnable,
    ),
    (
        400,
        "OCI runtime create failed: exec: \"/app\": permission denied: unknown",
        Refusal::NotRunnable,
    ),
    (
        400,
        "OCI runtime create failed: exec: \"app\": executable file not found in $PATH: unknown",
        Refusal::NotRunnable,
    ),
    (500, "unable to find user nosuch: no matching entries in passwd file", Refusal::NotRunnable),
    (404, "network titania not found", Refusal::NetworkMissing),
    (404, "No such image: titania-agent.local/wallet:g1", Refusal::ImageMissing),
    (
        400,
        "failed to create shim task: exec: \"docker-init\": executable file not found in $PATH",
        Refusal::Engine,
    ),
    (
        400,
        "OCI runtime create failed: open /proc/sys/net/ipv4/nope: no such file or directory: write sysctl key net.ipv4.nope",
        Refusal::Definition,
    ),
    (400, "invalid CapAdd: unknown capability: \"CAP_NOPE\"", Refusal::Definition),
    (500, "write /var/lib/docker/x: no space left on device", Refusal::DiskFull),
    (500, "something new", Refusal::Engine),
    // Podman 4.3
    (
        500,
        "cannot listen on the TCP port: listen tcp4 127.0.0.1:31080: bind: address already in use",
        Refusal::PortInUse,
    ),
    (
        500,
        "runc: runc create failed: error mounting \"/w\": no such file or directory: OCI runtime attempted to invoke a command that was not found",
        Refusal::MountMissing,
    ),
    (
        500,
        "crun: executable file `/nope` not found: No such file or directory: OCI runtime attempted to invoke a command that was not found",
        Refusal::NotRunnable,
    ),
];

#[test]
fn each_text_of_an_engine_has_its_class() {
    for (status, message, want) in STARTS {
        assert_eq!(of("start", *status, message).refusal(), Some(*want), "{message}");
    }
}

#[test]
fn absent_and_taken_are_told_by_the_status() {
    let no_such = of("start", 404, "No such container: abc");
    assert!(matches!(no_such, EngineError::NoSuch { .. }), "{no_such}");
    let taken = of("create", 409, "Conflict. The container name \"/a-g1\" is already in use");
    assert!(matches!(taken, EngineError::Conflict { .. }), "{taken}");
    let podman = of(
        "create",
        500,
        "creating container storage: the container name \"a-g1\" is already in use by abc",
    );
    assert!(matches!(podman, EngineError::Conflict { .. }), "{podman}");
}

#[test]
fn a_message_is_read_whatever_the_body_is() {
    for (body, want) in [
        (&b"{\"message\":\"no\"}\n"[..], "no"),
        (b"{\"cause\":\"x\",\"message\":\"no\",\"response\":500}", "no"),
        (b"404 page not found\n", "404 page not found"),
        (b"\xff{", "\u{fffd}{"),
        (b"", ""),
    ] {
        assert_eq!(message(body), want);
    }
    assert_eq!(message("x".repeat(9000).as_bytes()).len(), MESSAGE_CHARS_MAX);
}

#[test]
fn a_pull_blames_the_right_one() {
    for (message, want) in [
        (
            "manifest for r/a@sha256:1 not found: manifest unknown: manifest unknown",
            Refusal::ManifestMissing,
        ),
        ("unauthorized: authentication required", Refusal::RegistryDenied),
        (
            "pull access denied for x, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
            Refusal::RegistryDenied,
        ),
        ("toomanyrequests: You have reached your pull rate limit", Refusal::RateLimited),
        (
            "Get \"https://r/v2/\": dial tcp 10.0.0.1:443: connect: connection refused",
            Refusal::RegistryUnreachable,
        ),
        (
            "Get \"https://r/v2/\": x509: certificate has expired or is not yet valid: current time 1970-01-01T00:05:07Z is before 2026-11-24T08:29:58Z",
            Refusal::ClockBehind,
        ),
        (
            "Get \"https://r/v2/\": x509: certificate has expired or is not yet valid: current time 2026-11-25T00:05:07Z is after 2026-11-24T08:29:58Z",
            Refusal::RegistryUnreachable,
        ),
        ("write /var/lib/docker/tmp/GetImageBlob1: no space left on device", Refusal::DiskFull),
        ("filesystem layer verification failed for digest sha256:1", Refusal::DigestMismatch),
        ("Cannot overwrite digest sha256:1", Refusal::Engine),
    ] {
        assert_eq!(of_pull(message), want, "{message}");
    }
}

#[test]
fn a_port_on_the_engines_own_list_is_told_from_one_that_a_program_has() {
    for (message, want) in [
        (
            "driver failed programming external connectivity on endpoint web-g2 (abc): Bind for 127.0.0.1:29084 failed: port is already allocated",
            Some(29_084),
        ),
        ("Bind for 0.0.0.0:18080 failed: port is already allocated", Some(18_080)),
        ("Bind for :::80 failed: port is already allocated", Some(80)),
        ("Bind for [::]:80 failed: port is already allocated", Some(80)),
        (
            "Error starting userland proxy: listen tcp4 0.0.0.0:18099: bind: address already in use",
            None,
        ),
        ("failed to bind host port for 127.0.0.1:80: address already in use", None),
        ("Bind for 0.0.0.0:99999 failed: port is already allocated", None),
        ("Bind for nothing failed: port is already allocated", None),
        ("port is already allocated", None),
    ] {
        assert_eq!(allocated_port(message), want, "{message}");
    }
}

#[test]
fn an_id_that_containerd_has_already_is_told_from_other_refusals() {
    let start = |message: &str| of("start", 500, message).is_of_taken_id();
    assert!(start("id already in use"));
    assert!(start("task c6cf7cc90a77: already exists"));
    assert!(!start("transport is closing: unavailable"));
    assert!(!start("Bind for 127.0.0.1:80 failed: port is already allocated"));
    assert!(!of("create", 409, "The container name \"/a-g1\" is already in use").is_of_taken_id());
}
