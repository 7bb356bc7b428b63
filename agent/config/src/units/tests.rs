//! Promises of units: one way to write each, and a word for each wrong one.

use super::*;

#[test]
fn durations_are_whole_numbers_with_units() {
    for (text, ms) in [
        ("0s", 0),
        ("250ms", 250),
        ("30s", 30_000),
        ("15m", 900_000),
        ("1h30m", 5_400_000),
        ("7d", 604_800_000),
    ] {
        assert_eq!(duration(text), Ok(Millis(ms)), "{text}");
        assert_eq!(duration(&shown(Millis(ms))), Ok(Millis(ms)), "{text} shown");
    }
}

#[test]
fn sizes_are_whole_numbers_with_binary_units() {
    for (text, bytes) in [
        ("0B", 0),
        ("512B", 512),
        ("64KiB", 65_536),
        ("256MiB", 268_435_456),
        ("1GiB", 1_073_741_824),
        ("2TiB", 2_199_023_255_552),
    ] {
        assert_eq!(size(text), Ok(bytes), "{text}");
    }
}

#[test]
fn a_wrong_unit_is_answered_with_what_was_probably_meant() {
    let told = |fault: UnitFault| format!("{}: {}", fault.message, fault.hint);
    for (text, wanted) in [
        ("30", "\"30\" has no unit: write \"30s\"; units are ms, s, m, h, d"),
        (
            "30sec",
            "\"30sec\" has the unknown unit \"sec\": did you mean \"30s\"? units are ms, s, m, h, d",
        ),
        ("5 min", "\"5 min\" has blanks in it: did you mean \"5m\"? units are ms, s, m, h, d"),
        ("5M", "\"5M\" has the unknown unit \"M\": did you mean \"5m\"? units are ms, s, m, h, d"),
        ("256MiB", "\"256MiB\" has the unknown unit \"MiB\": units are ms, s, m, h, d"),
        ("1h 30m", "\"1h 30m\" has blanks in it: write it without them, as in \"1h30m\""),
        ("1.5h", "\"1.5h\" is no whole number: write a whole number and a unit, as in \"1h30m\""),
        (
            "",
            "\"\" is no duration: write a whole number and a unit (ms, s, m, h, d), as in \"1h30m\"",
        ),
        (
            "-5s",
            "\"-5s\" is no duration: write a whole number and a unit (ms, s, m, h, d), as in \"1h30m\"",
        ),
        ("99999999999999999999s", "\"99999999999999999999s\" is too much: write a smaller number"),
        ("1d9999999999999999h", "\"1d9999999999999999h\" is too much: write a smaller number"),
        ("1é", "\"1é\" has the unknown unit \"é\": units are ms, s, m, h, d"),
    ] {
        assert_eq!(told(duration(text).unwrap_err()), wanted, "{text}");
    }
    for (text, wanted) in [
        ("256", "\"256\" has no unit: write \"256MiB\"; units are B, KiB, MiB, GiB, TiB"),
        (
            "256MB",
            "\"256MB\" has the unknown unit \"MB\": did you mean \"256MiB\"? units are B, KiB, MiB, GiB, TiB",
        ),
        (
            "1g",
            "\"1g\" has the unknown unit \"g\": did you mean \"1GiB\"? units are B, KiB, MiB, GiB, TiB",
        ),
        ("30s", "\"30s\" has the unknown unit \"s\": units are B, KiB, MiB, GiB, TiB"),
    ] {
        assert_eq!(told(size(text).unwrap_err()), wanted, "{text}");
    }
}

#[test]
fn processors_are_counted_in_thousandths() {
    for (text, wanted) in
        [("1.5", 1500), ("2", 2000), ("0.01", 10), ("0.125", 125), ("1024", 1_024_000)]
    {
        assert_eq!(cpus(text), Ok(wanted), "{text}");
    }
    for bad in ["", "0", "0.001", "1025", "-1", "1.5.5", "1,5", "inf", "nan", "1e3", "0.1234", "."]
    {
        assert!(cpus(bad).is_err(), "{bad}");
    }
}

#[test]
fn times_of_day_have_two_digits_each() {
    for (text, wanted) in [("00:00", 0), ("02:30", 150), ("23:59", 1439)] {
        assert_eq!(time_of_day(text), Ok(wanted), "{text}");
    }
    for bad in ["", "2:00", "24:00", "02:60", "0200", "aa:bb", "02:00:00", "+1:00"] {
        assert!(time_of_day(bad).is_err(), "{bad}");
    }
}
