//! `popmarket bench`: measures a cluster of real processes.

use std::path::PathBuf;

use clap::Args;

use super::{CommandError, start_logging};
use crate::load::{LoadError, LoadPlan, Scenario, TemporaryFolder};

/// What to measure.
#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// How many replicas
    #[arg(long, short = 'n', default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100))]
    replicas: u16,
    /// How many payments under load
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    payments: u32,
    /// How many payments one after the other, first
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    sequential: u32,
    /// Between how many accounts
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    accounts: u32,
    /// How many payments are in flight at once
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u16).range(1..=20_000))]
    in_flight: u16,
    /// What happens to the replicas meanwhile
    #[arg(long, value_enum, default_value_t)]
    scenario: Scenario,
    /// How often the primary is killed or paused, if that is the scenario
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    kills: u32,
    /// How many primaries in a row are killed or paused at once: up to a third of the replicas
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=33))]
    in_a_row: u16,
    /// Where the replicas keep their data; a temporary folder by default
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Write all figures to this file, and a plot beside it
    #[arg(long, value_name = "FILE.json")]
    out: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: BenchArgs) -> Result<(), CommandError> {
    start_logging("error");
    let tolerated = args.replicas.saturating_sub(1) / 3;
    if args.in_a_row > 1 && args.in_a_row > tolerated {
        let why =
            format!("of {} replicas no more than {tolerated} may fail at once: --in-a-row", args.replicas);
        return Err(CommandError::Usage(why));
    }
    let temporary = TemporaryFolder::new("popmarket-bench");
    let temporary = temporary.map_err(|error| CommandError::failed("no temporary folder", error))?;
    let program = std::env::current_exe();
    let plan = LoadPlan {
        replicas: args.replicas,
        payments: args.payments,
        sequential: args.sequential,
        accounts: args.accounts,
        in_flight: usize::from(args.in_flight),
        scenario: args.scenario,
        kills: args.kills,
        in_a_row: args.in_a_row,
        folder: args.dir.unwrap_or_else(|| temporary.path().into()),
        program: program.map_err(|error| CommandError::failed("this program cannot find itself", error))?,
        progress: !args.json,
    };
    let report = plan.run().await.map_err(|error| match error {
        LoadError::TooFewPayments { .. } => CommandError::Usage(error.to_string()),
        error => CommandError::Failed(error.to_string()),
    })?;
    let json = serde_json::to_string_pretty(&report).map_err(|error| CommandError::failed("JSON", error))?;
    if let Some(out) = &args.out {
        let write = |path: PathBuf, text: &str| {
            std::fs::write(&path, text)
                .map_err(|error| CommandError::failed(&path.display().to_string(), error))
        };
        write(out.clone(), &json)?;
        write(out.with_extension("svg"), &report.plot())?;
    }
    say!("{}", if args.json { json } else { report.table() })?;
    match report.sequential.missed + report.load.missed {
        0 => Ok(()),
        missed => Err(CommandError::Failed(format!("{missed} payments had no answer"))),
    }
}
