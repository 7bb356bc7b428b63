//! Text of an env file: `KEY=value` lines, as `docker run --env-file` reads them.
//!
//! Promise: no part of a line ever stands in a message.

use std::collections::BTreeMap;

use titania_core::status::ConfigError;

use crate::FILE_BYTES_MAX;
use crate::definition::is_variable;
use crate::faults::{Faults, too_long};

/// Reads an env file. Blank lines and lines that start with `#` count nothing; a value is all
/// that stands behind the first `=`, quotes included.
///
/// # Errors
/// Every faulty line, without its value.
pub fn env_file(file: &str, text: &str) -> Result<BTreeMap<String, String>, Vec<ConfigError>> {
    if text.len() > FILE_BYTES_MAX {
        return Err(vec![too_long(file, text.len())]);
    }
    let faults = Faults::new(file, text);
    let mut env = BTreeMap::new();
    let mut start = 0;
    for whole in text.split_inclusive('\n') {
        let at = start..start + whole.len();
        start = at.end;
        let line = whole.strip_suffix('\n').unwrap_or(whole);
        let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            faults.at(&at, "this line has no =", "write KEY=value; a value stands on one line");
            continue;
        };
        // Neither is the key shown: a line of a key in PEM may have a = as well.
        if key.starts_with("export ") {
            faults.at(
                &at,
                "this line begins with \"export\"",
                "that is the shell's: write KEY=value",
            );
        } else if !is_variable(key) {
            faults.at(
                &at,
                "this line has no name of a variable before its =",
                "write KEY=value without blanks around the =",
            );
        } else if value.contains('\0') {
            faults.at(&at, "this line has a zero byte in its value", "leave it out");
        } else if env.insert(key.to_string(), value.to_string()).is_some() {
            faults.at(
                &at,
                "this line names a variable that an earlier line names",
                "leave one of them out",
            );
        }
    }
    if faults.is_empty() { Ok(env) } else { Err(faults.finish()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_all_that_stands_behind_the_first_equals_sign() {
        let text = "# secrets\n\nA=b\r\n  B= c = \"d\" \nC=\n#D=e\n   # F=g\nH=last";
        let wanted = [("A", "b"), ("B", " c = \"d\" "), ("C", ""), ("H", "last")];
        let wanted = wanted.map(|(key, value)| (key.to_string(), value.to_string()));
        assert_eq!(env_file("wallet.env", text), Ok(BTreeMap::from(wanted)));
    }

    #[test]
    fn an_env_file_is_read_up_to_its_limit_and_not_past_it() {
        let text = format!("A={}", "x".repeat(FILE_BYTES_MAX - 2));
        assert!(env_file("wallet.env", &text).is_ok());
        assert!(env_file("wallet.env", &format!("{text}x")).is_err());
    }
}
