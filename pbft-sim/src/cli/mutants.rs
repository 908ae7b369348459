//! `pbft-sim mutants`: plants each known defect, and says which seed shows it.

use std::time::{Duration, Instant};

use crate::{
    mutants::{self, Outcome, Row, Scratch, table},
    sabotage::{Hunt, Sabotage},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only defects whose name contains this.
    filter: Option<String>,
    /// Only the defects of the host, which need no other build.
    #[arg(long, conflicts_with = "core_only")]
    host_only: bool,
    /// Only the defects in the source of the core.
    #[arg(long)]
    core_only: bool,
    /// How many seeds to try with each defect of the host.
    #[arg(long, default_value_t = 64)]
    seeds: usize,
    /// How many seconds to look for each defect in the source.
    #[arg(long, default_value_t = 120)]
    limit: u64,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct HuntArgs {
    /// The name of the defect; with none, the run is a control.
    bug: Option<String>,
    #[arg(long, default_value_t = 120)]
    limit: u64,
    #[arg(long, default_value_t = u64::MAX)]
    seeds: u64,
}

/// Runs that the planted build must pass while no defect is switched on.
const CONTROL_SEEDS: u64 = 300;

pub(super) fn run(args: &Args) -> bool {
    let mut rows = Vec::new();
    if !args.core_only {
        rows.extend(host(args));
    }
    if !args.host_only {
        match core(args) {
            Ok(more) => rows.extend(more),
            Err(error) => {
                eprintln!("{error}");
                return false;
            }
        }
    }
    let caught = rows.iter().filter(|row| matches!(row.outcome, Outcome::Caught(_))).count();
    if args.json {
        println!("{}", serde_json::to_string_pretty(&rows).unwrap_or_default());
    }
    eprintln!("{caught} of {} defects caught", rows.len());
    caught == rows.len() && !rows.is_empty()
}

fn is_wanted(args: &Args, name: &str) -> bool {
    args.filter.as_ref().is_none_or(|part| name.to_lowercase().contains(&part.to_lowercase()))
}

fn host(args: &Args) -> Vec<Row> {
    let wanted = Sabotage::ALL.into_iter().filter(|sabotage| is_wanted(args, &format!("{sabotage:?}")));
    let hunt = |sabotage: Sabotage| {
        let began = Instant::now();
        let outcome = match sabotage.hunt(args.seeds) {
            Hunt::Caught { seed, by, .. } => {
                let details = by.clone();
                Outcome::Caught(mutants::Caught { seed, n: 4, events: 0, by, details })
            }
            Hunt::Strange { seed, violation } => Outcome::Failed(format!("seed {seed}: {violation}")),
            Hunt::Escaped => Outcome::Escaped(args.seeds as u64),
        };
        report(args, Row { bug: format!("{sabotage:?}"), row: None, outcome, seconds: seconds(began) })
    };
    wanted.map(hunt).collect()
}

fn core(args: &Args) -> Result<Vec<Row>, mutants::PlantError> {
    let bugs = table();
    eprintln!("building the core with {} defects, all switched off", bugs.len());
    let binary = Scratch::new().build(&bugs)?;
    let control = mutants::control(&binary, CONTROL_SEEDS);
    if !matches!(control, Outcome::Escaped(_)) {
        let outcome = Outcome::Failed(format!("without a defect: {control}"));
        return Ok(vec![Row { bug: "none".to_owned(), row: None, outcome, seconds: 0.0 }]);
    }
    let limit = Duration::from_secs(args.limit);
    let wanted = bugs.iter().enumerate().filter(|(_, bug)| is_wanted(args, &bug.name));
    let hunt = |(place, bug): (usize, &mutants::Bug)| {
        let began = Instant::now();
        let outcome = mutants::hunt(&binary, bug, place, limit);
        report(args, Row { bug: bug.name.clone(), row: bug.row, outcome, seconds: seconds(began) })
    };
    Ok(wanted.map(hunt).collect())
}

fn seconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64()
}

fn report(args: &Args, row: Row) -> Row {
    if args.json {
        eprintln!("{row}");
    } else {
        println!("{row}");
    }
    row
}

pub(super) fn hunt(args: &HuntArgs) -> bool {
    let bugs = table();
    let bug = args.bug.as_ref().and_then(|name| bugs.iter().find(|bug| bug.name == *name));
    let outcome = mutants::hunt_here(bug, Duration::from_secs(args.limit), args.seeds);
    println!("{}", serde_json::to_string(&outcome).unwrap_or_default());
    true
}
