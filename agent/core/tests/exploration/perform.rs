//! What each step does to the small world, what the executor remembers of it, and what must hold there.

use std::sync::Arc;

use titania_core::change::{self, Stamp};
use titania_core::fork::{Fork, ForkFile, Mark};
use titania_core::names::Generation;
use titania_core::reason::{Class, Code, Reason};
use titania_core::spec::Spec;
use titania_core::status::ContainerState;
use titania_core::step::{Change, Prunable, Step};
use titania_core::time::{Moment, Timestamp};
use titania_core::world::{Begun, Container, Evidence, Exit, Failure, Health, RecordFrom};

use crate::model::{Content, Nature, State, definition, reason, release, spec};

impl State {
    /// The whole effect of a step, and what the executor remembers of it.
    pub fn perform(&mut self, step: &Step) {
        if let Some((name, g)) = step.name() {
            self.w.evidence.failed.retain(|f| (f.generation, f.step) != (g, name));
        }
        self.check_step(step);
        if self.is_full && self.finds_no_room(step) {
            return;
        }
        match step {
            Step::Write(change) => self.write(change, true),
            Step::Mark(g, mark) => self.mark(*g, mark),
            Step::Reserve(file) => self.reserve(file),
            Step::Fetch(g, s) => self.fetch(*g, s, step),
            Step::Inspect(g, _) | Step::Compare(g, _) if !self.w.images.contains(g) => {} // looked at again
            Step::Inspect(g, _) if self.nature(*g) == Nature::NotRunnable => {
                self.fail(step, *g, Class::Release);
            }
            Step::Inspect(g, _) if self.is_damaged(*g) => {
                self.fail_as(step, *g, Code::ImageDamaged, Class::Environment);
            }
            Step::Look(g, _) => self.look(*g, step),
            Step::Repair(g, _) => self.repair(*g),
            Step::Inspect(g, s) => {
                let other = s.hash == definition(true);
                let whole = spec(release(s), other, true, s.definition.update.rollback);
                self.w.evidence.inspected = Some((*g, whole));
            }
            Step::Create(g, s, armed) => self.create(*g, s, *armed),
            Step::Compare(g, _) => {
                self.w.evidence.compared = self.w.container(*g).map(|c| c.id.clone());
            }
            Step::Stop(g) => self.stop(*g),
            Step::Remove(g) => {
                self.promise(!self.runs(*g), "P2: removed while it runs");
                self.vanish(*g);
            }
            Step::Fork(g, s) => self.copy(*g, s),
            Step::Unfinish(g) => {
                if let Some(f) = self.fork(*g) {
                    f.unfinished = true;
                }
            }
            Step::Own(g, _) => {
                if let Some(f) = self.fork(*g) {
                    f.owned = true;
                }
                self.put(Content { owned: true, ..self.content(*g) });
            }
            Step::Start(g) => {
                self.check_start(*g);
                self.sent(*g);
                // What the engine calls running it starts no second time.
                if self.w.container(*g).is_some_and(|c| c.state != ContainerState::Running) {
                    self.begins(*g);
                    self.run(*g);
                }
            }
            Step::Arm(g) => self.arm(*g),
            Step::Seek(g, _) if self.away => self.fail(step, *g, Class::Environment),
            Step::Seek(g, _) => self.w.evidence.sought = Some((*g, self.is_published(*g))),
            Step::Prune(what) => self.prune(what),
            Step::Purge => {
                self.purge();
                self.write(&Change::Purged, true);
            }
        }
    }

    fn reserve(&mut self, file: &ForkFile) {
        let generation = file.generation;
        let counts = self.w.fork(generation).is_some_and(|f| f.file.is_some() && f.is_complete());
        self.promise(!counts, "P2: a number was given out twice, over a fork that counts");
        self.reserved = self.reserved.max(generation);
        self.w.forks.retain(|f| f.generation != generation);
        let file = Some(file.clone());
        self.w.forks.push(Fork {
            generation,
            file,
            folder: true,
            unfinished: true,
            owned: false,
            set_aside: false,
        });
        self.put(Content { of: generation, ..Content::default() });
    }

    /// The same release under another tag of the agent's own needs no network.
    fn fetch(&mut self, g: Generation, s: &Spec, step: &Step) {
        let is_same = |i: &Generation| self.w.spec(*i).is_some_and(|o| o.release.is(&s.release));
        let is_here = self.w.images.iter().any(is_same);
        if is_here || !self.away && self.is_published(g) {
            self.w.images.push(g);
        } else {
            self.fail(step, g, Class::Environment);
        }
    }

    fn create(&mut self, g: Generation, s: &Spec, armed: bool) {
        self.promise(self.w.images.contains(&g), "created without an image");
        self.promise(self.w.container(g).is_none(), "created twice");
        self.promise(s.user.is_some(), "P6: made without a user");
        let is_committed = self.current() == Some(g) && self.w.keeps_policy;
        self.promise(!armed || is_committed, "P3: a policy for one that is not committed");
        let (state, id) = (ContainerState::Created, g.to_string());
        let (alive, started_at, exit) = (false, None, None);
        self.w.containers.push(Container {
            id,
            generation: g,
            state,
            alive,
            started_at,
            armed,
            exit,
        });
    }

    fn arm(&mut self, g: Generation) {
        self.promise(self.w.keeps_policy, "armed on an engine that can't");
        self.promise(
            self.current() == Some(g) || self.may_commit(g),
            "P3: a policy for one that is not committed",
        );
        if let Some(c) = self.container(g) {
            c.armed = true;
        }
    }

    pub fn mark(&mut self, g: Generation, mark: &Mark) {
        let mut mark = mark.clone();
        match &mut mark {
            Mark::Committed { count } => {
                let highest = self.w.forks.iter().filter_map(Fork::committed).max().unwrap_or(0);
                self.promise(*count > highest, "P1: the count of a commit went back");
                self.promise(self.may_commit(g), "P1: committed without proof");
            }
            Mark::Failed { reason, word, .. } => {
                plain(reason);
                self.promise(self.current().is_some(), "P1: a first install was judged");
                let has_way_back = self.has_way_back(reason);
                self.promise(word.is_some() || has_way_back, "P1: a verdict without a way back");
                let is_quarantined = word.is_some_and(|word| word.quarantined);
                let is_sound = self.doubt || self.nature(g) != Nature::Good;
                self.promise(!is_quarantined || is_sound, "P4: condemned a good release");
                let is_victim = self.w.record.proven && self.w.health == Health::Unhealthy;
                self.promise(!is_quarantined || !is_victim, "P4: condemned a victim");
                let doubtful = reason.class == Class::Environment;
                let is_first = self.w.record.tries.as_ref().is_none_or(|t| t.ambiguous == 0);
                self.promise(
                    !is_quarantined || !doubtful || !is_first,
                    "P4: condemned at the first try that can't be told apart",
                );
                let old = self.current().filter(|_| self.w.wanted_generation().is_some());
                let is_shown =
                    old.is_none_or(|g| !self.runs(g) || self.w.health != Health::Starting);
                self.promise(
                    word.is_none() || is_shown,
                    "P4: judged before the old one showed itself",
                );
                let went_on = !self.bounds.rollback
                    && self.w.container(g).is_some_and(|c| c.started_at.is_some());
                let is_boot = !self.w.boot.0.is_empty();
                let is_told = reason.code != Code::ExitUnseen || !is_boot;
                self.promise(word.is_some() || is_told, "P4: a restart of the board was not told");
                self.promise(word.is_some() || !went_on, "P2: went back though rollback is false");
                if is_quarantined {
                    let other = self.w.spec(g).is_some_and(|s| s.hash == definition(true));
                    self.condemned[usize::from(self.release(g))][usize::from(other)] = true;
                }
            }
        }
        let file = self.fork(g).and_then(|f| f.file.as_mut()).map(|file| file.mark = Some(mark));
        self.promise(file.is_some(), "marked a fork that has no file");
    }

    fn prune(&mut self, what: &Prunable) {
        let record = &self.w.record;
        let kept = [&record.current, &record.previous].into_iter().flatten().map(|c| c.generation);
        let under_way = record.intent.iter().flat_map(|i| [Some(i.generation), i.parent]).flatten();
        let needed: Vec<_> = kept.chain(under_way).collect();
        let failed = self.w.forks.iter().filter(|f| f.folder && f.failed() == Some(true));
        let failed = failed.max_by_key(|f| f.generation).filter(|f| !self.has_had_its_time(f));
        let failed = failed.map(|f| f.generation);
        let spares = !needed.iter().chain(&failed).any(|g| what.forks.contains(g));
        let spares_images = !needed.iter().any(|g| what.images.contains(g));
        self.promise(spares, "P2: pruned a fork that is needed");
        self.promise(spares_images, "P1: pruned an image that is needed");
        let highest = self.w.forks.iter().map(|f| f.generation).max();
        self.w
            .forks
            .retain(|f| !what.forks.contains(&f.generation) || Some(f.generation) == highest);
        for f in self.w.forks.iter_mut().filter(|f| what.forks.contains(&f.generation)) {
            f.folder = false;
        }
        self.w.images.retain(|g| !what.images.contains(g));
    }

    /// All volumes go, in one rename.
    pub fn purge(&mut self) {
        let is_asked = self.w.record.purge.is_some();
        self.promise(is_asked && self.w.containers.is_empty(), "P2: purged while it may run");
        self.w.forks.clear();
        self.w.images.clear();
        self.reserved = Generation(0); // nothing is left that a number could be mistaken for
    }

    pub fn stop(&mut self, g: Generation) {
        let Some(c) = self.w.container(g).cloned() else { return };
        if c.needs_stop() {
            self.w.evidence.stopped = Some((g, c.started_at));
            self.by_us = Some(g);
            self.end(g, Exit::Own(reason(Code::Exited, Class::Release))); // by no signal but the agent's
            self.stopped.push(g);
        } else {
            self.w.evidence.was_down = Some(g);
            self.w.evidence.stopped.take_if(|(s, _)| *s == g);
            self.by_us.take_if(|s| *s == g);
        }
    }

    /// A start was sent, whatever its answer.
    pub fn sent(&mut self, g: Generation) {
        if let Some(begun) = self.w.evidence.begun.as_mut().filter(|b| b.generation == g) {
            begun.sent = true;
        }
    }

    fn copy(&mut self, g: Generation, s: &Arc<Spec>) {
        self.check_cut();
        let parent = self.w.fork(g).and_then(|f| f.file.as_ref()).and_then(|f| f.parent);
        self.promise(self.current() != Some(g), "P2: copied over the current fork");
        let seen = parent.and_then(|p| self.w.container(p)).and_then(|c| c.started_at.clone());
        let torn = parent.is_some_and(|p| self.runs(p));
        let base = parent.map(|p| (p, self.content(p).writes));
        let begun = self.content(g).begun;
        self.put(Content { of: g, base, torn, begun, ..Content::default() });
        let unfinished = self.w.fork(g).is_some_and(|f| f.unfinished);
        self.promise(unfinished, "P2: copied over a fork that counts");
        if let Some(f) = self.fork(g) {
            f.unfinished = false;
            f.owned = false;
            if let Some(file) = &mut f.file {
                file.parent_started_at = seen;
                file.spec = s.clone();
            }
        }
    }

    /// Writes the record; on a full disk memory goes on with what marks have said already.
    pub fn write(&mut self, change: &Change, has_room: bool) {
        let intent = self.w.record.intent.as_ref();
        let file = intent.and_then(|i| self.w.fork(i.generation)).and_then(|f| f.file.as_ref());
        let mark = file.and_then(|file| file.mark.clone());
        let (wanted, tried) = (self.w.wanted_generation(), intent.map(|i| i.generation));
        let stamp = Stamp {
            app: "app".parse().expect("a name"),
            at: Timestamp(0),
            now: Moment(0),
            boot: self.w.boot.clone(),
            mark: mark.clone(),
            steps: vec![],
            down_ms: None,
        };
        self.check_write(change, mark.as_ref());
        let mut record = change::apply(&self.w.record, change, &stamp);
        record.last = None;
        if let Some(verdict) = record.intent.as_mut().and_then(|i| i.verdict.as_mut()) {
            plain(&mut verdict.reason);
        }
        for entry in &mut record.quarantine {
            plain(&mut entry.reason);
        }
        let before = std::mem::replace(&mut self.w.record, record);
        let from = std::mem::replace(&mut self.w.record_from, RecordFrom::File);
        if has_room {
            let (on_disk, from) = self.disk.take().unwrap_or((Arc::new(before), from));
            self.former = (from == RecordFrom::File).then_some(on_disk);
        } else {
            self.disk.get_or_insert((Arc::new(before), from));
        }
        self.follow(change, tried);
        if self.w.wanted_generation() != wanted {
            self.w.health = Health::Starting;
        }
    }

    fn follow(&mut self, change: &Change, tried: Option<Generation>) {
        match change {
            Change::Begin(_) => self.starts = 0,
            Change::Boots { boots, .. } => {
                if let Some(i) = &self.w.record.intent {
                    let c = self.w.container(i.generation);
                    self.w.evidence.begun = Some(Begun {
                        generation: i.generation,
                        boots: *boots,
                        started_at: c.and_then(|c| c.started_at.clone()),
                        running: c.is_some_and(Container::is_up),
                        sent: false,
                    });
                }
            }
            Change::Conclude | Change::Abandon(_) | Change::Refuse(_) => {
                let old = std::mem::take(&mut self.w.evidence);
                let Evidence { settled, sought, stopped, was_down, doubt, .. } = old;
                let repaired = old.repaired.filter(|(g, _)| Some(*g) != tried);
                let kept =
                    Evidence { settled, sought, stopped, was_down, doubt, ..Evidence::default() };
                self.w.evidence = Evidence { repaired, ..kept };
                if self.w.record.tries.is_some() {
                    self.w.evidence.retry_at = Some(Moment(1));
                    self.w.evidence.settled = false;
                }
            }
            Change::Retry => self.condemned = [[false; 2]; 3], // a person's will
            Change::Repaired(_) => {
                self.promise(
                    self.w.health == Health::Settled,
                    "P8: told as repaired, and not well",
                );
                self.w.evidence.repaired = None;
            }
            Change::Purged => {
                self.condemned = [[false; 2]; 3];
                self.w.evidence = Evidence::default();
            }
            Change::GoBack(..) => {
                self.condemned = [[false; 2]; 3];
                self.starts = 0;
            }
            _ => {}
        }
    }

    /// A step that failed with a reason.
    pub fn fail(&mut self, step: &Step, g: Generation, class: Class) {
        let code = if class == Class::Release { Code::NotRunnable } else { Code::EngineError };
        self.fail_as(step, g, code, class);
    }

    /// The same, with its code.
    pub fn fail_as(&mut self, step: &Step, g: Generation, code: Code, class: Class) {
        let Some((name, _)) = step.name() else { return };
        let (reason, retry_at) = (reason(code, class), Moment(1));
        self.w.evidence.failed.retain(|f| (f.generation, f.step) != (g, name));
        self.w.evidence.failed.push(Failure { generation: g, step: name, reason, retry_at });
        if let Step::Start(_) = step {
            self.sent(g);
        }
    }
}

/// A reason without its words: they tell no two worlds apart.
fn plain(reason: &mut Reason) {
    reason.message.clear();
    reason.hint.clear();
}
