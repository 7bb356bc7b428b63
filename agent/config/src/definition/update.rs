//! `[update]`: how updates go.

use titania_core::definition::Update;
use titania_core::time::Millis;
use titania_core::window::Window;

use super::{flag, section};
use crate::table::{Field, Table};
use crate::units;

pub(super) const KEYS: [&str; 4] = ["window", "rollback", "allow_downgrade", "min_age"];

/// Longest age a candidate can be asked for.
const AGE_MAX: Millis = Millis::seconds(365 * 24 * 3600);

pub(super) fn update(top: &Table<'_>) -> Update {
    let usual = Update::default();
    let Some(table) = section(top, "update", "{ rollback = true }") else {
        return usual;
    };
    let min_age = table.get("min_age").and_then(|f| f.duration("\"2d\"", Millis(0), AGE_MAX));
    Update {
        window: table.get("window").and_then(window),
        rollback: flag(&table, "rollback", usual.rollback),
        allow_downgrade: flag(&table, "allow_downgrade", usual.allow_downgrade),
        min_age: min_age.unwrap_or(usual.min_age),
    }
}

fn window(field: &Field<'_>) -> Option<Window> {
    const EXAMPLE: &str = "{ from = \"02:00\", to = \"05:00\" }";
    let table = field.table(&["from", "to"], EXAMPLE, &|_| None)?;
    let time = |key: &str, example: &str| {
        let field = table.required(key, example)?;
        field.unit(units::time_of_day(field.text(example)?))
    };
    let (from, to) = (time("from", "\"02:00\""), time("to", "\"05:00\""));
    let window = Window { from: from?, to: to? };
    if window.from == window.to {
        field.wrong(
            "\"update.window\" ends when it begins",
            format!("for example: window = {EXAMPLE}; for any time leave it out"),
        );
        return None;
    }
    Some(window)
}
