//! Who an app runs as (DESIGN §5, "Users"): rule of the definition, USER of the image, `/etc/passwd`
//! and `/etc/group` of the image in; uid and gid out.
//!
//! Promise: never uid 0 and never gid 0 unless the definition says `allow_root`, or `mapped` on an engine that maps
//! users, whose root is none of the board's. Pure: reads nothing.
//! Distrusts: every byte that comes from the image.

use std::fmt;

use titania_core::definition::UserRule;
use titania_core::names::Owner;

/// Highest number that engines take for a uid or gid (runc, libcontainer/user: `maxID`).
const ID_MAX: u32 = 0x7fff_ffff;

/// What the image says about its users. Texts are null where the image has no such file, or where it could not be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImageUsers<'a> {
    /// `User` of the image config, empty where it has none.
    pub user: &'a str,
    /// `/etc/passwd` of the image.
    pub passwd: Option<&'a str>,
    /// `/etc/group` of the image.
    pub group: Option<&'a str>,
}

/// Whose uid it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// These numbers.
    Numbers(Owner),
    /// One of the pool, assigned once.
    Pool,
}

/// Why nobody could be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserFault {
    /// It would be root, and the definition does not allow that.
    Root {
        /// What the image or the definition says.
        said: String,
    },
    /// The image names a user that its `/etc/passwd` does not know.
    NoUser(String),
    /// The image names a group that its `/etc/group` does not know.
    NoGroup(String),
    /// A number that no engine takes.
    Number(String),
    /// The definition wants users mapped, and the engine does not map them.
    NotMapped,
}

impl fmt::Display for UserFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root { said } if said.is_empty() => {
                f.write_str("the image names no USER, so it would start as root")
            }
            Self::Root { said } => write!(f, "USER {said} would start as root"),
            Self::NotMapped => f.write_str(
                "user is \"mapped\", and this engine maps no users: root of the container would be root of the board",
            ),
            Self::NoUser(name) => {
                write!(f, "the image's USER is \"{name}\", which its /etc/passwd does not know")
            }
            Self::NoGroup(name) => write!(
                f,
                "the image's USER names the group \"{name}\", which its /etc/group does not know"
            ),
            Self::Number(text) => {
                write!(f, "\"{text}\" is no uid or gid: 0 to {ID_MAX}")
            }
        }
    }
}

impl UserFault {
    /// What a person can write.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Root { .. } => {
                "take out the line user to run it under a uid of the pool, set user to a number, write user = \"mapped\" where the engine maps users, or let it be root with user = \"image\" and allow_root = true"
            }
            Self::NotMapped => {
                "switch on userns-remap in the engine's daemon.json (it then begins with another, empty data folder); or give an image that needs no root to start user = \"auto\" or a number; or let it be root with user = \"image\" and allow_root = true"
            }
            Self::NoUser(_) | Self::NoGroup(_) | Self::Number(_) => {
                "set user to a number, or to \"pool\", in the app's definition"
            }
        }
    }
}

/// Chooses who an app runs as. `kept` is the user of its current release where the rule is `auto`: it is kept.
/// `is_mapped`: does the engine map users?
///
/// # Errors
/// [`UserFault`] on proof alone: root where that is not allowed, or a name that the image itself does not know.
pub fn choose(
    rule: &UserRule,
    allow_root: bool,
    image: ImageUsers<'_>,
    kept: Option<Owner>,
    is_mapped: bool,
) -> Result<Chosen, UserFault> {
    match rule {
        UserRule::Mapped if is_mapped => Ok(Chosen::Numbers(of_image(image, true)?)),
        UserRule::Mapped => Err(UserFault::NotMapped),
        UserRule::Fixed { uid, gid } => {
            checked(Owner { uid: *uid, gid: *gid }, allow_root, &format!("{uid}:{gid}"))
        }
        UserRule::Pool => Ok(Chosen::Pool),
        UserRule::Image => checked(of_image(image, allow_root)?, allow_root, image.user),
        UserRule::Auto => {
            if let Some(owner) = kept {
                return Ok(Chosen::Numbers(owner));
            }
            let owner = of_image(image, allow_root)?;
            if owner.uid == 0 && !allow_root {
                return Ok(Chosen::Pool);
            }
            checked(owner, allow_root, image.user)
        }
    }
}

fn checked(owner: Owner, allow_root: bool, said: &str) -> Result<Chosen, UserFault> {
    if (owner.uid == 0 || owner.gid == 0) && !allow_root {
        return Err(UserFault::Root { said: said.chars().take(64).collect() });
    }
    Ok(Chosen::Numbers(owner))
}

/// Uid and gid that the image's USER means: the group it says, else that of its passwd entry, else the same number.
///
/// # Errors
/// [`UserFault`] for names that the image does not know.
pub fn of_image(image: ImageUsers<'_>, allow_root: bool) -> Result<Owner, UserFault> {
    let short = |text: &str| text.chars().take(64).collect::<String>();
    let (name, group) = match image.user.trim().split_once(':') {
        Some((name, group)) => (name.trim(), Some(group.trim()).filter(|g| !g.is_empty())),
        None => (image.user.trim(), None),
    };
    let name = if name.is_empty() { "root" } else { name };
    let entry = image.passwd.and_then(|text| passwd_entry(text, name));
    let uid = match (entry, number(name)) {
        (_, Some(uid)) => uid,
        (Some(entry), None) => entry.uid,
        (None, None) if name == "root" => 0,
        (None, None) if name.bytes().all(|c| c.is_ascii_digit()) => {
            return Err(UserFault::Number(short(name)));
        }
        (None, None) => return Err(UserFault::NoUser(short(name))),
    };
    let gid = match group {
        Some(group) => match number(group) {
            Some(gid) => Some(gid),
            None => match image.group.and_then(|text| group_entry(text, group)) {
                Some(gid) => Some(gid),
                None if group == "root" => Some(0),
                None => return Err(UserFault::NoGroup(short(group))),
            },
        },
        None => entry.map(|entry| entry.gid),
    };
    // Images made for OpenShift say group 0; here that is the board's root group.
    let gid = gid.filter(|gid| *gid != 0 || allow_root || uid == 0);
    Ok(Owner { uid, gid: gid.unwrap_or(uid) })
}

fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    digits.then(|| text.parse::<u32>().ok()).flatten().filter(|n| *n <= ID_MAX)
}

/// The line of `name` (or of that uid) in a passwd file: `name:x:uid:gid:…` (passwd(5)).
fn passwd_entry(text: &str, name: &str) -> Option<Owner> {
    let wanted = number(name);
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let first = fields.next()?;
        let _password = fields.next()?;
        let uid = number(fields.next()?.trim())?;
        let gid = number(fields.next()?.trim())?;
        (first == name || wanted == Some(uid)).then_some(Owner { uid, gid })
    })
}

/// The gid of `name` in a group file: `name:x:gid:members` (group(5)).
fn group_entry(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let first = fields.next()?;
        let _password = fields.next()?;
        let gid = number(fields.next()?.trim())?;
        (first == name).then_some(gid)
    })
}

#[cfg(test)]
mod tests;
