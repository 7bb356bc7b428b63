//! A status document for the tests of this room.

use std::rc::Rc;

use titania_core::event::{Event, EventType, Level};
use titania_core::status::Status;
use titania_core::time::Timestamp;

/// Two apps, all well.
pub(in crate::report) fn status() -> Status {
    serde_json::from_str(include_str!("../../../../core/samples/status.json")).unwrap()
}

/// The same, changed.
pub(in crate::report) fn changed(change: impl FnOnce(&mut Status)) -> Rc<Status> {
    let mut status = status();
    change(&mut status);
    Rc::new(status)
}

/// An event with a number.
pub(in crate::report) fn event(seq: u64) -> Event {
    let status = status();
    Event {
        schema: 1,
        board: status.board.id,
        seq,
        boot_id: status.board.boot_id,
        at: Timestamp(1_700_000_000_000),
        clock_synced: true,
        app: Some("wallet".parse().unwrap()),
        kind: EventType::AppStarted,
        level: Level::Info,
        reason: None,
        release: None,
        update: Some("wallet-g12".into()),
        text: format!("started, number {seq}"),
    }
}
