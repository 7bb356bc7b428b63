//! What was asked for on the command line.

use harness::vm::Arch;

/// Power cuts unless told.
const COUNT_USUAL: u32 = 50;

/// Which run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Install, update, one cut.
    Quick,
    /// Every case.
    Cases,
    /// Power cuts.
    Torture,
}

/// See the head of the module.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which run.
    pub what: What,
    /// On which board.
    pub arch: Arch,
    /// How many cuts.
    pub count: u32,
    /// What decides when they come.
    pub seed: u64,
    /// Only cases with one of these words, between commas, in their names.
    pub only: Option<String>,
}

impl Options {
    /// Reads them.
    ///
    /// # Errors
    /// Says what is not understood.
    pub fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let what = match words.next().as_deref() {
            Some("quick") => What::Quick,
            Some("cases") => What::Cases,
            Some("torture") => What::Torture,
            other => return Err(format!("{other:?}: quick, cases or torture is wanted")),
        };
        let mut options = Self { what, arch: Arch::Amd64, count: COUNT_USUAL, seed: 1, only: None };
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("{word} wants a value"))?;
            let number = || value.parse().map_err(|_| format!("{word}: {value} is no number"));
            match word.as_str() {
                "--arch" => {
                    let known = Arch::named(&value);
                    options.arch = known.ok_or("--arch is amd64, armhf or arm64")?;
                }
                "--count" => options.count = number()?,
                "--seed" => {
                    options.seed = value.parse().map_err(|_| format!("{value}: no seed"))?
                }
                "--only" => options.only = Some(value),
                other => return Err(format!("{other} is not known")),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        Options::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let options = read("torture --arch armhf --count 5 --seed 9").unwrap();
        assert_eq!((options.arch, options.count, options.seed), (Arch::Armhf, 5, 9));
        for line in
            ["", "dance", "quick --arch mips", "torture --count x", "quick --count", "quick --a 1"]
        {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
