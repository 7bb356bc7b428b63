//! What a registry's answer is for each app that follows it.

use std::rc::Rc;

use titania_core::reason::Code;
use titania_core::time::Millis;
use titania_core::world::Candidate;

use super::super::agent::Agent;
use super::super::app::App;
use super::super::candidate::{self, Measure, Young, young};
use super::{Answer, key};
use crate::board::clock;

/// Until an age is looked at again that needs a clock.
const CLOCK_LOOK: Millis = Millis::seconds(60);

/// Judges the last answer again: record or definition changed, or time passed.
pub fn judge_again(agent: &Rc<Agent>, app: &Rc<App>) {
    let answer = {
        let memory = app.memory.borrow();
        let all = agent.polls.all.borrow();
        let poll = memory.definition.as_ref().and_then(|force| all.get(&key(force)));
        poll.and_then(|poll| poll.answer.clone())
    };
    match answer {
        Some(answer) => judge(agent, app, &answer),
        None => {
            let mut memory = app.memory.borrow_mut();
            memory.candidate = Candidate::Unknown;
            memory.young_until = None;
        }
    }
}

/// What an answer is for one app.
pub(super) fn judge(agent: &Rc<Agent>, app: &Rc<App>, answer: &Answer) {
    let before = app.memory.borrow().candidate.clone();
    {
        let memory = &mut *app.memory.borrow_mut();
        let Some(force) = memory.definition.clone() else {
            return;
        };
        memory.warnings.retain(|code, _| !is_of_registry(*code));
        memory.young_until = None;
        if answer.is_ok() && memory.registry_is_back() {
            app.wake.notify_one();
        }
        let at = clock::wall();
        let current = memory.record.current.as_ref();
        let by = Measure { definition: &force.definition, hash: force.hash, current, at };
        match answer {
            Ok(resolved) => {
                match young(&resolved.release, &force.definition, clock::is_synced(), at) {
                    Young::For(wait) => memory.young_until = Some(clock::moment().after(wait)),
                    Young::Unknown(reason) => {
                        memory.young_until = Some(clock::moment().after(CLOCK_LOOK));
                        memory.warnings.insert(reason.code, *reason);
                    }
                    Young::No => {
                        memory.candidate = match candidate::judge(&resolved.release, by) {
                            Candidate::Known(spec) => Candidate::Known(memory.record.share(spec)),
                            other => other,
                        };
                    }
                }
            }
            Err(failure) if failure.refuses() => {
                memory.candidate =
                    candidate::refused(&failure.release, by, failure.error.reason(at));
            }
            // What was known stays known.
            Err(failure) if matches!(before, Candidate::Known(_) | Candidate::Refused(_)) => {
                let reason = failure.error.reason(at);
                memory.warnings.insert(reason.code, reason);
            }
            Err(failure) => memory.candidate = Candidate::Unreachable(failure.error.reason(at)),
        }
    }
    if app.memory.borrow().candidate != before {
        agent.polls.wake.notify_one();
        app.wake.notify_one();
    }
}

fn is_of_registry(code: Code) -> bool {
    matches!(
        code,
        Code::RegistryUnreachable
            | Code::RegistryDenied
            | Code::RateLimited
            | Code::ImageMissing
            | Code::ConfigInvalid
            | Code::ClockUnsynced
    )
}
