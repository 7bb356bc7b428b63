//! What was asked for on the command line.

use harness::torture::Options;

/// Faults unless told.
const COUNT_USUAL: u32 = 100;
/// Boards side by side unless told: each mostly waits.
const JOBS_USUAL: u32 = 2;

/// Reads it.
///
/// # Errors
/// Says what is not understood.
pub fn read(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options =
        Options { count: COUNT_USUAL, seed: 1, jobs: JOBS_USUAL, only: None, number: None };
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} wants a value"))?;
        let number = || match value.parse::<u32>() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(format!("{word}: {value} is no number from 1 on")),
        };
        match word.as_str() {
            "--count" => options.count = number()?,
            "--seed" => options.seed = value.parse().map_err(|_| format!("{value}: no seed"))?,
            "--jobs" => options.jobs = number()?,
            "--number" => options.number = Some(number()?),
            "--only" => options.only = Some(value).filter(|words| !words.is_empty()),
            other => return Err(format!("{other} is not known")),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_refused() {
        let read = |line: &str| read(line.split_whitespace().map(str::to_owned));
        let options = read("--count 5 --seed 9 --only disk,person --number 3").unwrap();
        assert_eq!((options.count, options.seed, options.number), (5, 9, Some(3)));
        assert_eq!((options.jobs, options.only.as_deref()), (JOBS_USUAL, Some("disk,person")));
        for line in ["dance", "--count", "--count 0", "--jobs x", "--seed -1"] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
