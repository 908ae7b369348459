//! What a sweep found, for people and for programs.

use std::process::Command;

use serde::Serialize;

use crate::{
    counters::{Fault, Sometimes},
    sweep::{Failure, Summary},
};

/// The report as JSON has it.
#[derive(Debug, Serialize)]
struct Json<'a> {
    passed: bool,
    seeds: u64,
    events: u64,
    events_per_second: u64,
    virtual_seconds: u64,
    real_milliseconds: u128,
    faults: Vec<Row<'a>>,
    sometimes: Vec<Row<'a>>,
    too_rare: Vec<&'a str>,
    failures: Vec<JsonFailure>,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    what: &'a str,
    count: u64,
}

#[derive(Debug, Serialize)]
struct JsonFailure {
    seed: u64,
    n: u16,
    violation: String,
    details: String,
    replay: String,
}

/// How to see a failure again.
#[must_use]
pub fn replay_command(failure: &Failure) -> String {
    let (seed, n) = (failure.plan.seed, failure.plan.n);
    format!("cargo run --release -p pbft-sim -- run --seed {seed} --n {n} --trace")
}

/// The version of the code, without which a seed means nothing; changes that are not committed are told, too.
fn commit() -> String {
    let describe = ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"];
    let output = Command::new("git").args(describe).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let text = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    let text = text.and_then(|text| String::from_utf8(text).ok());
    text.map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned())
}

fn events_per_second(summary: &Summary) -> u64 {
    let millis = summary.real_time.as_millis().max(1);
    u64::try_from(u128::from(summary.events) * 1000 / millis).unwrap_or(u64::MAX)
}

/// For programs.
#[must_use]
pub fn json(summary: &Summary) -> String {
    let counters = &summary.counters;
    let fault =
        |fault: &Fault| Row { what: fault.label(), count: counters.faults.get(fault).copied().unwrap_or(0) };
    let sometimes = |what: &Sometimes| Row {
        what: what.label(),
        count: counters.sometimes.get(what).copied().unwrap_or(0),
    };
    let failure = |failure: &Failure| JsonFailure {
        seed: failure.plan.seed,
        n: failure.plan.n,
        violation: failure.violation.name(),
        details: failure.violation.to_string(),
        replay: replay_command(failure),
    };
    let report = Json {
        passed: summary.passed(),
        seeds: summary.seeds,
        events: summary.events,
        events_per_second: events_per_second(summary),
        virtual_seconds: summary.virtual_time.as_secs(),
        real_milliseconds: summary.real_time.as_millis(),
        faults: Fault::ALL.iter().map(fault).collect(),
        sometimes: Sometimes::ALL.iter().map(sometimes).collect(),
        too_rare: counters.too_rare(summary.seeds).map(Sometimes::label).collect(),
        failures: summary.failures.iter().map(failure).collect(),
    };
    serde_json::to_string_pretty(&report).unwrap_or_default()
}

/// For people.
#[must_use]
pub fn table(summary: &Summary) -> String {
    let mut lines = vec![
        format!("{:<40} {:>12}", "seeds", summary.seeds),
        format!("{:<40} {:>12}", "events", summary.events),
        format!("{:<40} {:>12}", "events per second", events_per_second(summary)),
        format!("{:<40} {:>12}", "virtual seconds", summary.virtual_time.as_secs()),
        format!("{:<40} {:>12.1}", "real seconds", summary.real_time.as_secs_f64()),
        String::new(),
        format!("{:<40} {:>12}", "faults", "count"),
    ];
    let counters = &summary.counters;
    for fault in Fault::ALL {
        let count = counters.faults.get(fault).copied().unwrap_or(0);
        lines.push(format!("  {:<38} {count:>12}", fault.label()));
    }
    lines.extend([String::new(), format!("{:<40} {:>12}", "seen", "in runs")]);
    for what in Sometimes::ALL {
        let runs = counters.sometimes.get(what).copied().unwrap_or(0);
        lines.push(format!("  {:<38} {runs:>12}", what.label()));
    }
    lines.push(String::new());
    lines.extend(summary.failures.iter().map(failure));
    if summary.is_empty() {
        let rare: Vec<_> = counters.too_rare(summary.seeds).map(Sometimes::label).collect();
        lines.push(format!("EMPTY: seen too rarely: {}", rare.join(", ")));
    }
    lines.push(if summary.passed() { "passed".to_owned() } else { "FAILED".to_owned() });
    lines.join("\n")
}

/// One failure, with everything that is needed to look into it.
#[must_use]
pub fn failure(failure: &Failure) -> String {
    let Failure { plan, violation, events } = failure;
    format!(
        "VIOLATION in seed {} after {events} events\n  {violation}\n{plan}\n  commit: {}\n  replay: {}\n",
        plan.seed,
        commit(),
        replay_command(failure)
    )
}
