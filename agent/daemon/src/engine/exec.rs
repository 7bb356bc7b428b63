//! A command in a running container.
//!
//! The engine's API can't end a command: one that is over its time would stay, and the next probe adds
//! one more. So it is killed by its pid, where the agent may.

use std::time::Duration;

use bollard::models::ExecConfig;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use titania_core::names::Owner;
use titania_core::time::Millis;
use tokio::time::{Instant, sleep, timeout_at};

use super::call::{Call, READ, detail, unknown};
use super::error::EngineError;
use super::refusal::shorten;
use super::transport::act;
use super::{Engine, parse, process, short};

/// Bytes of output kept, for a reason's text; the rest is read and dropped.
const OUTPUT_BYTES_MAX: usize = 2048;

/// Between two looks at a command whose output has ended but whose code is not there yet.
const LOOK: Duration = Duration::from_millis(20);

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exec {
    /// By itself.
    Exited {
        /// Exit code; 126 and 127: it could not be run.
        code: i64,
        /// The first of what it said on both streams, at most 2 KiB.
        output: String,
    },
    /// It was over its time; killed where the agent may.
    TimedOut,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    running: bool,
    #[serde(default)]
    exit_code: Option<i64>,
    #[serde(default)]
    pid: Option<i64>,
}

impl Engine {
    /// Runs `argv` in a container, as `user` (the container's own where null), at most `timeout`.
    ///
    /// # Errors
    /// [`EngineError::Conflict`] when the container does not run.
    pub async fn exec(
        &self,
        id: &str,
        argv: &[String],
        user: Option<Owner>,
        timeout: Millis,
    ) -> Result<Exec, EngineError> {
        let words = format!("exec in {}", short(id));
        let docker = self.wire().docker().await?;
        let body = ExecConfig {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(argv.to_vec()),
            user: user.map(|user| user.to_string()),
            ..ExecConfig::default()
        };
        let exec = act(&words, READ, docker.create_exec(id, body)).await?.id;
        let until = Instant::now() + Duration::from_millis(timeout.0);
        let start = Call {
            deadline: Duration::from_millis(timeout.0),
            ..Call::post(
                &words,
                format!("/exec/{exec}/start"),
                Some(br#"{"Detach":false,"Tty":false}"#.to_vec()),
            )
        };
        let run = async {
            let body = self.wire().stream(start).await?;
            let output = read(&words, body).await?;
            loop {
                let state = self.exec_state(&words, &exec).await?;
                if let (false, Some(code)) = (state.running, state.exit_code) {
                    return Ok(Exec::Exited { code, output });
                }
                sleep(LOOK).await;
            }
        };
        match timeout_at(until, run).await {
            Ok(Err(EngineError::Unknown { .. })) if Instant::now() >= until => {}
            Ok(end) => return end,
            Err(_) => {}
        }
        self.end(&words, &exec).await;
        Ok(Exec::TimedOut)
    }

    async fn exec_state(&self, words: &str, exec: &str) -> Result<State, EngineError> {
        let call = Call::get(words, format!("/exec/{exec}/json"));
        parse(words, &self.wire().well(call).await?)
    }

    /// Kills a command that is over its time. What fails is only told: the probe has its answer.
    async fn end(&self, words: &str, exec: &str) {
        let Ok(state) = self.exec_state(words, exec).await else {
            return;
        };
        let pid = state.pid.filter(|_| state.running).and_then(|pid| u32::try_from(pid).ok());
        let Some(pid) = pid.filter(|pid| process::is_in_container(self.wire().peer(), *pid)) else {
            return;
        };
        let Some(target) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            return;
        };
        if let Err(error) = kill_process(target, Signal::KILL) {
            log::debug!(
                "engine: {words}: its command is over its time and can't be killed: {error}"
            );
        }
    }
}

/// Reads both streams to their end; keeps the first of it.
async fn read(words: &str, mut body: Incoming) -> Result<String, EngineError> {
    let mut frames = Frames::default();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| unknown(words, detail(&error)))?;
        if let Ok(bytes) = frame.into_data() {
            frames.push(&bytes);
        }
    }
    Ok(shorten(&String::from_utf8_lossy(&frames.kept)))
}

/// Takes the two streams apart that share one connection (Docker API, "Attach": 8 bytes of head, the last four of them the length).
#[derive(Default)]
struct Frames {
    kept: Vec<u8>,
    head: Vec<u8>,
    /// Bytes of the frame that are still to come.
    left: usize,
}

impl Frames {
    fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left == 0 {
                let (start, rest) = bytes.split_at(bytes.len().min(8 - self.head.len()));
                self.head.extend_from_slice(start);
                bytes = rest;
                if let [_, _, _, _, a, b, c, d] = self.head[..] {
                    self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                    self.head.clear();
                }
                continue;
            }
            let (payload, rest) = bytes.split_at(bytes.len().min(self.left));
            let room = OUTPUT_BYTES_MAX.saturating_sub(self.kept.len());
            self.kept.extend(payload.iter().take(room));
            self.left -= payload.len();
            bytes = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_apart_wherever_they_are_cut() {
        let mut whole = Vec::new();
        for (stream, text) in [(1u8, "one "), (2, "two "), (1, ""), (1, "three")] {
            whole.extend([stream, 0, 0, 0]);
            whole.extend((text.len() as u32).to_be_bytes());
            whole.extend(text.as_bytes());
        }
        for size in 1..=whole.len() {
            let mut frames = Frames::default();
            whole.chunks(size).for_each(|chunk| frames.push(chunk));
            assert_eq!(frames.kept, b"one two three", "in pieces of {size}");
        }
    }

    #[test]
    fn only_the_first_of_the_output_is_kept() {
        let mut frames = Frames::default();
        frames.push(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        for _ in 0..100 {
            frames.push(&[b'x'; 1000]);
        }
        assert_eq!(frames.kept.len(), OUTPUT_BYTES_MAX);
    }
}
