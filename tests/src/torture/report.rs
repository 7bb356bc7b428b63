//! What a run tells: a row a fault, and a table of all.

use super::fault::{Fault, Kind};
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::time::Duration;

/// What one fault was like.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its number.
    pub number: u32,
    /// The fault.
    pub fault: Fault,
    /// What the release was like that the update was to.
    pub kind: Kind,
    /// When it was to strike.
    pub when: String,
    /// The step that the agent had begun last when it struck.
    pub step: String,
    /// Whether it met what it was about.
    pub is_met: bool,
    /// From board and engine ready until the app answered its probe.
    pub back: Duration,
    /// The same until the update had ended as it must.
    pub end: Duration,
    /// Of the whole, judgement included.
    pub whole: Duration,
}

impl Row {
    /// Names of the columns.
    pub fn head() -> String {
        let [number, fault, to, when, step] = ["no", "fault", "to", "when", "last step begun"];
        format!(
            "{number:>5}  {fault:<36} {to:<9} {when:<26} {step:<20} {:>6} {:>6} {:>6}  result",
            "back s", "end s", "all s"
        )
    }
}

impl Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let Self { number, fault, when, .. } = self;
        let to = format!("{:?}", self.kind).to_lowercase();
        let step = if self.step.is_empty() { "–" } else { &self.step };
        let [back, end, whole] = [self.back, self.end, self.whole].map(|span| span.as_secs_f64());
        let fault = fault.to_string();
        let result = if self.is_met { "well" } else { "well, not met" };
        write!(
            out,
            "{number:>5}  {fault:<36} {to:<9} {when:<26} {step:<20} {back:>6.1} {end:>6.1} {whole:>6.1}  {result}"
        )
    }
}

/// The table of a run: scenario, repetitions, worst times; then how many failed.
pub fn summary(rows: &[Row], failed: &[(u32, Fault)], passed: Duration) -> String {
    let mut scenarios: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        scenarios.entry(row.fault.to_string()).or_default().push(row);
    }
    for (_, fault) in failed {
        scenarios.entry(fault.to_string()).or_default();
    }
    let mut text =
        "| scenario | well | failed | not met | worst s until back | worst s until the end |\n\
                    |---|---|---|---|---|---|\n"
            .to_owned();
    for (name, rows) in &scenarios {
        let worst = |of: fn(&Row) -> Duration| {
            rows.iter().map(|row| of(row).as_secs_f64()).fold(0.0, f64::max)
        };
        let not_met = rows.iter().filter(|row| !row.is_met).count();
        let failed = failed.iter().filter(|(_, fault)| fault.to_string() == *name).count();
        text += &format!(
            "| {name} | {} | {failed} | {not_met} | {:.1} | {:.1} |\n",
            rows.len(),
            worst(|row| row.back),
            worst(|row| row.end)
        );
    }
    let bad = rows.iter().filter(|row| row.kind.is_bad()).count();
    let mut back: Vec<f64> = rows.iter().map(|row| row.back.as_secs_f64()).collect();
    back.sort_by(f64::total_cmp);
    let middle = back.get(back.len() / 2).copied().unwrap_or(0.0);
    let worst = back.last().copied().unwrap_or(0.0);
    text += &format!(
        "\n{} faults well, {} failed, in {:.0} min; {bad} in an update to a bad release\n\
         app back after board and engine were ready: median {middle:.1} s, worst {worst:.1} s\n",
        rows.len(),
        failed.len(),
        passed.as_secs_f64() / 60.0,
    );
    text
}
