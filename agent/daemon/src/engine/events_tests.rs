//! Events of each kind and each engine; new words are left out.

use super::*;

fn event(action: &str, more: &str) -> Option<EngineEvent> {
    let line = format!(
        r#"{{"status":"{action}","id":"c1","from":"img","Type":"container","Action":"{action}",
            "Actor":{{"ID":"c1","Attributes":{{"image":"img","name":"web-g3","org.titania.agent.app":"web",
            "org.titania.agent.generation":"3","org.titania.agent.instance":"me","other":"label"{more}}}}},"time":1,"timeNano":2}}"#
    );
    read(line.as_bytes(), &InstanceId("me".into()))
}

#[test]
fn each_kind_is_read() {
    for (action, more, want) in [
        ("start", "", What::Start),
        ("die", r#","exitCode":"137","execDuration":"3""#, What::Die { exit: Some(137) }),
        ("die", "", What::Die { exit: None }),
        ("die", r#","exitCode":"odd""#, What::Die { exit: None }),
        ("oom", "", What::Oom),
        ("kill", r#","signal":"15""#, What::Kill { signal: Some(15) }),
        ("destroy", "", What::Destroy),
        ("health_status: healthy", "", What::Health(HealthCheck::Healthy)),
        ("health_status: unhealthy", "", What::Health(HealthCheck::Unhealthy)),
    ] {
        let event = event(action, more).unwrap();
        assert_eq!(event.what, want, "{action}{more}");
        assert_eq!((event.id.as_str(), event.generation), ("c1", Some(Generation(3))));
        assert_eq!(event.app.unwrap().as_str(), "web");
    }
}

#[test]
fn a_new_word_is_left_out() {
    for action in ["hibernate", "health_status: dreaming", "exec_create: /app", ""] {
        assert_eq!(event(action, ""), None, "{action}");
    }
    assert_eq!(read(b"{}", &InstanceId("me".into())), None);
    assert_eq!(read(b"not json", &InstanceId("me".into())), None);
}

#[test]
fn another_boards_container_is_not_ours() {
    let line = br#"{"Action":"die","Actor":{"ID":"c","Attributes":{"org.titania.agent.instance":"other"}}}"#;
    assert_eq!(read(line, &InstanceId("me".into())), None);
    let none = br#"{"Action":"die","Actor":{"ID":"c","Attributes":{}}}"#;
    assert_eq!(read(none, &InstanceId("me".into())), None);
}

#[test]
fn podman_tells_it_in_its_own_words() {
    let line = br#"{"status":"remove","id":"p1","Action":"remove","Actor":{"ID":"p1","Attributes":{
        "containerExitCode":"3","org.titania.agent.instance":"me","org.titania.agent.app":"web","org.titania.agent.generation":"1"}}}"#;
    assert_eq!(read(line, &InstanceId("me".into())).unwrap().what, What::Destroy);
}
