//! What the journal gets of an event.

use std::sync::Mutex;

use log::kv::{Key, VisitSource};
use titania_core::reason::{Class, Code, Reason};
use titania_core::time::Timestamp;

use super::super::tests::sample;
use super::*;

#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

struct Fields(String);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        self.0 += &format!(" {key}={value}");
        Ok(())
    }
}

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &Record<'_>) {
        let mut fields = Fields(String::new());
        record.key_values().visit(&mut fields).unwrap();
        let line = format!("{} {} |{}", record.level(), record.args(), fields.0);
        self.0.lock().unwrap().push(line);
    }
    fn flush(&self) {}
}

#[test]
fn an_event_is_one_line_with_fields() {
    let mut event = sample::event(7);
    event.text = "rolled back\nto 0.26\u{1b}[2J".into();
    event.reason =
        Some(Reason::new(Code::Exited, Class::Release, "exit 1", "see its log", Timestamp(0)));
    let lines = Lines::default();
    write(&event, Level::Warn, &lines);
    assert!(TARGET.starts_with("titania"), "the log takes what begins otherwise for a library's");
    assert_eq!(
        *lines.0.lock().unwrap(),
        [
            "WARN wallet: rolled back to 0.26 [2J | TITANIA_EVENT=app_started TITANIA_SEQ=7 TITANIA_APP=wallet \
          TITANIA_UPDATE=wallet-g12 TITANIA_REASON=exited TITANIA_CLASS=release TITANIA_HINT=see its log"
        ]
    );
}
