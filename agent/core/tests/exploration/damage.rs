//! Images that lost what is in them: their containers start, and end before anything runs.

use titania_core::names::Generation;
use titania_core::reason::{Class, Code};
use titania_core::status::{ContainerState, StepName};
use titania_core::step::{Decision, Step, Why};
use titania_core::time::Timestamp;
use titania_core::world::{Doubt, Exit};

use crate::faults::Faults;
use crate::model::{State, reason};
use crate::search::Label;

impl State {
    /// Whether the image of a generation's release is damaged, in truth.
    pub fn is_damaged(&self, g: Generation) -> bool {
        self.damaged[usize::from(self.release(g))]
    }

    /// What comes of a start of a damaged image: with a policy the engine tries again and again.
    pub fn fizzle(&mut self, g: Generation) {
        let policy = self.w.keeps_policy && self.w.container(g).is_some_and(|c| c.armed);
        self.end(g, Exit::Own(reason(Code::Exited, Class::Release)));
        if let Some(c) = self.container(g).filter(|_| policy) {
            (c.state, c.exit) = (ContainerState::Restarting, None);
        }
        if self.current() == Some(g) {
            self.suspect(g);
        }
    }

    /// Whether the container of a generation is of no more use: its image is damaged in truth and was found to be, and
    /// nothing can be fetched in its place, as far as was told.
    pub fn is_given_up(&self, g: Generation) -> bool {
        let evidence = &self.w.evidence;
        let is_its = |(of, _): (Generation, Timestamp)| of == g;
        let failed = self.w.failure(g, StepName::Inspect);
        let is_shared = failed.is_some_and(|failed| failed.reason.code == Code::ImageDamaged);
        let is_found = is_shared || evidence.doubt == Some((g, Doubt::Damaged));
        let is_nowhere = evidence.sought == Some((g, false));
        let is_in_vain = is_shared || is_nowhere || evidence.repaired.is_some_and(is_its);
        self.is_damaged(g) && !self.runs(g) && is_found && is_in_vain
    }

    /// What the executor makes of an end of the current one, or of a start that was refused.
    pub fn suspect(&mut self, g: Generation) {
        let was = self.w.evidence.doubt.filter(|(of, _)| *of == g).map(|(_, doubt)| doubt);
        let now = match was {
            Some(Doubt::Gone | Doubt::Needed) => Doubt::Needed,
            _ => Doubt::Suspected,
        };
        self.w.evidence.doubt = Some((g, now));
    }

    /// The engine tries once more what has a policy: it is heard to end.
    pub fn tries_again(&mut self) {
        let Some(g) = self.current() else { return };
        let restarts = self.w.container(g).is_some_and(|c| c.state == ContainerState::Restarting);
        let is_known = |(of, doubt)| of == g && doubt != Doubt::Gone;
        if restarts && !self.w.evidence.doubt.is_some_and(is_known) {
            self.suspect(g);
        }
    }

    pub fn look(&mut self, g: Generation, step: &Step) {
        let is_current = self.current() == Some(g);
        let is_seen = self.is_damaged(g) && self.has_image(g);
        if is_seen && is_current && self.is_shared && self.release(g) == 0 {
            self.fail_as(step, g, Code::ImageDamaged, Class::Environment);
            return;
        }
        let doubt = match self.is_damaged(g) {
            _ if !self.has_image(g) => Doubt::Gone,
            true => Doubt::Damaged,
            false => Doubt::Sound,
        };
        self.w.evidence.doubt = Some((g, doubt));
    }

    /// Container and image go; what is fetched then is whole, but for layers that another app holds.
    pub fn repair(&mut self, g: Generation) {
        let release = self.release(g);
        let is_current = self.current() == Some(g);
        let is_asked = self.w.evidence.sought == Some((g, true));
        self.promise(self.is_damaged(g), "P1: removed an image that is well");
        self.promise(!self.runs(g), "P3: removed what runs, to repair it");
        self.promise(is_asked || !is_current, "P1: removed an image before it was asked for");
        let is_first = self.w.evidence.repaired.is_none_or(|(of, _)| of != g);
        self.promise(is_first, "P1: repaired twice without having run in between");
        self.vanish(g);
        let is_used = self.w.containers.iter().any(|c| self.release(c.generation) == release);
        self.promise(!is_used, "P1: removed an image that another container was made from");
        let stays: Vec<_> =
            self.w.images.iter().copied().filter(|i| self.release(*i) != release).collect();
        self.w.images = stays;
        self.damaged[usize::from(release)] &= self.is_shared && release == 0;
        self.w.evidence.inspected.take_if(|(of, _)| *of == g);
        self.w.evidence.doubt = None;
        self.w.evidence.repaired = Some((g, Timestamp(0)));
    }

    /// As the executor's own upkeep does; and what nothing is made from any more is not damaged.
    pub fn reduce_damage(&mut self) {
        let (current, intent) = (self.current(), self.w.record.intent.as_ref());
        let intent = intent.map(|i| i.generation);
        let is_known = |g: &Generation| Some(*g) == current || Some(*g) == intent;
        self.w.evidence.repaired.take_if(|(g, _)| !is_known(g));
        let w = &mut self.w;
        let (images, containers) = (&w.images, &w.containers);
        let is_here =
            |g: Generation| images.contains(&g) || containers.iter().any(|c| c.generation == g);
        let is_open = |g: Generation| {
            w.record.intent.as_ref().is_some_and(|i| i.generation == g && i.verdict.is_none())
        };
        w.evidence.doubt.take_if(|(g, doubt)| {
            !is_known(g) || !is_here(*g) || *doubt == Doubt::Sound && !is_open(*g)
        });
        // What was found in an image that is gone says nothing of the next one.
        w.evidence.failed.retain(|f| f.step != StepName::Inspect || is_here(f.generation));
        let all: Vec<_> =
            images.iter().copied().chain(containers.iter().map(|c| c.generation)).collect();
        let mut damaged = [false; 3];
        for g in all {
            let release = usize::from(self.release(g));
            damaged[release] = self.damaged[release];
        }
        self.damaged = damaged;
    }

    /// Whether a damaged image can't be mended: its layers are another app's, too, or no registry has it.
    pub fn is_beyond_repair(&self, decision: &Decision) -> bool {
        let (Decision::Blocked(why, _) | Decision::Wait(why, _)) = decision else { return false };
        let is_told = match why {
            Why::ImageDamaged { .. } => true,
            Why::Failed(reason) => reason.code == Code::ImageDamaged,
            _ => false,
        };
        is_told && self.damaged[0] && (self.is_shared || self.unpublished)
    }
}

/// A power cut, with images of which not all was on the disk; another app that comes to share one.
pub fn of_damage(faults: &mut Faults<'_>) {
    let s = faults.from;
    if !s.bounds.damage {
        return;
    }
    let all = s.w.images.iter().copied().chain(s.w.containers.iter().map(|c| c.generation));
    let mut releases: Vec<u8> = all.map(|g| s.release(g)).collect();
    releases.sort_unstable();
    releases.dedup();
    for release in releases {
        let label = Label("the power is cut, and damages the image of release", release + 1);
        faults.push(label, |n| {
            n.damaged[usize::from(release)] = true;
            n.reboot();
        });
    }
    if !s.is_shared {
        faults.push(Label("another app shares the image of release", 1), |n| n.is_shared = true);
    }
}
