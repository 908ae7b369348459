//! The command line.

mod mutants;

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use pbft_core::recording::{self, Replayed};

use crate::{
    Finished, Plan,
    plan::MAX_REPLICAS,
    report,
    sweep::{Failure, Summary, Sweep, run_plan},
    tape::{Effort, Tape, shrink},
    twins,
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
    Mutants(mutants::Args),
    /// Plays all two-view partitions of four replicas of which one is there twice.
    Twins(TwinsArgs),
    /// Lives the recording of a replica again, and compares each step.
    Replay(ReplayArgs),
    /// Looks for the defect that is planted in this build.
    #[command(hide = true)]
    Hunt(mutants::HuntArgs),
}

#[derive(Debug, Args)]
struct ReplayArgs {
    /// What `popmarket node --record` has written.
    file: PathBuf,
}

#[derive(Debug, Args)]
struct TwinsArgs {
    /// How many cases: all of them, or a sample.
    #[arg(long, default_value_t = twins::CASES, value_parser = clap::value_parser!(u32).range(1..))]
    cases: u32,
    /// Which sample.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// How many seeds.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    start: u64,
    /// Replays this seed alone, twice, and compares the two.
    #[arg(long, conflicts_with_all = ["seeds", "start"])]
    seed: Option<u64>,
    /// The sizes that clusters may have.
    #[arg(long, value_delimiter = ',', default_values_t = [4, 7, 10], value_parser = clap::value_parser!(u16).range(4..=i64::from(MAX_REPLICAS)))]
    n: Vec<u16>,
    /// Replays a tape, which an earlier failure left.
    #[arg(long, conflicts_with_all = ["seeds", "start", "seed", "n"])]
    tape: Option<PathBuf>,
    /// Prints every event of the one run.
    #[arg(long)]
    trace: bool,
    /// Leaves failing runs as they are: no tape is made of them.
    #[arg(long)]
    no_shrink: bool,
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
        Some(Command::Mutants(args)) => return exit(mutants::run(&args)),
        Some(Command::Twins(args)) => return exit(play_twins(&args)),
        Some(Command::Replay(args)) => return exit(replay_recording(&args.file)),
        Some(Command::Hunt(args)) => return exit(mutants::hunt(&args)),
        Some(Command::Run(args)) => args,
        None => cli.run,
    };
    let passed = match (&args.tape, args.seed) {
        (Some(tape), _) => replay_tape(tape, &args),
        (None, Some(seed)) => replay(seed, &args),
        (None, None) => sweep(&args),
    };
    exit(passed)
}

const fn exit(passed: bool) -> ExitCode {
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
    if !args.no_shrink {
        summary.failures.iter().take(SHRUNK_AT_MOST).for_each(|failure| write_tape(&failure.plan));
    }
    summary.passed()
}

/// So many failures of a sweep are made into tapes.
const SHRUNK_AT_MOST: usize = 3;

/// Makes the smallest run that fails in the same way, and writes it down.
fn write_tape(plan: &Plan) {
    let (finished, Some(tape)) = Tape::of_plan(plan) else { return };
    let Some(violation) = finished.violation else { return };
    let (requests, mishaps) = (tape.requests(), tape.mishaps.len());
    let shrunk = shrink(tape, &violation.name(), Effort::default());
    let tape = &shrunk.tape;
    let path = PathBuf::from(format!("pbft-sim-seed-{}.json", plan.seed));
    eprintln!(
        "seed {}: {mishaps} mishaps and {requests} requests shrunk to {} and {}, in {} runs",
        plan.seed,
        tape.mishaps.len(),
        tape.requests(),
        shrunk.runs
    );
    tape.mishaps.iter().for_each(|mishap| eprintln!("  {mishap:?}"));
    match tape.write(&path) {
        Ok(()) => eprintln!(
            "  tape: {0}\n  replay: cargo run --release -p pbft-sim -- run --tape {0} --trace",
            path.display()
        ),
        Err(error) => eprintln!("  {error}"),
    }
}

fn replay_tape(path: &Path, args: &RunArgs) -> bool {
    let tape = match Tape::read(path) {
        Ok(tape) => tape,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            return false;
        }
    };
    println!("{}\n", tape.plan);
    tape.mishaps.iter().for_each(|mishap| println!("  {mishap:?}"));
    let (first, second) = (tape.run(args.trace), tape.run(false));
    conclude(&first, &second)
}

fn replay_recording(path: &Path) -> bool {
    let replayed = std::fs::read(path).map_err(|error| error.to_string());
    let replayed = replayed.and_then(|bytes| recording::replay(&bytes).map_err(|error| error.to_string()));
    match replayed {
        Ok(Replayed { steps, torn }) => {
            let end = if torn { ", and the last one is cut off" } else { "" };
            println!("{steps} steps, each with the same effects as before{end}");
            true
        }
        Err(why) => {
            println!("{}: {why}", path.display());
            false
        }
    }
}

fn play_twins(args: &TwinsArgs) -> bool {
    let bar = progress_bar(u64::from(args.cases.min(twins::CASES)));
    let began = Instant::now();
    let summary = twins::play_many(args.cases.min(twins::CASES), args.seed, || bar.inc(1));
    bar.finish_and_clear();
    summary.failures.iter().take(10).for_each(|failure| println!("{failure}"));
    println!(
        "{} cases in {:.1} s: something decided while apart in {}, a twin proven faulty in {}, {} wrong",
        summary.cases,
        began.elapsed().as_secs_f64(),
        summary.decided_apart,
        summary.evidence,
        summary.failures.len()
    );
    summary.failures.is_empty()
}

/// A bar on a terminal, nothing elsewhere.
fn progress_bar(seeds: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len}, {per_sec}, {eta} left {msg}");
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
        same && first.violation.is_none()
    } else {
        let passed = conclude(&first, &second);
        if first.violation.is_some() && !args.no_shrink {
            write_tape(&first.plan);
        }
        passed
    }
}

/// Says how a run ended that was run twice.
fn conclude(first: &Finished, second: &Finished) -> bool {
    let same = first.digest == second.digest && first.violation == second.violation;
    println!(
        "{} events, {:?} of virtual time, trace digest {:016x}",
        first.events, first.ended_at, first.digest
    );
    println!("replayed: {}", if same { "the same, event by event" } else { "DIFFERENT: not deterministic" });
    match failure_of(first) {
        Some(failure) => println!("{}", report::failure(&failure)),
        None => println!("passed"),
    }
    same && first.violation.is_none()
}

fn failure_of(finished: &Finished) -> Option<Failure> {
    let violation = finished.violation.clone()?;
    Some(Failure { plan: finished.plan.clone(), violation, events: finished.events })
}
