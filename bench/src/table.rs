//! What was measured beside what it may be.

use std::fmt;

/// What a figure counts.
#[derive(Clone, Copy)]
pub enum Unit {
    /// Binary megabytes, kept as bytes.
    MiB,
    /// Binary kilobytes, kept as bytes.
    KiB,
    /// Decimal megabytes, kept as bytes.
    MB,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// Milliseconds, kept as seconds.
    Millis,
    /// How many times something else.
    Times,
    /// A plain count.
    Count,
}

impl Unit {
    fn shown(self, value: f64) -> String {
        match self {
            Self::MiB => format!("{:.2} MiB", value / 1_048_576.0),
            Self::KiB => format!("{:.1} KiB", value / 1024.0),
            Self::MB => format!("{:.2} MB", value / 1e6),
            Self::Bytes => format!("{value:.0} B"),
            Self::Seconds => format!("{value:.2} s"),
            Self::Millis => format!("{:.1} ms", value * 1000.0),
            Self::Times => format!("{value:.2} ×"),
            Self::Count => format!("{value:.0}"),
        }
    }
}

struct Row {
    what: String,
    measured: f64,
    budget: Option<f64>,
    unit: Unit,
}

/// All figures of a run, in the order in which they were taken; each is printed when it comes.
#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// A figure that has a budget.
    pub fn at_most(&mut self, what: impl Into<String>, unit: Unit, measured: f64, budget: f64) {
        self.add(Row { what: what.into(), measured, budget: Some(budget), unit });
    }

    /// A figure that explains others.
    pub fn note(&mut self, what: impl Into<String>, unit: Unit, measured: f64) {
        self.add(Row { what: what.into(), measured, budget: None, unit });
    }

    fn add(&mut self, row: Row) {
        println!("  {}: {}", row.what, row.unit.shown(row.measured));
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0);
        writeln!(f, "{:width$}  {:>10}  {:>10}  {:>5}", "what", "measured", "budget", "ratio")?;
        for row in &self.rows {
            write!(f, "{:width$}  {:>10}", row.what, row.unit.shown(row.measured))?;
            match row.budget {
                None => writeln!(f)?,
                Some(budget) => writeln!(
                    f,
                    "  {:>10}  {}",
                    row.unit.shown(budget),
                    ratio(row.measured, budget)
                )?,
            }
        }
        Ok(())
    }
}

fn ratio(measured: f64, budget: f64) -> String {
    let over = if measured > budget { "  over" } else { "" };
    if budget > 0.0 {
        format!("{:>5.2}{over}", measured / budget)
    } else {
        format!("{:>5}{over}", "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_what_is_over_its_budget() {
        let mut table = Table::default();
        table.at_most("memory", Unit::MiB, 6.0 * 1_048_576.0, 5.0 * 1_048_576.0);
        table.at_most("disk", Unit::Bytes, 0.0, 0.0);
        table.note("apps", Unit::Count, 5.0);
        let text = table.to_string();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "what      measured      budget  ratio",
                "memory    6.00 MiB    5.00 MiB   1.20  over",
                "disk           0 B         0 B",
                "apps             5",
            ]
        );
    }
}
