//! The command line.

use std::{io::IsTerminal, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    Finished, Plan, report,
    sabotage::{Hunt, Sabotage},
    sweep::{Failure, Summary, Sweep, run_plan},
};

/// Runs whole PBFT clusters on virtual time, with faults, and checks every promise after every event.
#[derive(Debug, Parser)]
#[command(name = "pbft-sim", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs many seeds, or one again.
    Run(RunArgs),
    /// Plants each known defect, and says which seed shows it and when. Fails if one escapes.
    Mutants(MutantsArgs),
}

#[derive(Debug, Args)]
struct MutantsArgs {
    /// How many seeds to try with each.
    #[arg(long, default_value_t = 64)]
    seeds: usize,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// How many seeds.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    start: u64,
    /// Replays this seed alone, twice, and compares the two.
    #[arg(long, conflicts_with_all = ["seeds", "start"])]
    seed: Option<u64>,
    /// The sizes that clusters may have.
    #[arg(long, value_delimiter = ',', default_values_t = [4, 7, 10], value_parser = clap::value_parser!(u16).range(4..=64))]
    n: Vec<u16>,
    /// Prints every event of the one seed.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
    /// How many threads; all cores if not given.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let args = match cli.command {
        Some(Command::Mutants(args)) => return exit(mutants(args.seeds)),
        Some(Command::Run(args)) => args,
        None => cli.run,
    };
    let passed = match args.seed {
        Some(seed) => replay(seed, &args),
        None => sweep(&args),
    };
    exit(passed)
}

const fn exit(passed: bool) -> ExitCode {
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn mutants(seeds: usize) -> bool {
    let mut escaped = 0;
    for sabotage in Sabotage::ALL {
        match sabotage.hunt(seeds) {
            Hunt::Caught { seed, at, by } => {
                println!(
                    "{:<20} caught by seed {seed:>3} at {:>9.3} s: {by}",
                    format!("{sabotage:?}"),
                    at.as_secs_f64()
                );
            }
            Hunt::Strange { seed, violation } => {
                escaped += 1;
                println!("{:<20} STRANGE in seed {seed}: {violation}", format!("{sabotage:?}"));
            }
            Hunt::Escaped => {
                escaped += 1;
                println!("{:<20} ESCAPED from {seeds} seeds", format!("{sabotage:?}"));
            }
        }
    }
    println!("{} of {} defects caught", Sabotage::ALL.len() - escaped, Sabotage::ALL.len());
    escaped == 0
}

fn sweep(args: &RunArgs) -> bool {
    let mut sweep = Sweep::new(args.start, args.seeds, args.n.clone());
    if let Some(threads) = args.threads {
        sweep.threads = usize::from(threads);
    }
    let bar = progress_bar(args.seeds);
    let mut failures = 0;
    let summary: Summary = sweep.run(|finished| {
        bar.inc(1);
        if finished.violation.is_some() {
            failures += 1;
            bar.set_message(format!("{failures} failed"));
        }
    });
    bar.finish_and_clear();
    println!("{}", if args.json { report::json(&summary) } else { report::table(&summary) });
    summary.passed()
}

/// A bar on a terminal, nothing elsewhere.
fn progress_bar(seeds: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {per_sec}, {eta} left {msg}");
    ProgressBar::new(seeds).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn replay(seed: u64, args: &RunArgs) -> bool {
    let plan = Plan::of(seed, &args.n);
    if !args.json {
        println!("{plan}\n");
    }
    let first = run_plan(plan.clone(), args.trace);
    let second = run_plan(plan, false);
    let same = first.digest == second.digest && first.violation == second.violation;
    if args.json {
        let mut summary = Summary { seeds: 1, events: first.events, ..Summary::default() };
        summary.virtual_time = first.ended_at;
        summary.counters = first.counters.clone();
        summary.failures.extend(failure_of(&first));
        println!("{}", report::json(&summary));
    } else {
        println!(
            "{} events, {:?} of virtual time, trace digest {:016x}",
            first.events, first.ended_at, first.digest
        );
        println!(
            "replayed: {}",
            if same { "the same, event by event" } else { "DIFFERENT: not deterministic" }
        );
        match failure_of(&first) {
            Some(failure) => println!("{}", report::failure(&failure)),
            None => println!("passed"),
        }
    }
    same && first.violation.is_none()
}

fn failure_of(finished: &Finished) -> Option<Failure> {
    let violation = finished.violation.clone()?;
    Some(Failure { plan: finished.plan.clone(), violation, events: finished.events })
}
