//! The search: breadth first, one plain successor a world and all else that may happen.
//!
//! A world is known by a hash of 64 bits; that two of a few million share one is a chance of one in a million.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use titania_core::names::Generation;

/// Steps and waits after which a world without faults must be at rest.
const STEPS_MAX: u16 = 120;
/// Most worlds of a search of each test run: with more of them the bounds bound nothing, or a release is tried for ever.
pub const STATES_MAX: usize = 2_000_000;
/// The same of a deep one.
pub const STATES_MAX_DEEP: usize = 100_000_000;
/// Steps shown of what never comes to rest.
const SHOWN_MAX: usize = 30;

/// What can be searched: a world, with all that can happen to it.
pub trait World: Clone + Hash {
    /// What the agent would do.
    type Decision;
    /// Asks the real `decide`.
    fn decide(&self) -> Self::Decision;
    /// Whether all is as it shall be for good.
    fn rests(&self, decision: &Self::Decision) -> bool;
    /// All else that can happen.
    fn others(&self, decision: &Self::Decision) -> Vec<(Box<Self>, Label)>;
    /// Goes on without a fault: a step, or time.
    fn go_on(&mut self, decision: &Self::Decision) -> Label;
    /// Forgets what no longer tells two worlds apart. Tells the first promise that was broken.
    fn reduce(&mut self) -> Option<&'static str>;
}

/// Folds words by a long multiplication: fast, and the inputs are our own.
#[derive(Default)]
struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in words.by_ref() {
            self.write_u64(u64::from_le_bytes(word.try_into().expect("eight bytes")));
        }
        let rest = words.remainder();
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.write_u64(u64::from_le_bytes(last));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15)
            * u128::from(0xd6e8_feb8_6659_fd93_u64 ^ word.rotate_left(32));
        self.0 = (product >> 64) as u64 ^ product as u64 ^ self.0.rotate_left(23);
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(n.into());
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(n.into());
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }
}

/// A key is a hash already.
#[derive(Default)]
struct Plain(u64);

impl Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

fn key(s: &impl Hash) -> u64 {
    let mut hasher = Fold::default();
    s.hash(&mut hasher);
    hasher.finish()
}

/// Added to a label's generation where it is about the second app.
const SECOND_APP: u8 = 100;

/// What happened, for traces: an act, and the generation it was about; 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(pub &'static str, pub u8);

impl Label {
    /// An act on a generation.
    pub fn of(act: &'static str, g: Generation) -> Self {
        Self(act, u8::try_from(g.0).unwrap_or(u8::MAX).min(SECOND_APP - 1))
    }

    /// The same, of the second app.
    pub fn of_second(self) -> Self {
        Self(self.0, self.1.saturating_add(SECOND_APP))
    }
}

/// How a world was reached first, what it does by itself, and where that leads.
struct Visit {
    by: Label,
    does: Label,
    parent: u32,
    next: u32,
    rests: bool,
}

/// A world that waits to be looked at: its depth, and how long nothing has happened to it.
struct Open<W> {
    state: Box<W>,
    at: u32,
    depth: u32,
    quiet: u16,
}

/// One search.
pub struct Search<W> {
    seen: HashMap<u64, u32, BuildHasherDefault<Plain>>,
    visits: Vec<Visit>,
    open: VecDeque<Open<W>>,
    most: usize,
    pub transitions: usize,
    pub depth: u32,
}

fn shown(Label(act, g): &Label) -> String {
    let app = if *g < SECOND_APP { "" } else { "the second app: " };
    match g % SECOND_APP {
        0 => format!("{app}{act}"),
        g => format!("{app}{act} {g}"),
    }
}

impl<W: World> Search<W> {
    /// Nothing seen yet; `most` worlds may be.
    pub fn new(most: usize) -> Self {
        Self {
            seen: HashMap::default(),
            visits: Vec::new(),
            open: VecDeque::new(),
            most,
            transitions: 0,
            depth: 0,
        }
    }

    /// Worlds seen.
    pub fn states(&self) -> usize {
        self.visits.len()
    }

    fn visit(&self, at: u32) -> &Visit {
        &self.visits[at as usize]
    }

    /// The way to a world, and one step more.
    fn trace(&self, at: u32, last: Option<Label>) -> String {
        let mut steps: Vec<_> =
            self.way(at).iter().rev().map(|at| shown(&self.visit(*at).by)).collect();
        steps.extend(last.iter().map(shown));
        format!("after {} steps:\n  {}", steps.len() - 1, steps.join("\n  "))
    }

    /// A world and those it was reached by, back to the first.
    fn way(&self, mut at: u32) -> Vec<u32> {
        let mut way = vec![at];
        while at != 0 {
            at = self.visit(at).parent;
            way.push(at);
        }
        way
    }

    /// What a world does by itself.
    fn goes_on(&self, mut at: u32) -> String {
        let mut steps = Vec::new();
        while steps.len() < SHOWN_MAX {
            steps.push(shown(&self.visit(at).does));
            at = self.visit(at).next;
        }
        format!("and then:\n  {}", steps.join("\n  "))
    }

    /// A world that was met: a new one waits to be looked at. Tells its number.
    fn meet(
        &mut self,
        mut state: Box<W>,
        by: Label,
        from: (u32, u32),
        quiet: u16,
    ) -> Result<u32, String> {
        self.transitions += 1;
        let (parent, depth) = from;
        if let Some(broken) = state.reduce() {
            return Err(format!("{broken}\n{}", self.trace(parent, Some(by))));
        }
        let fresh = u32::try_from(self.visits.len()).expect("fewer worlds than four milliard");
        match self.seen.entry(key(&state)) {
            Entry::Occupied(known) => Ok(*known.get()),
            Entry::Vacant(place) => {
                place.insert(fresh);
                self.visits.push(Visit { by, does: by, parent, next: fresh, rests: false });
                self.open.push_back(Open { state, at: fresh, depth: depth + 1, quiet });
                Ok(fresh)
            }
        }
    }

    /// Searches all that can be reached from here.
    ///
    /// # Errors
    /// The promise that was broken, and the way there.
    pub fn run(&mut self, start: W) -> Result<(), String> {
        self.meet(Box::new(start), Label("start", 0), (0, 0), 0)?;
        while let Some(mut open) = self.open.pop_front() {
            self.depth = self.depth.max(open.depth);
            let decision = open.state.decide();
            let rests = open.state.rests(&decision);
            if rests {
                open.quiet = 0;
            } else if open.quiet > STEPS_MAX {
                let way = self.way(open.at);
                let since = way[usize::from(open.quiet).min(way.len() - 1)];
                let (trace, then) = (self.trace(since, None), self.goes_on(since));
                return Err(format!("P1: not at rest after {STEPS_MAX} steps\n{trace}\n{then}"));
            }
            if self.visits.len() > self.most {
                let trace = self.trace(open.at, None);
                return Err(format!("P4: no end, after {} worlds\n{trace}", self.most));
            }
            self.look(open, &decision, rests)?;
        }
        self.all_rest()
    }

    /// All that can happen to one world.
    fn look(&mut self, open: Open<W>, decision: &W::Decision, rests: bool) -> Result<(), String> {
        let Open { mut state, at, depth, quiet } = open;
        for (state, label) in state.others(decision) {
            self.meet(state, label, (at, depth), 0)?;
        }
        let does = state.go_on(decision);
        let next = self.meet(state, does, (at, depth), quiet + 1)?;
        let visit = &mut self.visits[at as usize];
        (visit.does, visit.next, visit.rests) = (does, next, rests);
        Ok(())
    }

    /// By itself each world comes to one that rests: none goes round in circles.
    fn all_rest(&self) -> Result<(), String> {
        let mut known: Vec<bool> = self.visits.iter().map(|visit| visit.rests).collect();
        for start in 0..self.visits.len() {
            let (mut path, mut at) = (Vec::new(), start);
            while !known[at] {
                if path.len() > self.visits.len().min(10_000) {
                    let first = self.earliest(at as u32);
                    let (trace, then) = (self.trace(first, None), self.goes_on(first));
                    return Err(format!("P1: goes round in circles\n{trace}\n{then}"));
                }
                path.push(at);
                at = self.visits[at].next as usize;
            }
            for at in path {
                known[at] = true;
            }
        }
        Ok(())
    }

    /// The world of a circle that was reached first.
    fn earliest(&self, at: u32) -> u32 {
        let (mut circle, mut next) = (vec![at], self.visit(at).next);
        while next != at && circle.len() < 1000 {
            circle.push(next);
            next = self.visit(next).next;
        }
        circle.into_iter().min_by_key(|at| self.way(*at).len()).unwrap_or(at)
    }
}
