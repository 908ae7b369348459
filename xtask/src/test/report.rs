//! What came of each step.

use std::{fmt, time::Duration};

use super::steps::Step;

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed { took: Duration },
    Failed { took: Duration, repeat: String },
    Skipped(String),
}

/// The outcomes so far. Shown as a table whose last line counts them.
#[derive(Debug, Default)]
pub(super) struct Report {
    rows: Vec<(&'static str, Outcome)>,
}

impl Report {
    pub(super) fn add(&mut self, step: &Step, outcome: Outcome) {
        self.rows.push((step.name, outcome));
    }

    pub(super) fn failed(&self) -> bool {
        self.count(|outcome| matches!(outcome, Outcome::Failed { .. })) > 0
    }

    fn count(&self, of: impl Fn(&Outcome) -> bool) -> usize {
        self.rows.iter().filter(|(_, outcome)| of(outcome)).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<12} {:<8} {:>9}", "step", "outcome", "seconds")?;
        for (name, outcome) in &self.rows {
            match outcome {
                Outcome::Passed { took } => writeln!(f, "{name:<12} passed   {:>9.1}", took.as_secs_f64())?,
                Outcome::Failed { took, repeat } => {
                    writeln!(f, "{name:<12} FAILED   {:>9.1}  {repeat}", took.as_secs_f64())?;
                }
                Outcome::Skipped(reason) => writeln!(f, "{name:<12} skipped  {:>9}  {reason}", "-")?,
            }
        }
        let passed = self.count(|outcome| matches!(outcome, Outcome::Passed { .. }));
        let failed = self.count(|outcome| matches!(outcome, Outcome::Failed { .. }));
        let skipped = self.count(|outcome| matches!(outcome, Outcome::Skipped(_)));
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_steps() {
        let took = Duration::from_millis(1234);
        let rows = vec![("a", Outcome::Passed { took }), ("b", Outcome::Skipped("not installed".into()))];
        let mut report = Report { rows };
        assert!(!report.failed());
        let text = report.to_string();
        assert_eq!(text.lines().last(), Some("1 passed, 0 failed, 1 skipped"));
        assert!(text.contains("1.2") && text.contains("not installed"));
        report.rows.push(("c", Outcome::Failed { took, repeat: "cargo c".into() }));
        assert!(report.failed());
        assert_eq!(report.to_string().lines().last(), Some("1 passed, 1 failed, 1 skipped"));
    }
}
