//! Who has a port, by what Docker 20.10 answered.

use super::*;

fn found(listed: &str, status: &str, bindings: &str, port: u16) -> Option<(String, bool)> {
    let listed: Listed = serde_json::from_str(listed).unwrap();
    let inspected = format!(
        r#"{{"Id":"abc","Name":"/web","State":{{"Status":"{status}"}},"HostConfig":{{"PortBindings":{bindings}}}}}"#
    );
    let inspected: Inspected = serde_json::from_str(&inspected).unwrap();
    publisher(&listed, &inspected, port).map(|one| (one.name, one.is_up))
}

const RUNS: &str = r#"{"Id":"abc","State":"running","Ports":[
    {"IP":"0.0.0.0","PrivatePort":8080,"PublicPort":18080,"Type":"tcp"},
    {"IP":"::","PrivatePort":8080,"PublicPort":18080,"Type":"tcp"},
    {"PrivatePort":9090,"Type":"tcp"}]}"#;
// As after a power cut: the ports of its last run are still told.
const ENDED: &str = r#"{"Id":"abc","State":"exited","Ports":[
    {"IP":"0.0.0.0","PrivatePort":8080,"PublicPort":18080,"Type":"tcp"}]}"#;
const BOUND: &str = r#"{"8080/tcp":[{"HostIp":"","HostPort":"18080"}]}"#;

#[test]
fn one_that_has_the_port_or_is_defined_to_is_found() {
    let web = |is_up| Some(("web".to_owned(), is_up));
    for (case, listed, status, bindings, want) in [
        ("it runs with it", RUNS, "running", BOUND, web(true)),
        ("the engine chose it", RUNS, "running", r#"{"8080/tcp":[{"HostPort":""}]}"#, web(true)),
        ("it ended", ENDED, "exited", BOUND, web(false)),
        ("it ended, with a port that was chosen", ENDED, "exited", "null", None),
        ("it was started since the list", ENDED, "running", BOUND, web(true)),
        ("a state that is new", r#"{"Id":"abc","State":"odd"}"#, "odd", BOUND, web(true)),
        (
            "never started",
            r#"{"Id":"abc","State":"created","Ports":null}"#,
            "created",
            BOUND,
            web(false),
        ),
        (
            "restarting",
            r#"{"Id":"abc","State":"restarting","Ports":[]}"#,
            "restarting",
            BOUND,
            web(true),
        ),
        (
            "a range",
            r#"{"Id":"abc"}"#,
            "exited",
            r#"{"1/tcp":[{"HostPort":"18000-18100"}]}"#,
            web(true),
        ),
        (
            "another port",
            r#"{"Id":"abc"}"#,
            "running",
            r#"{"1/tcp":[{"HostPort":"1808"}],"2/tcp":null}"#,
            None,
        ),
    ] {
        assert_eq!(found(listed, status, bindings, 18_080), want, "{case}");
    }
}

#[test]
fn a_range_that_makes_no_sense_covers_nothing() {
    for text in ["", "-", "80-", "x-y", "90-80", "99999", "80-99999"] {
        assert!(!covers(text, 80), "{text}");
    }
    assert!(covers("80", 80) && covers("79-80", 80) && !covers("79-80", 81));
}

#[test]
fn one_that_neither_the_agent_nor_the_engine_starts_again_would_be_lost() {
    let me = InstanceId("me".into());
    for (labels, policy, want) in [
        ("{}", "no", false),
        ("{}", "", false),
        ("{}", "on-failure", false),
        ("{}", "always", true),
        ("{}", "unless-stopped", true),
        (r#"{"org.titania.agent.instance":"me"}"#, "no", true),
        (r#"{"org.titania.agent.instance":"another"}"#, "no", false),
    ] {
        let text = format!(
            r#"{{"Config":{{"Labels":{labels}}},"HostConfig":{{"RestartPolicy":{{"Name":"{policy}"}}}}}}"#
        );
        let one: Inspected = serde_json::from_str(&text).unwrap();
        assert_eq!(comes_back(&one, &me), want, "{labels} {policy}");
    }
}
