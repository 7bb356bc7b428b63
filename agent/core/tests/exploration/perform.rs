//! What each step does to the small world, and what must hold whenever the agent acts.

use std::sync::Arc;

use titania_core::change::{self, Stamp};
use titania_core::digest::Digest;
use titania_core::fork::{Fork, ForkFile, Mark};
use titania_core::names::{Generation, Owner};
use titania_core::reason::Code;
use titania_core::spec::Spec;
use titania_core::status::ContainerState;
use titania_core::step::{Change, Prunable, Step};
use titania_core::time::{Moment, Timestamp};
use titania_core::world::{Begun, Container, Evidence, Exit, Health, RecordFrom, World};

use crate::model::{Content, Nature, State};

impl State {
    /// The whole effect of a step, and what the executor remembers of it.
    pub fn perform(&mut self, step: &Step) {
        if let Some((name, g)) = step.name() {
            self.w.evidence.failed.retain(|f| (f.generation, f.step) != (g, name));
        }
        match step {
            Step::Write(change) => self.write(change),
            Step::Mark(g, mark) => self.mark(*g, mark),
            Step::Reserve(file) => self.reserve(file),
            Step::Fetch(g, _) => self.w.images.push(*g),
            Step::Inspect(g, s) => {
                let whole = Arc::new(Spec {
                    user: Some(Owner { uid: 70000, gid: 70000 }),
                    ..(**s).clone()
                });
                self.w.evidence.inspected = Some((*g, whole));
            }
            Step::Create(g, _, armed) => self.create(*g, *armed),
            Step::Compare(g, _) => {
                self.w.evidence.compared = self.w.container(*g).map(|c| c.id.clone());
            }
            Step::Stop(g) => self.stop(*g),
            Step::Remove(g) => {
                assert!(!self.up().contains(g), "removed while it runs");
                self.vanish(*g);
                self.late = self.late.filter(|l| l != g);
                self.w.evidence.was_down = self.w.evidence.was_down.filter(|d| d != g);
            }
            Step::Fork(g, _) => self.copy(*g),
            Step::Unfinish(g) => {
                if let Some(f) = self.fork(*g) {
                    f.unfinished = true;
                }
            }
            Step::Own(g, _) => {
                if let Some(f) = self.fork(*g) {
                    f.owned = true;
                }
            }
            Step::Start(g) => {
                self.check_start(*g);
                self.sent(*g);
                if !self.up().contains(g) {
                    self.run(*g);
                }
            }
            Step::Arm(g) => self.container(*g).expect("armed a container").armed = true,
            Step::Seek(g, _) => self.w.evidence.sought = Some((*g, true)),
            Step::Prune(p) => self.prune(p),
        }
        self.w.forks.sort_by_key(|f| f.generation);
        self.w.containers.sort_by_key(|c| c.generation);
        self.stranger &= self.up().len() > 1;
    }

    pub fn stop(&mut self, g: Generation) {
        let Some(c) = self.w.container(g).cloned() else { return };
        if c.is_up() {
            self.w.evidence.stopped = Some((g, c.started_at.clone()));
            self.end(g, Exit::Ambiguous(Code::StoppedOutside));
            self.stopped.push(g);
        } else {
            self.w.evidence.was_down = Some(g);
        }
    }

    /// A start was sent, whatever its answer.
    pub fn sent(&mut self, g: Generation) {
        if let Some(begun) = self.w.evidence.begun.as_mut().filter(|b| b.generation == g) {
            begun.sent = true;
        }
    }

    fn copy(&mut self, g: Generation) {
        let parent = self.w.fork(g).and_then(|f| f.file.as_ref()).and_then(|f| f.parent);
        let current = self.w.record.current.as_ref().map(|c| c.generation);
        assert_ne!(current, Some(g), "copied over the current fork");
        let seen = parent.and_then(|p| self.w.container(p)).and_then(|c| c.started_at.clone());
        let torn = parent.is_some_and(|p| self.up().contains(&p));
        let base = parent.map(|p| (p, self.content.get(&p).map_or(0, |c| c.writes)));
        self.content.insert(g, Content { base, torn, ..Content::default() });
        if let Some(f) = self.fork(g) {
            assert!(f.unfinished, "copied over a fork that counts");
            f.unfinished = false;
            f.owned = false;
            if let Some(file) = &mut f.file {
                file.parent_started_at = seen;
            }
        }
    }

    fn write(&mut self, change: &Change) {
        let mark = |w: &World| {
            let fork = w.fork(w.record.intent.as_ref()?.generation)?;
            fork.file.as_ref()?.mark.clone()
        };
        let wanted = self.w.wanted_generation();
        let stamp = Stamp {
            app: "app".parse().expect("a name"),
            at: Timestamp(0),
            now: Moment(0),
            boot: self.w.boot.clone(),
            mark: mark(&self.w),
            steps: vec![],
            down_ms: None,
        };
        if let Change::Begin(i) = change {
            assert!(
                !self.condemned || i.spec.release.config != Some(Digest::of(&[1])),
                "P4: tried again"
            );
        }
        let mut record = change::apply(&self.w.record, change, &stamp);
        record.last = None;
        self.former = (self.w.record_from == RecordFrom::File).then(|| self.w.record.clone());
        self.w.record_from = RecordFrom::File;
        match change {
            Change::Boots { boots, .. } => {
                if let Some(i) = &record.intent {
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
                let settled = self.w.evidence.settled;
                let sought = self.w.evidence.sought;
                self.w.evidence = Evidence { settled, sought, ..Evidence::default() };
                if record.tries.is_some() {
                    self.w.evidence.retry_at = Some(Moment(1));
                }
            }
            Change::Retry | Change::GoBack(..) => self.condemned = false, // a person's will
            _ => {}
        }
        self.w.record = record;
        if self.w.wanted_generation() != wanted {
            self.w.health = Health::Starting;
        }
    }

    /// What must hold whenever the agent itself starts a container.
    fn check_start(&self, g: Generation) {
        let others: Vec<_> = self.up().into_iter().filter(|u| *u != g).collect();
        assert!(others.is_empty(), "P3: {g:?} started while {others:?} runs");
        assert!(self.late.is_none_or(|l| l == g), "P3: started while a lost start may land");
        let fork = self.w.fork(g).expect("P2: started without a fork");
        assert!(fork.is_complete(), "P2: started on an unfinished fork");
        assert!(fork.owned, "P6: started before its volumes were owned");
        let content = &self.content[&g];
        assert!(!content.torn, "P2: started on a torn copy");
        let current = self.w.record.current.as_ref().map(|c| c.generation);
        let intent = self.w.record.intent.as_ref().filter(|i| i.generation == g && !i.old_state);
        if let (Some(i), Some(current)) = (intent, current) {
            assert!(i.boots() > 0, "started before boots was written");
            assert!(
                !content.early,
                "P2: started on a copy that was written to before its probation"
            );
            let now = self.content.get(&current).map_or(0, |c| c.writes);
            assert_eq!(content.base, Some((current, now)), "P2: the copy is not the latest state");
            assert!(!self.condemned || !self.is_second(g), "P4: a condemned release was started");
        } else if self.w.record.intent.as_ref().is_none_or(|i| i.generation != g) {
            assert_eq!(current, Some(g), "started what nobody wants");
        }
    }

    fn mark(&mut self, g: Generation, mark: &Mark) {
        if let Mark::Failed { word: Some(word), .. } = mark {
            assert!(
                !word.quarantined || self.doubt || self.nature(g) != Nature::Good,
                "P4: condemned a good release"
            );
            self.condemned |= word.quarantined && self.is_second(g);
        }
        let mark = Some(mark.clone());
        self.fork(g).and_then(|f| f.file.as_mut()).expect("marks a fork that has a file").mark =
            mark;
    }

    fn reserve(&mut self, file: &ForkFile) {
        let g = file.generation;
        self.w.forks.retain(|f| f.generation != g);
        let file = Some(file.clone());
        self.w.forks.push(Fork {
            generation: g,
            file,
            folder: true,
            unfinished: true,
            owned: false,
            set_aside: false,
        });
        self.content.insert(g, Content::default());
    }

    fn create(&mut self, g: Generation, armed: bool) {
        assert!(self.w.images.contains(&g), "created without an image");
        assert!(self.w.container(g).is_none(), "created twice");
        self.w.containers.push(Container {
            id: g.to_string(),
            generation: g,
            state: ContainerState::Created,
            alive: false,
            started_at: None,
            armed,
            exit: None,
        });
    }

    fn prune(&mut self, p: &Prunable) {
        let record = &self.w.record;
        for kept in [&record.current, &record.previous].into_iter().flatten() {
            assert!(!p.forks.contains(&kept.generation), "pruned a fork that is needed");
        }
        let highest = self.w.forks.iter().map(|f| f.generation).max();
        self.w.forks.retain(|f| !p.forks.contains(&f.generation) || Some(f.generation) == highest);
        for f in self.w.forks.iter_mut().filter(|f| p.forks.contains(&f.generation)) {
            f.folder = false;
        }
        self.w.images.retain(|g| !p.images.contains(g));
    }
}
