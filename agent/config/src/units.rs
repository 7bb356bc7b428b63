//! Durations, sizes, processors and times of day as people write them.
//!
//! One way to write each: `"90s"`, `"1h30m"`, `"256MiB"`, `1.5`, `"02:00"`. What is nearly right
//! is not guessed at but answered with what was probably meant.

use titania_core::time::Millis;

use crate::faults::quote;

/// Why a text is no duration, size or the like.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnitFault {
    pub(crate) message: String,
    pub(crate) hint: String,
}

fn fault(message: impl Into<String>, hint: impl Into<String>) -> UnitFault {
    UnitFault { message: message.into(), hint: hint.into() }
}

const DURATIONS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 5] =
    [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// What a unit that is none was probably meant as, written in lower case.
const DURATION_GUESSES: [(&str, &str); 17] = [
    ("msec", "ms"),
    ("msecs", "ms"),
    ("millis", "ms"),
    ("milliseconds", "ms"),
    ("s", "s"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("m", "m"),
    ("min", "m"),
    ("mins", "m"),
    ("minutes", "m"),
    ("h", "h"),
    ("hours", "h"),
    ("d", "d"),
    ("days", "d"),
];
const SIZE_GUESSES: [(&str, &str); 15] = [
    ("b", "B"),
    ("byte", "B"),
    ("bytes", "B"),
    ("k", "KiB"),
    ("kb", "KiB"),
    ("kib", "KiB"),
    ("m", "MiB"),
    ("mb", "MiB"),
    ("mib", "MiB"),
    ("g", "GiB"),
    ("gb", "GiB"),
    ("gib", "GiB"),
    ("t", "TiB"),
    ("tb", "TiB"),
    ("tib", "TiB"),
];

/// `"30s"`, `"1h30m"`.
pub(crate) fn duration(text: &str) -> Result<Millis, UnitFault> {
    sum(text, "duration", "s", "1h30m", &DURATIONS, &DURATION_GUESSES).map(Millis)
}

/// `"256MiB"`, in bytes.
pub(crate) fn size(text: &str) -> Result<u64, UnitFault> {
    sum(text, "size", "MiB", "1536MiB", &SIZES, &SIZE_GUESSES)
}

/// Sum of `<number><unit>` parts.
fn sum(
    text: &str,
    what: &str,
    usual: &str,
    example: &str,
    units: &[(&str, u64)],
    guesses: &[(&str, &str)],
) -> Result<u64, UnitFault> {
    let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    if text.is_empty() || !text.starts_with(|c: char| c.is_ascii_digit()) {
        let hint = format!("write a whole number and a unit ({names}), as in \"{example}\"");
        return Err(fault(format!("{} is no {what}", quote(text)), hint));
    }
    let compact: String = text.split_whitespace().collect();
    if compact != text {
        let hint = match sum(&compact, what, usual, example, units, guesses) {
            Ok(_) => format!("write it without them, as in {}", quote(&compact)),
            Err(inner) => inner.hint,
        };
        return Err(fault(format!("{} has blanks in it", quote(text)), hint));
    }
    let too_long = || fault(format!("{} is too much", quote(text)), "write a smaller number");
    let mut total = 0u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        if unit.is_empty() {
            let hint = format!("write \"{text}{usual}\"; units are {names}");
            return Err(fault(format!("{} has no unit", quote(text)), hint));
        }
        if matches!(unit, "." | ",") {
            let hint = format!("write a whole number and a unit, as in \"{example}\"");
            return Err(fault(format!("{} is no whole number", quote(text)), hint));
        }
        let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
            let lower = unit.to_lowercase();
            let guess = guesses.iter().find(|(wrong, _)| *wrong == lower);
            let hint = match guess {
                Some((_, right)) => format!("did you mean \"{number}{right}\"? units are {names}"),
                None => format!("units are {names}"),
            };
            let message = format!("{} has the unknown unit {}", quote(text), quote(unit));
            return Err(fault(message, hint));
        };
        let part = number.parse::<u64>().ok().and_then(|n| n.checked_mul(*factor));
        let sum = part.and_then(|part| total.checked_add(part));
        total = sum.filter(|n| *n <= VALUE_MAX).ok_or_else(too_long)?;
        rest = next;
    }
    Ok(total)
}

/// Largest value: the engine's API and JSON readers keep such numbers as signed or as floats.
const VALUE_MAX: u64 = 1 << 53;

/// `1.5`, in thousandths of a processor.
pub(crate) fn cpus(text: &str) -> Result<u32, UnitFault> {
    let wrong = |hint: &str| fault(format!("{} is no number of processors", quote(text)), hint);
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|c| c.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return Err(wrong("write a number as in 1.5 or 0.25"));
    }
    if part.len() > 3 {
        return Err(wrong("three digits after the point are enough, as in 0.125"));
    }
    let padded = format!("{part:0<3}");
    let total = whole
        .parse::<u32>()
        .ok()
        .and_then(|n| n.checked_mul(1000))
        .and_then(|n| Some(n + padded.parse::<u32>().ok()?));
    match total {
        // The engine's own limits: a quota under 1 ms of 100 ms is refused.
        Some(n) if n < 10 => Err(wrong("the least is 0.01")),
        Some(n) if n <= 1_024_000 => Ok(n),
        _ => Err(wrong("the most is 1024")),
    }
}

/// `"02:00"`, in minutes of the day.
pub(crate) fn time_of_day(text: &str) -> Result<u16, UnitFault> {
    let wrong = |hint: &str| fault(format!("{} is no time of day", quote(text)), hint);
    let example = "write hours and minutes as in \"02:00\" or \"23:30\"";
    let Some((hours, minutes)) = text.split_once(':') else {
        return Err(wrong(example));
    };
    let two = |t: &str| {
        let digits = t.len() == 2 && t.bytes().all(|c| c.is_ascii_digit());
        digits.then(|| t.parse::<u16>().ok()).flatten()
    };
    match (two(hours), two(minutes)) {
        (Some(24), Some(0)) => Err(wrong("midnight is \"00:00\"")),
        (Some(h), Some(m)) if h < 24 && m < 60 => Ok(h * 60 + m),
        _ => Err(wrong(example)),
    }
}

/// A duration as [`duration`] reads it.
pub(crate) fn shown(time: Millis) -> String {
    if time.0 == 0 {
        return "0s".to_string();
    }
    let mut rest = time.0;
    let mut text = String::new();
    for (unit, factor) in DURATIONS.iter().rev() {
        if rest / factor > 0 {
            text.push_str(&format!("{}{unit}", rest / factor));
            rest %= factor;
        }
    }
    text
}

#[cfg(test)]
mod tests;
