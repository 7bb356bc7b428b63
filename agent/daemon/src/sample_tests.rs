//! An event for tests of those that keep and send them.

use titania_core::event::{Event, EventType, Level};
use titania_core::names::BootId;
use titania_core::time::Timestamp;

/// Event number `seq`.
pub fn event(seq: u64) -> Event {
    Event {
        schema: 1,
        board: "b".into(),
        seq,
        boot_id: BootId("boot".into()),
        at: Timestamp(5),
        clock_synced: true,
        app: None,
        kind: EventType::AgentStarted,
        level: Level::Info,
        reason: None,
        release: None,
        update: None,
        text: "text".into(),
    }
}
