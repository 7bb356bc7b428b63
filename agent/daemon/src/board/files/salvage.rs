//! Settings that are partly at fault: what of them can still be used at the agent's start.

use titania_config::Settings;
use titania_core::status::ConfigError;

use super::read::Text;

/// Tables without which the agent would keep another board than the one meant.
const NEEDED: [&str; 2] = ["paths", "engine"];

/// Parses all files together.
///
/// # Errors
/// All faults of all files.
pub fn parse(texts: &[Text]) -> Result<Settings, Vec<ConfigError>> {
    let (file, text) = texts.first().map_or(("agent.toml", ""), |first| (&first.file, &first.text));
    let dropins: Vec<(&str, &str)> =
        texts.iter().skip(1).map(|one| (one.file.as_str(), one.text.as_str())).collect();
    titania_config::settings(file, text, &dropins)
}

/// The settings without the tables that are at fault; `None` when a needed one is, or when leaving
/// tables out does not help.
pub fn without_faults(texts: &[Text], faults: &[ConfigError]) -> Option<Settings> {
    let mut texts = texts.to_vec();
    let mut faults = faults.to_vec();
    // Leaving one table out can bring to light a fault in another, never more often than there are tables.
    for _ in 0..8 {
        for one in &mut texts {
            let lines: Vec<u32> = faults
                .iter()
                .filter(|fault| fault.file == one.file)
                .map(|fault| fault.line)
                .collect();
            one.text = leave_out(&one.text, &lines)?;
        }
        match parse(&texts) {
            Ok(settings) => return Some(settings),
            Err(more) => faults = more,
        }
    }
    None
}

/// The text with each table blanked out that has one of these lines; places stay as they are.
/// `None` when that is a table that is needed.
fn leave_out(text: &str, lines: &[u32]) -> Option<String> {
    let mut tables: Vec<Vec<&str>> = vec![Vec::new()];
    for line in text.lines() {
        if line.trim_start().starts_with('[') {
            tables.push(Vec::new());
        }
        tables.last_mut()?.push(line);
    }
    let mut kept = String::with_capacity(text.len());
    let mut number = 0u32;
    for table in tables {
        let from = number + 1;
        number = number.saturating_add(u32::try_from(table.len()).ok()?);
        let is_at_fault = lines.iter().any(|line| (from..=number).contains(line));
        let head = table.first().copied().unwrap_or_default();
        if is_at_fault && is_needed(head, &table) {
            return None;
        }
        for line in table {
            kept.push_str(if is_at_fault { "" } else { line });
            kept.push('\n');
        }
    }
    Some(kept)
}

/// Whether a table says where things lie: `[paths]`, and at the top of a file `paths.state = …` or `paths = {…}`.
fn is_needed(head: &str, table: &[&str]) -> bool {
    let name = |line: &str| {
        line.trim_start_matches(['[', ' ', '\t'])
            .split(['.', ']', ' ', '\t', '='])
            .next()
            .unwrap_or_default()
            .trim_matches('"')
            .to_owned()
    };
    if head.trim_start().starts_with('[') {
        return NEEDED.contains(&name(head).as_str());
    }
    table.iter().any(|line| NEEDED.contains(&name(line).as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_at_fault_is_left_out_and_the_places_of_the_rest_stay() {
        let text = "poll = \"1m\"\n[mqtt]\nurl = \"nonsense\"\n[disk]\nkeep = 2\n";
        assert_eq!(leave_out(text, &[3]).as_deref(), Some("poll = \"1m\"\n\n\n[disk]\nkeep = 2\n"));
        assert_eq!(
            leave_out(text, &[1]).as_deref(),
            Some("\n[mqtt]\nurl = \"nonsense\"\n[disk]\nkeep = 2\n")
        );
    }

    #[test]
    fn a_table_that_says_where_things_lie_is_never_left_out() {
        for text in
            ["[paths]\nstate = 1\n", " [ engine ]\nsocket = 1\n", "poll = 1\npaths.state = 1\n"]
        {
            assert_eq!(leave_out(text, &[2]), None, "{text}");
        }
    }
}
