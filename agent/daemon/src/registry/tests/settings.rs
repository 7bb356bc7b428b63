//! Credentials of the settings: where they come from, and what is said where they can't be used.

use titania_core::reason::Code;
use titania_core::time::Timestamp;

use super::super::Credentials;
use super::super::credentials::of_docker;
use super::access::Scratch;
use super::server::{Reply, Server};
use super::*;

#[test]
fn dockers_config_gives_credentials_or_says_why_not() {
    let password = |user: &str, password: &str| {
        Ok(Some(Credentials::Password { user: user.to_owned(), password: password.to_owned() }))
    };
    let hub = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"YW5uOnNlY3JldA=="}}}"#;
    assert_eq!(of_docker(hub, "docker.io"), password("ann", "secret"));
    assert_eq!(of_docker(hub, "ghcr.io"), Ok(None));
    let own = r#"{"auths":{"reg.local:5000":{"username":"u","password":"p:q"},"reg.local":{}}}"#;
    assert_eq!(of_docker(own, "reg.local:5000"), password("u", "p:q"));
    assert_eq!(of_docker(own, "reg.local"), Ok(None));
    let below = r#"{"auths":{"reg.local/team":{"auth":"YW5uOnNlY3JldA=="}}}"#;
    assert_eq!(of_docker(below, "reg.local"), Ok(None), "not widened to the whole host");
    let helper = r#"{"credHelpers":{"gcr.io":"gcloud"}}"#;
    assert!(of_docker(helper, "gcr.io").is_err_and(|text| text.contains("\"gcloud\"")));
    assert_eq!(of_docker(helper, "ghcr.io"), Ok(None));
    let store = r#"{"auths":{"reg.local":{}},"credsStore":"pass"}"#;
    assert!(of_docker(store, "reg.local").is_err_and(|text| text.contains("not supported")));
    assert_eq!(of_docker(store, "other.local"), Ok(None));
    for bad in [
        "{",
        r#"{"auths":{"h":{"auth":"***"}}}"#,
        r#"{"auths":{"h":{"auth":"c2VjcmV0"}}}"#,
        r#"{"auths":{"h":{"auth":["c2VjcmV0"]}}}"#,
    ] {
        let problem = of_docker(bad, "h").expect_err(bad);
        assert!(!problem.contains("secret") && !problem.contains("c2Vj"), "{problem}");
    }
}

#[tokio::test]
async fn credentials_that_cannot_be_used_are_a_problem_and_the_reason_of_a_denial() {
    let auth = Scratch::new(r#"{"credsStore":"secretservice","auths":{"HOST":{}}}"#);
    let server = Server::start(|_| Reply::new(403, ""));
    let host = &server.authority;
    let text = format!(r#"{{"credsStore":"secretservice","auths":{{"{host}":{{}}}}}}"#);
    std::fs::write(&auth.0, text).expect("a scratch file");
    let missing = HostSettings {
        user: Some("u".to_owned()),
        password_file: Some("/nonexistent/password".into()),
        ..plain("other.invalid")
    };
    let settings = HostSettings { auth: Some(auth.0.clone()), ..plain(host) };
    let board = Board::with(&[settings, missing], PATIENT);
    let problems: Vec<String> =
        board.registries.problems().iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2);
    assert!(problems[0].contains("secretservice"), "{problems:?}");
    assert!(problems[1].contains("/nonexistent/password"), "{problems:?}");
    let error = board.error(host, "1").await;
    assert_eq!(error.to_string(), problems[0]);
    assert_eq!(error.reason(Timestamp(0)).code, Code::ConfigInvalid);
}

#[test]
fn a_pipe_is_no_password_file() {
    let settings = HostSettings {
        host: "h".to_owned(),
        user: Some("u".to_owned()),
        password_file: Some("/dev/zero".into()),
        ..HostSettings::default()
    };
    let registries = Registries::new(&[settings], PATIENT, || true);
    assert!(registries.problems()[0].to_string().contains("is no file"));
}
