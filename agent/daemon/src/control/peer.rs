//! Who is at the other end, and what they may do.
//!
//! Promise: whoever can open the socket reads; verbs are for root, for the agent's own user and for one group.
//! Trusts: the kernel (SO_PEERCRED) and the board's user database.

use std::ffi::CString;
use std::time::Duration;

use nix::unistd::{Gid, Group, Uid, User, geteuid, getgrouplist};

/// Longest wait for the user database: it may ask the network (LDAP).
const LOOKUP_MAX: Duration = Duration::from_secs(5);

/// The process at the other end, when it connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// May this peer change things? What can't be found out is a no.
pub(super) async fn may_change(peer: Peer, operators: Option<&str>) -> bool {
    if peer.uid == 0 || peer.uid == geteuid().as_raw() {
        return true;
    }
    let Some(group) = operators.map(String::from) else {
        return false;
    };
    // The one use of the runtime's blocking pool: name look-ups have no asynchronous form.
    let lookup = tokio::task::spawn_blocking(move || is_member(peer, &group));
    matches!(tokio::time::timeout(LOOKUP_MAX, lookup).await, Ok(Ok(true)))
}

/// By the group of its process, else by the user database: supplementary groups of a process are not told.
fn is_member(peer: Peer, group: &str) -> bool {
    let Ok(Some(group)) = Group::from_name(group) else {
        return false;
    };
    if group.gid == Gid::from_raw(peer.gid) {
        return true;
    }
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(peer.uid)) else {
        return false;
    };
    let Ok(name) = CString::new(user.name) else {
        return false;
    };
    getgrouplist(&name, user.gid).is_ok_and(|groups| groups.contains(&group.gid))
}
