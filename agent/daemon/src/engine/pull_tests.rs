//! The stream of a pull: progress, failures, hostile lines.

use super::*;
use crate::engine::Refusal;

fn run(lines: &[&str]) -> Result<Vec<Progress>, EngineError> {
    let mut layers = Layers::default();
    let mut told = Vec::new();
    for line in lines {
        told.extend(layers.read(line.as_bytes())?);
    }
    Ok(told)
}

#[test]
fn layers_are_summed() {
    let told = run(&[
        r#"{"status":"Pulling from app","id":"sha256:1"}"#,
        r#"{"status":"Pulling fs layer","progressDetail":{},"id":"a"}"#,
        r#"{"status":"Already exists","progressDetail":{},"id":"z"}"#,
        r#"{"status":"Downloading","progressDetail":{"current":10,"total":100},"progress":"[=>  ]","id":"a"}"#,
        r#"{"status":"Downloading","progressDetail":{"current":5,"total":50},"id":"b"}"#,
        r#"{"status":"Downloading","progressDetail":{"current":5,"total":50},"id":"b"}"#,
        r#"{"status":"Download complete","progressDetail":{},"id":"a"}"#,
        r#"{"status":"Extracting","progressDetail":{"current":5,"total":100},"id":"a"}"#,
        r#"{"status":"Pull complete","progressDetail":{},"id":"b"}"#,
        r#"{"status":"Status: Downloaded newer image"}"#,
    ]);
    let sums: Vec<_> = told.unwrap().iter().map(|p| (p.done_bytes, p.total_bytes)).collect();
    assert_eq!(sums, [(10, 100), (15, 150), (105, 150), (150, 150)]);
}

#[test]
fn an_error_in_the_stream_is_a_failure_whichever_way_it_is_told() {
    for line in [
        r#"{"errorDetail":{"message":"toomanyrequests: slow down"},"error":"toomanyrequests: slow down"}"#,
        r#"{"error":"toomanyrequests: slow down"}"#,
        r#"{"errorDetail":{"code":1,"message":"toomanyrequests: slow down"}}"#,
        r#"{"errorDetail":{},"error":"toomanyrequests: slow down"}"#,
        r#"{"status":"x","error":"toomanyrequests: slow down"}"#,
    ] {
        let error = run(&[r#"{"status":"Pulling from app"}"#, line]).unwrap_err();
        assert_eq!(error.refusal(), Some(Refusal::RateLimited), "{line}");
    }
    assert!(run(&[r#"{"error":{"odd":true}}"#]).is_err());
    assert!(run(&[r#"{"error":null,"errorDetail":null,"status":"fine"}"#]).is_ok());
}

#[test]
fn a_line_that_is_no_json_ends_the_pull() {
    for line in ["<html>", "[", "{\"status\":7}", &"[".repeat(5000)] {
        assert!(matches!(run(&[line]), Err(EngineError::Garbled { .. })), "{line:.20}");
    }
}

#[test]
fn hostile_numbers_and_thousands_of_layers_are_harmless() {
    let many: Vec<String> = (0..1000)
        .map(|n| format!(r#"{{"status":"Downloading","progressDetail":{{"current":{},"total":-1}},"id":"{n}"}}"#, i64::MAX))
        .collect();
    let lines: Vec<&str> = many.iter().map(String::as_str).collect();
    let told = run(&lines).unwrap();
    assert_eq!(told.len(), LAYERS_MAX);
    assert_eq!(told.last().unwrap().done_bytes, u64::MAX);
}

#[test]
fn a_password_is_never_printed() {
    let pull = Pull {
        repository: Repository { host: "r.example".into(), path: "a".into() },
        manifest: Digest::of(b"m"),
        credentials: Some(Credentials {
            user: "me".into(),
            password: "s3cret".into(),
            identity_token: String::new(),
        }),
    };
    assert!(!format!("{pull:?}").contains("s3cret"));
    let (_, value) = pull.header().unwrap().unwrap();
    assert!(value.is_sensitive());
    let json = URL_SAFE.decode(value.as_bytes()).unwrap();
    let auth: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(auth["password"], "s3cret");
    assert_eq!(auth["serveraddress"], "r.example");
}
