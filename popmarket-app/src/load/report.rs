//! What a run measured: a table, JSON, and a plot.

use std::{fmt::Write as _, time::Duration};

use serde::Serialize;

use super::{Audit, Ceiling, Events, Latencies, LoadPlan, Scenario, drive::Driven, processes::Usage};
use crate::store::StateName;

/// All figures of one run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What happened to the replicas meanwhile.
    pub scenario: Scenario,
    /// How many replicas.
    pub replicas: u16,
    /// Between how many accounts.
    pub accounts: u32,
    /// How many payments were in flight at once.
    pub in_flight: usize,
    /// What the machine could do.
    pub ceiling: Ceiling,
    /// One payment after the other.
    pub sequential: Phase,
    /// Under load.
    pub load: Phase,
    /// Payments per second under load, as a share of the per-signature ceiling.
    pub ratio_to_ceiling: f64,
    /// The sequential median, in `fdatasync`s.
    pub p50_in_fdatasyncs: f64,
    /// What each replica used that runs in the end, by id; processor time is that under load.
    pub usage: Vec<Usage>,
    /// Seconds until all replicas reported one state, from the end of the load.
    pub settled_seconds: f64,
    /// Seconds without any answer after each kill of a primary.
    pub outages_seconds: Vec<f64>,
    /// Seconds from the start of a replica that was away until all reported one state.
    pub back_seconds: Option<f64>,
    /// Seconds from the approval of each new replica to its vote.
    pub joins_seconds: Vec<f64>,
    /// That state.
    pub state: StateName,
    /// What the chains hold.
    pub audit: Audit,
}

/// Some payments.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    /// Those that `f + 1` replicas acknowledged.
    pub acknowledged: usize,
    /// Those without an answer.
    pub missed: usize,
    /// Why the first of those has none.
    pub first_error: Option<String>,
    /// How long it took.
    pub seconds: f64,
    /// Acknowledged payments per second.
    pub per_second: f64,
    /// From sending to the answer.
    pub latency: Latencies,
    /// Hundredths of the payments by latency, for the plot, in milliseconds.
    pub percentiles_ms: Vec<f64>,
}

impl Phase {
    fn of(driven: &Driven, took: Duration) -> Self {
        let seconds = took.as_secs_f64();
        let acknowledged = driven.acknowledged.len();
        let count = f64::from(u32::try_from(acknowledged).unwrap_or(u32::MAX));
        let last = driven.latencies_ms.len().saturating_sub(1);
        let percentile = |hundredths: usize| driven.latencies_ms.get(last * hundredths / 100).copied();
        Self {
            acknowledged,
            missed: driven.missed,
            first_error: driven.first_error.clone(),
            seconds,
            per_second: if seconds > 0.0 { count / seconds } else { 0.0 },
            latency: Latencies::of(&driven.latencies_ms),
            percentiles_ms: (0..=100).filter_map(percentile).collect(),
        }
    }
}

impl Report {
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one part of the run, named at the only place that calls this"
    )]
    pub(super) fn new(
        plan: &LoadPlan,
        ceiling: &Ceiling,
        sequential: &Driven,
        load: &Driven,
        took: Duration,
        usage: &[Usage],
        settled: (StateName, Duration),
        events: &Events,
        audit: Audit,
    ) -> Self {
        let sequential = Phase::of(sequential, sequential.took);
        let load = Phase::of(load, took);
        Self {
            scenario: plan.scenario,
            replicas: plan.replicas,
            accounts: plan.accounts,
            in_flight: plan.in_flight,
            ceiling: *ceiling,
            ratio_to_ceiling: load.per_second / ceiling.per_second,
            p50_in_fdatasyncs: sequential.latency.p50_ms * 1e3 / ceiling.fdatasync_us,
            sequential,
            load,
            usage: usage.to_vec(),
            settled_seconds: settled.1.as_secs_f64(),
            outages_seconds: events.outages.iter().map(Duration::as_secs_f64).collect(),
            joins_seconds: events.joins.iter().map(Duration::as_secs_f64).collect(),
            back_seconds: events.back.map(|back| back.as_secs_f64()),
            state: settled.0,
            audit,
        }
    }

    /// The figures as a Markdown table.
    #[must_use]
    pub fn table(&self) -> String {
        let (sequential, load, ceiling) = (&self.sequential, &self.load, &self.ceiling);
        let memory = |usage: &Usage| format!("{} MiB", usage.peak_resident_kib / 1024);
        let cpu = |usage: &Usage| format!("{:.1} s", usage.cpu_seconds);
        let each =
            |show: &dyn Fn(&Usage) -> String| self.usage.iter().map(show).collect::<Vec<_>>().join(", ");
        let rows = [
            (
                "scenario",
                format!(
                    "{:?}, n = {}, {} accounts, {} in flight",
                    self.scenario, self.replicas, self.accounts, self.in_flight
                ),
            ),
            (
                "payments under load",
                format!(
                    "{} acknowledged, {} missed, in {:.2} s",
                    load.acknowledged, load.missed, load.seconds
                ),
            ),
            ("payments per second", format!("{:.0}", load.per_second)),
            (
                "latency under load",
                format!(
                    "p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
                    load.latency.p50_ms, load.latency.p99_ms, load.latency.max_ms
                ),
            ),
            ("one signature check", format!("{:.1} us", ceiling.verify_us)),
            (
                "per-signature ceiling",
                format!("{:.0}/s ({} cores / (n x t_verify))", ceiling.per_second, ceiling.cores),
            ),
            ("ratio to the ceiling", format!("{:.2}", self.ratio_to_ceiling)),
            (
                "one after the other",
                format!(
                    "{} in {:.2} s: p50 {:.2} ms, p99 {:.2} ms",
                    sequential.acknowledged,
                    sequential.seconds,
                    sequential.latency.p50_ms,
                    sequential.latency.p99_ms
                ),
            ),
            (
                "one fdatasync of 4 KiB",
                format!(
                    "{:.0} us; the p50 above is {:.1} of them",
                    ceiling.fdatasync_us, self.p50_in_fdatasyncs
                ),
            ),
            ("peak resident memory", each(&memory)),
            ("processor time under load", each(&cpu)),
            (
                "one state on all replicas",
                format!("height {}, after {:.2} s", self.state.height, self.settled_seconds),
            ),
            (
                "in the chains",
                format!(
                    "{} payments in {} blocks on each of {} replicas; none lost, none twice, money conserved",
                    self.audit.payments, self.audit.blocks, self.replicas
                ),
            ),
        ];
        let outages = self.outages_seconds.iter().map(|seconds| format!("{seconds:.2} s"));
        let outages = ("without an answer after each kill", outages.collect::<Vec<_>>().join(", "));
        let joins = self.joins_seconds.iter().map(|seconds| format!("{seconds:.2} s"));
        let joins =
            ("from the approval of each new replica to its vote", joins.collect::<Vec<_>>().join(", "));
        let back =
            self.back_seconds.map(|seconds| ("back where the others are", format!("after {seconds:.2} s")));
        let rows = rows.into_iter().chain([outages, joins].into_iter().filter(|(_, all)| !all.is_empty()));
        let rows = rows.chain(back);
        let mut table = String::from("| what | measured |\n| --- | --- |\n");
        for (what, measured) in rows {
            // Writing to a string cannot fail.
            let _ = writeln!(table, "| {what} | {measured} |");
        }
        for (phase, figures) in [("one after the other", sequential), ("under load", load)] {
            if let Some(error) = &figures.first_error {
                let _ = writeln!(
                    table,
                    "\n{} payments {phase} had no answer, the first one: {error}",
                    figures.missed
                );
            }
        }
        table
    }

    /// Latency by percentile, as an SVG.
    #[must_use]
    pub fn plot(&self) -> String {
        let (width, height, left, top) = (560.0, 260.0, 64.0, 40.0);
        let top_ms = self.load.latency.max_ms.max(self.sequential.latency.max_ms).max(0.001);
        let x = |index: usize| left + width * f64::from(u8::try_from(index).unwrap_or(100)) / 100.0;
        let y = |ms: f64| top + height * (1.0 - ms / top_ms);
        let line = |phase: &Phase, colour: &str| {
            let points = phase
                .percentiles_ms
                .iter()
                .enumerate()
                .map(|(index, ms)| format!("{:.1},{:.1}", x(index), y(*ms)));
            format!(
                r#"<polyline fill="none" stroke="{colour}" stroke-width="2" points="{}"/>"#,
                points.collect::<Vec<_>>().join(" ")
            )
        };
        let mut svg = format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 360" font-family="sans-serif" font-size="12">
<rect width="660" height="360" fill="#fff"/>
<text x="64" y="20" font-size="14">Latency by percentile, n = {}: {:.0} payments/s under load</text>
"##,
            self.replicas, self.load.per_second
        );
        for step in 0..=4u8 {
            let ms = top_ms * f64::from(step) / 4.0;
            let _ = writeln!(
                svg,
                r##"<line x1="{left}" x2="{:.1}" y1="{1:.1}" y2="{1:.1}" stroke="#ddd"/><text x="56" y="{2:.1}" text-anchor="end">{ms:.1} ms</text>"##,
                left + width,
                y(ms),
                y(ms) + 4.0
            );
        }
        for hundredths in [0usize, 25, 50, 75, 99] {
            let _ = writeln!(
                svg,
                r#"<text x="{:.1}" y="318" text-anchor="middle">p{hundredths}</text>"#,
                x(hundredths)
            );
        }
        let _ = writeln!(svg, "{}\n{}", line(&self.load, "#c2410c"), line(&self.sequential, "#0369a1"));
        svg.push_str(r##"<text x="64" y="345" fill="#c2410c">under load</text><text x="160" y="345" fill="#0369a1">one after the other</text></svg>"##);
        svg.push('\n');
        svg
    }
}
