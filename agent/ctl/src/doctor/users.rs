//! Users: the pool's uids against those of the board.

use super::system::System;
use super::{Check, ok, warn};

/// Uids that the agent gives to apps whose image names none.
const POOL: std::ops::RangeInclusive<u64> = 70_000..=79_999;

pub(super) fn checks(system: &System) -> Vec<Check> {
    let mut clashes = Vec::new();
    for path in ["/etc/passwd", "/etc/group"] {
        for line in system.text_or_empty(path).lines() {
            let mut words = line.split(':');
            let (name, number) = (words.next().unwrap_or_default(), words.nth(1));
            if number.and_then(|id| id.parse().ok()).is_some_and(|id: u64| POOL.contains(&id)) {
                clashes.push(format!("{name} in {path}"));
            }
        }
    }
    for path in ["/etc/subuid", "/etc/subgid"] {
        for line in system.text_or_empty(path).lines() {
            let words: Vec<&str> = line.split(':').collect();
            let [name, first, count] = words.as_slice() else {
                continue;
            };
            let range = (first.parse::<u64>(), count.parse::<u64>());
            if let (Ok(first), Ok(count)) = range
                && first <= *POOL.end()
                && first.saturating_add(count) > *POOL.start()
            {
                clashes.push(format!("{name} in {path}"));
            }
        }
    }
    let message = match clashes.as_slice() {
        [] => return vec![ok("uids", "70000 to 79999 are free for apps")],
        all => format!("uids from 70000 to 79999 are taken by {}: apps get others", all.join(", ")),
    };
    vec![warn("uids", message, "give those users other numbers, before an app uses them")]
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::super::tests::Root;
    use super::*;

    #[test]
    fn users_and_ranges_within_the_pool_are_named() {
        let usual = [
            ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
            ("etc/subuid", "pi:100000:65536\n"),
            ("etc/subgid", "cut off\n"),
        ];
        assert_eq!(checks(&Root::with(&usual).system("x"))[0].state, Verdict::Ok);
        let taken = [
            ("etc/passwd", "kiosk:x:70500:70500::/:/bin/sh\n"),
            ("etc/subuid", "pi:65536:65536\nother:80000:10\n"),
        ];
        let check = &checks(&Root::with(&taken).system("x"))[0];
        assert_eq!(check.state, Verdict::Warn);
        assert!(check.message.contains("kiosk in /etc/passwd, pi in /etc/subuid:"), "{check:?}");
    }
}
