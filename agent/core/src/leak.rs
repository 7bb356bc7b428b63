//! A published port that the engine keeps for no container: told apart from one that somebody has.
//!
//! After a power cut between two writes of a start, Docker gives the port out again when it starts, and never takes it
//! back (moby/libnetwork#1790): its own proxy listens there for nobody, each start is refused with "port is already
//! allocated", and only another start of the engine ends that. A stranger's program is refused with other words, for
//! those are of the engine's own list of ports: so a port on that list which no container can have is a leak.
//!
//! Promise: nothing is called a leak while a container may have the port, or be starting with it just now.
//! Trusts: that the refusal had those words; that an engine answers only when it has started what it starts by itself
//! (dockerd serves its API after `daemon.restore`, which waits for that: 20.10 to 28.5). Distrusts: one look.

use alloc::string::String;

use crate::time::{Millis, Moment};

/// A leak is found by two refusals so far apart at least. All containers are inspected between them, and the engine
/// answers for one that is being started or stopped only when that is done, network and ports included: who had the port
/// at the first refusal and is down by the second has given it back. The time is for what leaves the list meanwhile.
pub const LOOKS_APART: Millis = Millis::seconds(2);
/// The same while a container of somebody else is defined with the port and does not run. None is in the midst of a
/// start, or inspect would have waited for it; but somebody may start it again and again as it ends, and would have to be
/// missed by each look, four of them in this time, each right after a refusal.
pub const OTHERS_APART: Millis = Millis::seconds(6);
/// Refusals further apart than this are two stories: what was refused long ago tells nothing of who has the port now. While
/// nothing is known the start is tried again within seconds.
pub const STORY_MAX: Millis = Millis::seconds(60);
/// Longest wait for the update of another app, before the engine is restarted under it: that is a crash of the engine
/// for it, and ends well; an app that is down weighs more.
pub const UPDATE_WAIT_MAX: Millis = Millis::seconds(60);

/// A container, whoever made it, that has the port published or is defined to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publisher {
    /// Engine's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Does it run, or is it about to?
    pub is_up: bool,
}

/// Since when starts are refused because of one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The first of them by the engine that runs now.
    since: Moment,
    /// The newest.
    last: Moment,
}

/// What a refused start means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// That container has the port.
    Held(String),
    /// Not known yet: look again.
    Unsure,
    /// The engine keeps it for nobody.
    Leaked,
}

/// What is done about a leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// A restart of the engine is asked for.
    Ask,
    /// It was asked for a moment ago: it takes a while.
    Underway,
    /// It waits for the update of another app.
    AfterUpdate,
    /// It was asked for in this boot, and did not help: a person must look.
    Tell,
    /// It would put out a container that nobody starts again, and only an update waits: a person must choose.
    Refrain,
}

impl Refused {
    /// Refused again at `now`; what the engine before the one that came at `engine_at` did says nothing of this one.
    #[must_use]
    pub fn again(before: Option<Self>, now: Moment, engine_at: Moment) -> Self {
        let is_same =
            |before: &Self| before.since >= engine_at && now.since(before.last) <= STORY_MAX;
        let since = before.filter(is_same).map_or(now, |before| before.since);
        Self { since, last: now }
    }

    /// What it means at `now`, with these publishers. `is_own`: a container of the app itself, which starts none of
    /// them while it starts another.
    pub fn judge(
        self,
        now: Moment,
        publishers: &[Publisher],
        is_own: impl Fn(&Publisher) -> bool,
    ) -> Judgement {
        if let Some(holder) = publishers.iter().find(|one| one.is_up) {
            return Judgement::Held(holder.name.clone());
        }
        let may_start = publishers.iter().any(|one| !is_own(one));
        let needed = if may_start { OTHERS_APART } else { LOOKS_APART };
        match now.since(self.since) >= needed {
            true => Judgement::Leaked,
            false => Judgement::Unsure,
        }
    }
}

/// What a restart of the engine would do to others than the app that asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// An app is in the midst of an update.
    pub others_update: bool,
    /// A container that nobody would start again. Looked for only where the app runs, and an update alone waits.
    pub lost: Option<String>,
    /// The app that asks for it runs.
    pub app_runs: bool,
}

/// What is done about a leak that was found at `since`; `asked`: when a restart was asked for in this boot. For an app that
/// is down others are disturbed; for an update that waits nobody's container is put out, and no other update is.
pub fn remedy(now: Moment, since: Moment, asked: Option<Moment>, cost: &Cost) -> Remedy {
    let may_wait = cost.app_runs || now.since(since) < UPDATE_WAIT_MAX;
    match asked {
        Some(at) if now.since(at) < UPDATE_WAIT_MAX => Remedy::Underway,
        Some(_) => Remedy::Tell,
        None if cost.others_update && may_wait => Remedy::AfterUpdate,
        None if cost.app_runs && cost.lost.is_some() => Remedy::Refrain,
        None => Remedy::Ask,
    }
}

#[cfg(test)]
mod tests;
