//! The agent: whether it answers, and what it says is wrong itself.

use std::io::ErrorKind;

use super::{Check, fail, ok, warn};
use crate::client::{Client, ClientError};
use crate::view::{Reason, Status};

/// Codes of problems that stop apps or updates of them all; others are warnings.
const GRAVE: [&str; 9] = [
    "volumes_missing",
    "volumes_foreign",
    "state_not_durable",
    "config_invalid",
    "not_owned",
    "not_writable",
    "unit_stale",
    "agent_too_old",
    "disk_low",
];

/// Codes that a check of the doctor's own tells, with more about it.
const TOLD_ELSEWHERE: [&str; 3] = ["engine_away", "engine_error", "clock_unsynced"];

pub(super) fn checks(client: &Client) -> Vec<Check> {
    let status = client.get("/v1/status").and_then(|body| client.parse::<Status>(&body));
    let status = match status {
        Ok(status) => status,
        Err(ClientError::Unreachable(path, error))
            if error.kind() == ErrorKind::PermissionDenied =>
        {
            let message = format!("{} may not be opened", path.display());
            return vec![warn(
                "agent",
                message,
                "use sudo, or become a member of group titania-agent",
            )];
        }
        Err(error) => {
            let text = error.to_string();
            let (message, hint) = text.split_once("\n  fix: ").unwrap_or((&text, ""));
            return vec![fail("agent", message, hint)];
        }
    };
    of(&status)
}

fn of(status: &Status) -> Vec<Check> {
    let agent = &status.agent;
    let mut checks = vec![ok("agent", format!("agentd {} answers", agent.version))];
    let engine = &status.board.engine;
    match &engine.error {
        _ if engine.state == "ready" => {}
        Some(reason) => {
            let message =
                format!("to the agent the engine is {}: {}", engine.state, reason.message);
            checks.push(fail("agent_engine", message, &reason.hint));
        }
        None => {
            let hint = "wait a moment, and ask again";
            checks.push(warn("agent_engine", "the agent has not heard of the engine yet", hint));
        }
    }
    let told = |reason: &&Reason| {
        !TOLD_ELSEWHERE.contains(&reason.code.as_str())
            && engine.error.as_ref().is_none_or(|error| error.message != reason.message)
    };
    for reason in status.board.problems.iter().filter(told) {
        let made = if GRAVE.contains(&reason.code.as_str()) { fail } else { warn };
        checks.push(made(&reason.code, &reason.message, &reason.hint));
    }
    if !status.board.id.is_empty() && !status.board.platform.is_empty() {
        checks.push(ok("board", format!("{} on {}", status.board.id, status.board.platform)));
    }
    for app in &status.apps {
        for reason in app.warnings.iter().filter(|reason| reason.code == "limits_missing") {
            checks.push(warn(&app.app, &reason.message, &reason.hint));
        }
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn what_the_agent_finds_wrong_is_told_with_its_hint_and_once() {
        let status = serde_json::json!({
            "agent": {"version": "1.2.3"}, "clock_synced": false,
            "board": {"id": "attic", "platform": "linux/arm/v7",
                "engine": {"state": "refused", "error":
                    {"code": "engine_error", "message": "may not", "hint": "do"}},
                "problems": [
                    {"code": "engine_error", "message": "may not", "hint": "do"},
                    {"code": "unit_stale", "message": "closed", "hint": "systemctl daemon-reload"},
                    {"code": "clock_unsynced", "message": "no clock", "hint": "timedatectl"}]},
            "apps": [{"app": "wallet", "warnings":
                [{"code": "limits_missing", "message": "no limit", "hint": "cmdline"}]}]
        });
        let checks = of(&serde_json::from_value(status).unwrap());
        let told: Vec<(&str, Verdict)> =
            checks.iter().map(|one| (one.check.as_str(), one.state)).collect();
        assert_eq!(
            told,
            [
                ("agent", Verdict::Ok),
                ("agent_engine", Verdict::Fail),
                ("unit_stale", Verdict::Fail),
                ("board", Verdict::Ok),
                ("wallet", Verdict::Warn)
            ]
        );
        assert_eq!(checks[2].hint, "systemctl daemon-reload");
    }
}
