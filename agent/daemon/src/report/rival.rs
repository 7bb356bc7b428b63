//! Whether another board has this one's id at the broker. No IO.
//!
//! Two such boards end each other's connection, for a broker keeps one of a name, and write over each other's documents:
//! so on a new connection this one's document, which the broker had before, is another's.
//! Promise: no past of this board's own is taken for another board. A broker that lost what it had may show a document
//! of an earlier boot, or of this run; so one of this instance counts when it is seen again and again.
//! Distrusts: the document.

use serde::Deserialize;
use titania_core::names::{BootId, InstanceId};

/// Connections in a row that show another boot's document before it is another board's: a broker that loses what it has
/// does that once.
const STRANGE_MAX: u32 = 3;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Rival {
    /// The broker acknowledged this run's document.
    is_ours_kept: bool,
    /// So many connections in a row showed another boot's.
    strange: u32,
    is_met: bool,
}

/// As much of a board's document as tells whose it is.
#[derive(Deserialize)]
struct Kept {
    boot_id: BootId,
    agent: KeptAgent,
}

#[derive(Deserialize)]
struct KeptAgent {
    #[serde(default)]
    instance: Option<InstanceId>,
}

impl Rival {
    /// The broker has this run's document.
    pub(super) fn given(&mut self) {
        self.is_ours_kept = true;
    }

    /// What it keeps tells something.
    pub(super) fn is_to_be_looked_for(&self) -> bool {
        self.is_ours_kept
    }

    /// There is another board of this id.
    pub(super) fn is_met(&self) -> bool {
        self.is_met
    }

    /// What the broker kept as this board's document when a connection began.
    pub(super) fn look(&mut self, boot: &BootId, instance: Option<&InstanceId>, payload: &[u8]) {
        let Ok(kept) = serde_json::from_slice::<Kept>(payload) else {
            return; // no board's
        };
        if !self.is_ours_kept {
            return;
        }
        if kept.boot_id == *boot {
            (self.strange, self.is_met) = (0, false);
            return;
        }
        self.strange = self.strange.saturating_add(1);
        let is_another =
            kept.agent.instance.as_ref().zip(instance).is_some_and(|(theirs, ours)| theirs != ours);
        self.is_met |= is_another || self.strange >= STRANGE_MAX;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(boot: &str, instance: &str) -> Vec<u8> {
        let text =
            format!(r#"{{"schema":1,"boot_id":"{boot}","agent":{{"instance":{instance}}}}}"#);
        text.into_bytes()
    }

    fn see(rival: &mut Rival, kept: &[u8]) {
        rival.look(&BootId("now".into()), Some(&InstanceId("me".into())), kept);
    }

    #[test]
    fn another_instance_is_another_board_at_once_and_another_boot_when_it_stays() {
        for (case, instance, needed) in [
            ("another's", r#""you""#, 1),
            ("a copied card's", r#""me""#, 3),
            ("not told", "null", 3),
        ] {
            let mut rival = Rival::default();
            rival.given();
            for look in 1..=4 {
                see(&mut rival, &document("other", instance));
                assert_eq!(rival.is_met(), look >= needed, "{case}, {look}");
            }
            see(&mut rival, &document("now", r#""me""#));
            assert!(!rival.is_met(), "{case}: it has gone");
        }
    }

    #[test]
    fn this_board_s_past_is_none() {
        let mut rival = Rival::default();
        for _ in 0..4 {
            see(&mut rival, &document("before", r#""you""#));
            assert!(!rival.is_met(), "nothing of this run was there to be written over");
        }
        rival.given();
        for _ in 0..4 {
            see(&mut rival, &document("before", r#""me""#));
            see(&mut rival, b"");
            see(&mut rival, b"{");
            see(&mut rival, &document("now", r#""me""#));
            assert!(!rival.is_met(), "a broker that lost something now and then");
        }
    }
}
