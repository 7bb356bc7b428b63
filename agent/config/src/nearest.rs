//! The known word nearest to one that is not known.

/// Longest word compared, in characters: no key is longer, and the work grows with its square.
const WORD_CHARS_MAX: usize = 40;

/// The word of `known` with the fewest letters to change, add, drop or swap; of equals the first.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    known.iter().copied().min_by_key(|k| distance(word, k))
}

/// Whether `known` may be what a person meant who wrote `word`: at most a third of it differs.
pub(crate) fn is_near(word: &str, known: &str) -> bool {
    let longest = word.chars().count().max(known.chars().count());
    distance(word, known) <= (longest / 3).max(1)
}

/// `did you mean …?`, or which known word is nearest.
pub(crate) fn hint(word: &str, known: &[&str], what: &str) -> String {
    match nearest(word, known) {
        Some(near) if is_near(word, near) => format!("did you mean \"{near}\"?"),
        Some(near) => format!("the nearest known {what} is \"{near}\""),
        None => String::new(),
    }
}

/// Optimal string alignment distance, without regard to case; a change of case alone costs nothing.
fn distance(a: &str, b: &str) -> usize {
    let chars = |text: &str| -> Vec<char> {
        let lower = text.chars().flat_map(char::to_lowercase);
        lower.take(WORD_CHARS_MAX).collect()
    };
    let (a, b) = (chars(a), chars(b));
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let get = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX);
            let change = get(&last, j).saturating_add(usize::from(x != y));
            let drop = get(&last, j + 1).saturating_add(1);
            let add = get(&row, j).saturating_add(1);
            let mut cost = change.min(drop).min(add);
            let is_swap = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if is_swap {
                cost = cost.min(get(&before, j - 1).saturating_add(1));
            }
            row.push(cost);
        }
        before = last;
        last = row;
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_changed_added_dropped_and_swapped_are_counted() {
        for (a, b, wanted) in [
            ("image", "image", 0),
            ("imge", "image", 1),
            ("iamge", "image", 1),
            ("imagee", "image", 1),
            ("imago", "image", 1),
            ("Image", "image", 0),
            ("", "image", 5),
            ("xyz", "", 3),
        ] {
            assert_eq!(distance(a, b), wanted, "{a} {b}");
        }
    }

    #[test]
    fn the_nearest_is_told_as_a_guess_only_when_it_is_near() {
        let known = ["image", "ports", "devices"];
        assert_eq!(hint("prots", &known, "key"), "did you mean \"ports\"?");
        assert_eq!(hint("restart_policy", &known, "key"), "the nearest known key is \"ports\"");
    }
}
