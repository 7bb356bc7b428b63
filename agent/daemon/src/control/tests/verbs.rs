//! Verbs: what `reconcile` gets, and what became of it.

use std::time::Duration;

use titania_core::api::{Accepted, RequestState, RequestStatus};

use super::*;

/// Takes the next command and answers it.
async fn take(server: &Server, outcome: Result<(), Problem>) -> Command {
    let command = server.command().await;
    let (unused, _) = oneshot::channel();
    let Command { id, app, verb, options, by, answer } = command;
    answer.send(outcome).unwrap();
    Command { id, app, verb, options, by, answer: unused }
}

#[test]
fn a_verb_is_handed_over_whole_and_its_request_can_be_followed() {
    on_one_thread(async {
        let server = Server::start(None);
        let request = post("/v1/apps/wallet/rollback", r#"{"keep-state":true}"#);
        let (answer, command) = tokio::join!(server.ask(&request), take(&server, Ok(())));
        let own = nix::unistd::geteuid();
        assert_eq!(
            (command.app.unwrap().as_str(), command.verb, command.by),
            ("wallet", Verb::Rollback, format!("uid:{own}"))
        );
        assert_eq!(command.options, Options { keep_state: true, ..Options::default() });
        assert_eq!(answer.code, 202);
        let accepted: Accepted = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(accepted.id, command.id);

        let path = format!("/v1/requests/{}", accepted.id);
        let state = async || -> RequestStatus {
            serde_json::from_slice(&get(&server, &path).await.body).unwrap()
        };
        assert_eq!(state().await.state, RequestState::Waiting);
        server.requests.running(&accepted.id);
        assert_eq!(state().await.state, RequestState::Running);

        let patient = format!("{path}?wait=20");
        let (answer, ()) = tokio::join!(get(&server, &patient), async {
            tokio::time::sleep(Duration::from_millis(50)).await; // so that it waits; right either way
            let why = problem(409, "operator", "No", "there is no previous release".into(), "");
            server.requests.failed(&accepted.id, why);
        });
        let ended: RequestStatus = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(ended.state, RequestState::Failed);
        assert_eq!(ended.error.unwrap().detail, "there is no previous release");
    });
}

#[test]
fn adopt_concerns_the_board_by_either_path() {
    on_one_thread(async {
        let server = Server::start(None);
        for path in ["/v1/adopt", "/v1/apps/wallet/adopt", "/v1/apps/nobody/adopt"] {
            let request = post(path, "");
            let (answer, command) = tokio::join!(server.ask(&request), take(&server, Ok(())));
            assert_eq!(
                (answer.code, command.app, command.verb),
                (202, None, Verb::Adopt),
                "{path}"
            );
        }
    });
}

#[test]
fn a_refused_verb_leaves_no_request_behind() {
    on_one_thread(async {
        let server = Server::start(None);
        let why = problem(409, "operator", "Not possible", "no previous release".into(), "");
        let request = post("/v1/apps/tor/rollback", "");
        let (answer, command) = tokio::join!(server.ask(&request), take(&server, Err(why.clone())));
        assert_eq!(serde_json::from_slice::<Problem>(&answer.body).unwrap(), why);
        assert_eq!(answer.code, 409);
        assert_eq!(get(&server, &format!("/v1/requests/{}", command.id)).await.code, 404);
    });
}

#[test]
fn bad_options_never_reach_reconcile() {
    let cases = [
        ("rollback", r#"{"old-state":true,"keep-state":true}"#, "exclude each other"),
        ("rollback", r#"{"old_state":true}"#, "unknown field `old_state`"),
        ("rollback", r#"{"old-state":1}"#, "invalid type"),
        ("rollback", r#"{"old-state":true"#, "EOF"),
        ("stop", r#"{"old-state":true}"#, "options of rollback alone"),
        ("stop", r#"{"fork":1}"#, "an option of restore alone"),
        ("stop", r#"{"yes":true}"#, "an option of purge alone"),
        ("restore", "", "needs the number of a fork"),
        ("restore", r#"{"fork":-1}"#, "invalid value"),
        ("purge", "", "it needs yes"),
        ("purge", r#"{"yes":false}"#, "it needs yes"),
        ("rollback", "[true]", "a JSON object is wanted"),
        ("stop", "\u{0}", "the options"),
    ];
    on_one_thread(async {
        let server = Server::start(None);
        for (verb, body, part) in cases {
            let answer = server.ask(&post(&format!("/v1/apps/tor/{verb}"), body)).await;
            let problem: Problem = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!((answer.code, problem.code.as_str()), (400, "bad_request"), "{body}");
            assert!(problem.detail.contains(part), "{body}: {}", problem.detail);
        }
        let deep = "[".repeat(1000);
        assert_eq!(server.ask(&post("/v1/apps/tor/stop", &deep)).await.code, 400);
        assert!(server.commands.borrow_mut().try_recv().is_err());
    });
}

#[test]
fn when_reconcile_is_gone_or_full_a_verb_is_told_not_now() {
    on_one_thread(async {
        let server = Server::start(None);
        let mut held = Vec::new();
        for _ in 0..COMMANDS_MAX {
            let mut peer = server.connect().await;
            peer.say(&post("/v1/apps/tor/update", "")).await;
            held.push(peer);
            while server.commands.borrow().len() < held.len() {
                tokio::task::yield_now().await;
            }
        }
        // One user's connections are all taken: it is hung up on, the channel is full besides.
        held.pop();
        tokio::task::yield_now().await;
        let answer = loop {
            let mut peer = server.connect().await;
            peer.say(&post("/v1/apps/tor/update", "")).await;
            let bytes = peer.rest().await;
            if !bytes.is_empty() {
                break client::Answer::of(&bytes);
            }
        };
        assert_eq!((answer.code, &answer.json()["code"]), (503, &"busy".into()));
        server.commands.borrow_mut().close();
        drop(held);
        while let Ok(command) = server.commands.borrow_mut().try_recv() {
            drop(command);
        }
        let answer = loop {
            let mut peer = server.connect().await;
            peer.say(&post("/v1/apps/tor/update", "")).await;
            let bytes = peer.rest().await;
            if !bytes.is_empty() {
                break client::Answer::of(&bytes);
            }
        };
        assert_eq!(answer.json()["detail"], "the agent is stopping");
    });
}

#[test]
fn finished_requests_are_forgotten_before_unfinished_ones() {
    let requests = Requests::new();
    let most = super::requests::REQUESTS_MAX;
    let ids: Vec<String> = (0..most).map(|_| requests.open().unwrap()).collect();
    assert_eq!(requests.open(), None, "all of them are unfinished");
    requests.done(&ids[7]);
    let fresh = requests.open().unwrap();
    assert!(requests.get(&ids[7]).is_none());
    assert!(requests.get(&ids[0]).is_some() && requests.get(&fresh).is_some());
    assert!(!ids.contains(&fresh));
}
