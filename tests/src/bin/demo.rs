//! What an operator sees: an app is installed, updated, and a bad release undone by itself.
//!
//! Runs on a board of the tests' harness: a real engine, registry and broker, all its own, removed
//! at the end. Every line below a `$` is what the command printed.

use harness::{App, Board, Image, Listener, Pushed, wait_until};
use std::time::{Duration, Instant};

/// Time that any stage may take.
const STAGE_TIME: Duration = Duration::from_secs(90);
/// Characters shown of a payload.
const PAYLOAD_SHOWN: usize = 150;
/// The app.
const APP: &str = "wallet";

struct Demo<'b> {
    board: &'b Board,
    listener: &'b Listener,
    begun: Instant,
    /// Messages that were shown.
    shown: usize,
}

fn main() {
    let begun = Instant::now();
    println!("Building what is not up to date, then starting an engine, a registry and a broker …");
    let board = Board::start();
    let listener = board.listen();
    let mut demo = Demo { board: &board, listener: &listener, begun, shown: 0 };
    let first = demo.publish("1.0.0", None);
    let wallet = board
        .app(APP)
        .image(&first.repository)
        .semver(">=1.0, <9")
        .state("/state")
        .data("/data")
        .health("settle", "4s")
        .define();
    demo.install(&wallet);
    demo.update(&wallet);
    demo.undo(&wallet);
    demo.say("What happened, newest first");
    demo.ctl(&["history", APP]);
    demo.say("The agent stops; its last will tells the broker");
    board.agent().kill();
    listener.wait(STAGE_TIME, "the last will", |message| {
        message.topic.ends_with("/availability") && message.payload == "offline"
    });
    demo.messages();
    drop(listener);
    drop(board);
    println!("\nAll stopped and removed, {:.0} s in all.", begun.elapsed().as_secs_f64());
}

impl Demo<'_> {
    /// Announces a stage.
    fn say(&self, text: &str) {
        println!("\n── {:.1} s ── {text}", self.begun.elapsed().as_secs_f64());
    }

    /// Runs `agentctl` and shows what it printed.
    fn ctl(&self, arguments: &[&str]) {
        println!("\n$ agentctl {}", arguments.join(" "));
        let said = self.board.agent().ctl(arguments);
        print!("{}{}", said.out, said.err);
        if said.code != 0 {
            println!("(exit code {})", said.code);
        }
    }

    /// Shows the messages that came since the last look.
    fn messages(&mut self) {
        println!("\n$ mosquitto_sub -v -t '{}'", self.board.topic("#"));
        let messages = self.listener.messages();
        for message in &messages[self.shown..] {
            let all = message.payload.chars().count();
            let part: String = message.payload.chars().take(PAYLOAD_SHOWN).collect();
            let rest = if all > PAYLOAD_SHOWN { " …" } else { "" };
            println!("{} {part}{rest}", message.topic);
        }
        self.shown = messages.len();
    }

    /// A developer pushes a version.
    fn publish(&self, version: &str, told: Option<&str>) -> Pushed {
        let mut image = Image::version(version).passwd("wallet", 10000, 10000).user("wallet");
        if let Some(told) = told {
            image = image.behaviour(told);
        }
        let pushed = self.board.registry().push(APP, version, &image);
        self.say(&format!("A developer pushes {}", pushed.tagged()));
        pushed
    }

    fn install(&mut self, wallet: &App) {
        self.say("The operator writes one file and starts the agent");
        println!("\n$ cat {}", wallet.file().display());
        print!("{}", std::fs::read_to_string(wallet.file()).unwrap_or_default());
        self.board.agent().start();
        wallet.wait_version("1.0.0");
        self.say("It runs");
        self.ctl(&["status"]);
        self.show(wallet);
        self.messages();
    }

    fn update(&mut self, wallet: &App) {
        self.publish("2.0.0", None);
        self.say("The registry is asked every minute; here at once");
        self.ctl(&["update", APP]);
        self.wait_probation(wallet);
        self.ctl(&["status"]);
        wallet.wait_version("2.0.0");
        self.say("2.0.0 has proven itself and is committed");
        self.ctl(&["status"]);
        self.show(wallet);
        self.messages();
    }

    fn undo(&mut self, wallet: &App) {
        let bad = self.publish("3.0.0", Some("unhealthy"));
        println!("\n(this one starts and answers 503 to its health probe, for ever)");
        self.ctl(&["update", APP]);
        self.wait_probation(wallet);
        self.ctl(&["status"]);
        wallet.wait_outcome("rolled_back");
        wallet.wait_version("2.0.0");
        self.say("3.0.0 was given up; 2.0.0 runs on its own state");
        self.ctl(&["status"]);
        self.show(wallet);
        self.ctl(&["update", APP]);
        let status = wallet.wait_version("2.0.0");
        let list = status["quarantine"].as_array().cloned().unwrap_or_default();
        let is_known = list.iter().any(|one| one["config"] == bad.release.as_str());
        assert!(is_known, "3.0.0 is remembered: {status:#}");
        self.say("3.0.0 is remembered: asked again, it is not tried again");
        self.messages();
    }

    /// Waits until the new container is being watched.
    fn wait_probation(&self, wallet: &App) {
        wait_until(STAGE_TIME, "the probation", || {
            let step = wallet.status()["update"]["step"].clone();
            (step == "probation").then_some(())
        });
        self.say("In probation: the old container is stopped and kept");
    }

    /// Shows the app's own word: who it is and what it wrote.
    fn show(&self, wallet: &App) {
        let container = wallet.container();
        let address = container.address().map(|address| address.to_string());
        let address = address.unwrap_or_default();
        for page in ["/version", "/id", "/state"] {
            println!("\n$ curl http://{address}:8080{page}");
            println!("{}", wallet.page(page).trim_end());
        }
    }
}
