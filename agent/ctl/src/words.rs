//! Times, sizes and strangers' text as words for a person.

use titania_core::time::{PLAUSIBLE, Timestamp};

/// Text without what moves a cursor, hides text or turns its direction.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if is_harmful(c) { ' ' } else { c }).collect()
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A JSON document as it came, its control characters escaped: inside strings is the only place where they can be.
pub(crate) fn clean_json(body: &[u8]) -> String {
    let mut text = String::with_capacity(body.len() + 1);
    for c in String::from_utf8_lossy(body).trim_end().chars() {
        if is_harmful(c) && c != '\n' {
            text += &format!("\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text + "\n"
}

/// A span of time, to the largest unit.
pub(crate) fn span(ms: u64) -> String {
    let several = |count: u64, one: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    };
    match ms / 1000 {
        0 => format!("{ms} ms"),
        s @ 1..60 => format!("{s} s"),
        s @ 60..3600 => format!("{} min", s / 60),
        s @ 3600..86_400 => several(s / 3600, "hour"),
        s => several(s / 86_400, "day"),
    }
}

/// How long ago `then` was at `now`; nothing when it was not, or when nobody knows: the clock was set in between.
pub(crate) fn age(now: Timestamp, then: Timestamp) -> Option<String> {
    if then < PLAUSIBLE && now >= PLAUSIBLE {
        return None;
    }
    u64::try_from(now.0 - then.0).ok().map(|ms| match ms {
        0..1000 => "1 s".into(),
        _ => span(ms),
    })
}

/// When `then` is, seen from `now`.
pub(crate) fn ahead(now: Timestamp, then: Timestamp) -> String {
    match u64::try_from(then.0 - now.0) {
        Ok(ms @ 1000..) => format!("in {}", span(ms)),
        _ => "now".into(),
    }
}

/// A size with two or three digits, in powers of 1000.
pub(crate) fn bytes(count: u64) -> String {
    let mut unit = "B";
    let mut whole = count;
    let mut tenth = 0;
    for larger in ["kB", "MB", "GB", "TB"] {
        if whole < 1000 {
            break;
        }
        tenth = whole % 1000 / 100;
        whole /= 1000;
        unit = larger;
    }
    match whole {
        0..10 if unit != "B" => format!("{whole}.{tenth} {unit}"),
        _ => format!("{whole} {unit}"),
    }
}

/// A time to the minute, in UTC as everywhere else.
pub(crate) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{}Z", text.get(..16).unwrap_or(&text).replace('T', " "))
}

/// At most `most` characters.
pub(crate) fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_string();
    }
    text.chars().take(most.saturating_sub(2)).chain("..".chars()).collect()
}

#[cfg(test)]
mod tests {
    //! Words at the edges of their units.
    use super::*;

    #[test]
    fn spans_change_unit_where_they_should() {
        let cases = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1000, "1 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (3_599_999, "59 min"),
            (3_600_000, "1 hour"),
            (86_399_999, "23 hours"),
            (86_400_000, "1 day"),
            (u64::MAX, "213503982334 days"),
        ];
        for (ms, wanted) in cases {
            assert_eq!(span(ms), wanted);
        }
        let now = Timestamp(100_000);
        assert_eq!(age(now, Timestamp(100_001)), None, "the clock was set back");
        assert_eq!(age(now, now).unwrap(), "1 s");
        assert_eq!(
            age(now, Timestamp(40_000)).unwrap(),
            "1 min",
            "both by a clock that was never set"
        );
        assert_eq!(age(PLAUSIBLE, now), None, "it was set since");
        assert_eq!(ahead(now, Timestamp(0)), "now");
        assert_eq!(ahead(now, Timestamp(340_000)), "in 4 min");
    }

    #[test]
    fn sizes_have_two_or_three_digits() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (9_999, "9.9 kB"),
            (10_000, "10 kB"),
            (310_000_000, "310 MB"),
            (1_200_000_000, "1.2 GB"),
            (u64::MAX, "18446744 TB"),
        ];
        for (count, wanted) in cases {
            assert_eq!(bytes(count), wanted);
        }
    }

    #[test]
    fn nothing_harmful_passes() {
        assert_eq!(clean("a\u{1b}[2J\r\nb\u{202e}c\u{9b}d\u{7f}"), "a [2J  b c d ");
        let json = "{\"a\":\"\u{9b}\u{202e}\",\n\"b\":1}";
        assert_eq!(clean_json(json.as_bytes()), "{\"a\":\"\\u009b\\u202e\",\n\"b\":1}\n");
    }

    #[test]
    fn a_moment_is_to_the_minute() {
        assert_eq!(moment(Timestamp(0)), "1970-01-01 00:00Z");
    }
}
