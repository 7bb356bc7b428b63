//! A client that asks an app every 2 ms and sees for how long nobody answered.

use harness::{Place, ask_within};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// From one question to the next.
const EVERY: Duration = Duration::from_millis(2);
/// Askers in turn: each has as long for an answer as all take to have their turn.
const ASKERS: u32 = 20;

/// Asks until it is dropped.
pub struct Client {
    answers: Arc<Mutex<Vec<Instant>>>,
    is_over: Arc<AtomicBool>,
    askers: Vec<JoinHandle<()>>,
}

impl Client {
    /// Begins to ask at a port on loopback.
    pub fn start(port: u16) -> Self {
        let mut client =
            Self { answers: Arc::default(), is_over: Arc::default(), askers: Vec::new() };
        let begin = Instant::now();
        for number in 0..ASKERS {
            let (answers, is_over) = (Arc::clone(&client.answers), Arc::clone(&client.is_over));
            let asker = move || ask(port, begin + EVERY * number, &answers, &is_over);
            client.askers.push(std::thread::spawn(asker));
        }
        client
    }

    /// Whether anything was answered yet.
    pub fn has_answer(&self) -> bool {
        !self.answers.lock().expect("no asker panics").is_empty()
    }

    /// Whether anything was answered since then.
    pub fn has_answer_since(&self, since: Instant) -> bool {
        self.answers.lock().expect("no asker panics").iter().any(|at| *at >= since)
    }

    /// The longest time without an answer since `since`.
    pub fn longest_silence(&self, since: Instant) -> Duration {
        let mut answers = self.answers.lock().expect("no asker panics").clone();
        answers.retain(|at| *at >= since);
        answers.push(since);
        answers.sort();
        let gaps = answers.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.max().unwrap_or_default()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for asker in self.askers.drain(..) {
            let _ = asker.join();
        }
    }
}

fn ask(port: u16, first: Instant, answers: &Mutex<Vec<Instant>>, is_over: &AtomicBool) {
    let turn = EVERY * ASKERS;
    let mut next = first;
    while !is_over.load(Ordering::Relaxed) {
        pause(next.saturating_duration_since(Instant::now()));
        let place = Place::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let answer = ask_within(turn, place, "GET", "/version", &[], b"");
        if answer.is_ok_and(|answer| answer.status == 200) {
            answers.lock().expect("no asker panics").push(Instant::now());
        }
        while next <= Instant::now() {
            next += turn;
        }
    }
}

/// Lets time pass: what is measured here is a span.
pub fn pause(span: Duration) {
    let (_kept, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(span);
}

/// The middle one.
pub fn median(spans: &[Duration]) -> Duration {
    part(spans, 50)
}

/// The one that so many percent are not above.
pub fn part(spans: &[Duration], percent: usize) -> Duration {
    let mut sorted = spans.to_vec();
    sorted.sort();
    let at = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_tail_of_spans() {
        let spans: Vec<Duration> = [5, 1, 4, 2, 3].map(Duration::from_millis).to_vec();
        assert_eq!(median(&spans), Duration::from_millis(3));
        assert_eq!(part(&spans, 90), Duration::from_millis(5));
        assert_eq!(part(&spans[..1], 90), Duration::from_millis(5));
    }
}
