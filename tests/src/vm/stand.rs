//! A virtual board that is in use: the package installed, one app proven, its volumes full, and all
//! that must stay true of it known.

use super::arch::Arch;
use super::chance::Chance;
use super::disk::Lost;
use super::look::{Look, watch_boots};
use super::machine::Hardware;
use super::package::package_for;
use super::promises::{Known, at_rest, right_one_first};
use super::rig::{APP, Rig};
use crate::wait::wait_between;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Time for what is no longer needed after an update to be tidied away.
const TIDY_TIME: Duration = Duration::from_secs(120);
/// Time between two looks at the whole board: each costs it some seconds.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
/// What a boot takes until it is at rest, before one was measured.
const BOOT_TIME_USUAL: Duration = Duration::from_secs(90);
/// Time between two looks at what was heard over MQTT: no cost to the board.
const BETWEEN_HEARINGS: Duration = Duration::from_millis(20);

/// When an update was heard to be at which step, from the moment it was asked for.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// Each change, in order; the last one is the end, with an empty name.
    pub changes: Vec<(Duration, String)>,
}

impl Timeline {
    /// How long it took in all.
    pub fn length(&self) -> Duration {
        self.changes.last().map_or(Duration::ZERO, |(at, _)| *at)
    }

    /// The step it is at; empty before it begins and after it ended.
    pub fn step(&self) -> &str {
        self.changes.last().map_or("", |(_, step)| step)
    }

    /// Whether it has begun and ended.
    pub fn is_over(&self) -> bool {
        self.step().is_empty() && !self.changes.is_empty()
    }

    /// Each step with its begin and end.
    pub fn steps(&self) -> Vec<(&str, Duration, Duration)> {
        let pairs = self.changes.iter().zip(self.changes.iter().skip(1));
        pairs.map(|((from, name), (to, _))| (name.as_str(), *from, *to)).collect()
    }
}

/// What a boot after a cut was like, in seconds from power-on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Back {
    /// A shell was to be had.
    pub shell: f64,
    /// The agent said that the engine is ready.
    pub engine: f64,
    /// The app answered.
    pub app: f64,
    /// Nothing was under way any more.
    pub rest: f64,
    /// The engine was restarted on the way, since it kept a published port for nobody.
    pub engine_was_restarted: bool,
}

/// See the head of the module.
pub struct Stand {
    /// The board.
    pub rig: Rig,
    /// What must stay true.
    pub known: Known,
    /// How long the app may stay away once the engine answers after a boot: as long as anything that is
    /// waited for, unless set.
    pub away_max: Duration,
    count: u32,
    /// What the last boot took until nothing was under way.
    boot_time: Duration,
}

impl Stand {
    /// A fresh board that is off, with a registry and a broker beside it.
    pub fn new(arch: Arch) -> Self {
        let rig = Rig::new(arch);
        let away_max = rig.guest().patience();
        let boot_time = BOOT_TIME_USUAL;
        Self { rig, known: Known::default(), away_max, count: 0, boot_time }
    }

    /// Boots it, installs the package and the app, and fills the app's volumes.
    #[track_caller]
    pub fn install(&mut self) {
        self.rig.set_up();
        self.rig.install(&package_for(self.rig.guest().arch()));
        let (version, _) = self.push("");
        self.rig.define(&self.rig.definition());
        self.rig.wait_version(&version);
        self.known.committed.push(version);
        let folder = format!("/var/lib/titania-volumes/{APP}");
        self.rig.guest().shell(&format!(
            "set -e; for place in state/1/state data/data; do cd {folder}/$place; \
             head -c 3000000 /dev/urandom >blob; mkdir many; \
             for number in 1 2 3 4 5 6 7 8 9; do echo $number$place >many/$number; done; \
             chown -R --reference=. blob many; done; sync"
        ));
        watch_boots(self.rig.guest());
        self.remember();
    }

    /// Takes what is on the board now for what must stay.
    #[track_caller]
    fn remember(&mut self) {
        let look = Look::at(self.rig.guest());
        let generation = look.record()["current"]["generation"].as_u64().unwrap_or(0);
        self.known.instance = look.text("instance").trim().to_owned();
        self.known.state_sum = look.text(&format!("sum {generation}")).to_owned();
        self.known.data_sum = look.text("data sum").to_owned();
        let is_full = self.known.state_sum.lines().count() == 10;
        assert!(is_full && !self.known.instance.is_empty(), "{look:#?}");
        self.judge();
    }

    /// Every promise that can be seen of a board at rest, once what is no longer needed was tidied away.
    ///
    /// # Panics
    /// With all complaints, if there are any.
    #[track_caller]
    pub fn judge(&mut self) -> Look {
        let version = self.version();
        let limit = TIDY_TIME * self.rig.guest().arch().patience();
        let look = wait_between(limit, BETWEEN_LOOKS, "a board at rest", || {
            let look = Look::at(self.rig.guest());
            let complaints = at_rest(&look, &self.known, &version);
            match complaints.is_empty() {
                true => Ok(look),
                false => Err(format!("{}\n{look:#?}", complaints.join("\n"))),
            }
        });
        look.text("data stamps").clone_into(&mut self.known.data_stamps);
        look
    }

    /// The version that was committed last.
    pub fn version(&self) -> String {
        self.known.committed.last().cloned().unwrap_or_default()
    }

    /// Pushes the next version; returns it, and its release.
    pub fn push(&mut self, told: &str) -> (String, String) {
        self.count += 1;
        let version = format!("{}.0.0", self.count);
        let release = self.rig.push(&version, told);
        self.known.tried.insert(version.clone());
        (version, release)
    }

    /// Asks for an update and listens, until `is_over` says that it has heard enough.
    #[track_caller]
    pub fn listen(&self, mut is_over: impl FnMut(&Timeline, Duration) -> bool) -> Timeline {
        let topic = self.rig.topic(&format!("app/{APP}"));
        let mut from = 0;
        let _ = self.rig.listener().fresh(&mut from);
        self.rig.update();
        let begun = Instant::now();
        let mut timeline = Timeline::default();
        wait_between(self.rig.guest().patience(), BETWEEN_HEARINGS, "the update", || {
            for message in self.rig.listener().fresh(&mut from) {
                if message.topic == topic {
                    let step = message.json()["update"]["step"].as_str().unwrap_or("").to_owned();
                    if step != timeline.step() {
                        timeline.changes.push((begun.elapsed(), step));
                    }
                }
            }
            is_over(&timeline, begun.elapsed())
        });
        timeline
    }

    /// One whole update to a good release.
    #[track_caller]
    pub fn update_whole(&mut self) -> Timeline {
        let (version, _) = self.push("");
        let timeline = self.listen(|timeline, _| timeline.is_over());
        self.rig.wait_version(&version);
        self.known.committed.push(version);
        self.judge();
        timeline
    }

    /// The plug is pulled.
    pub fn cut(&self, chance: &mut Chance) -> Lost {
        self.rig.guest().cut(chance)
    }

    /// Switches it on and pulls the plug again at some instant before it would be at rest. Returns when.
    pub fn cut_in_boot(&self, chance: &mut Chance) -> (Duration, Lost) {
        let guest = self.rig.guest();
        guest.power_on(&Hardware::default());
        let begun = Instant::now();
        let boot = u64::try_from(self.boot_time.as_millis()).unwrap_or(u64::MAX);
        let at = Duration::from_millis(chance.below(boot));
        wait_between(at + BETWEEN_HEARINGS, BETWEEN_HEARINGS, "the instant", || {
            begun.elapsed() >= at
        });
        (begun.elapsed(), guest.cut(chance))
    }

    /// Switches it on after a cut in an update to `version` and sees what was promised: the app comes
    /// back, the right one first, and in the end the right release with the right volumes. `bad`
    /// is the release when it is one that must fail.
    #[track_caller]
    pub fn come_back(&mut self, version: &str, bad: Option<&str>) -> Back {
        let begun = Instant::now();
        self.rig.guest().boot(&Hardware::default());
        self.come_to_rest(begun, version, bad)
    }

    /// The same from the moment on at which a booted board lets one in; it was switched on at `begun`.
    #[track_caller]
    pub fn come_to_rest(&mut self, begun: Instant, version: &str, bad: Option<&str>) -> Back {
        let passed = || begun.elapsed().as_secs_f64();
        let mut back = Back { shell: passed(), ..Back::default() };
        let guest = self.rig.guest();
        guest.wait("the engine to be ready", || {
            let status = guest.status();
            match status["board"]["engine"]["state"] == "ready" {
                true => Ok(()),
                false => Err(format!("{status:#}")),
            }
        });
        back.engine = passed();
        let old = self.version();
        wait_between(self.away_max, Duration::from_millis(200), "P1: the app to answer", || {
            match self.rig.version() {
                Some(said) if said == old || said == version => Ok(()),
                other => Err(format!("{other:?}, wanted {old} or {version}")),
            }
        });
        back.app = passed();
        self.rig.update();
        match bad {
            None => {
                self.rig.wait_version(version);
                self.known.committed.push(version.to_owned());
            }
            Some(release) => {
                guest.wait_app(APP, "to remember a release as bad", |app| {
                    let list = app["quarantine"].as_array().into_iter().flatten();
                    let is_known = list.into_iter().any(|one| one["config"] == release);
                    is_known && app["update"].is_null()
                });
                self.rig.wait_version(&old);
            }
        }
        back.rest = passed();
        self.boot_time = begun.elapsed();
        let look = self.judge();
        back.engine_was_restarted = look.engine_was_restarted();
        let complaints = right_one_first(&look, false);
        assert!(complaints.is_empty(), "{}\n{look:#?}", complaints.join("\n"));
        back
    }

    /// What the agent says of the app.
    pub fn app(&self) -> Value {
        self.rig.guest().app(APP)
    }
}
