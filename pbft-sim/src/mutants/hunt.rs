//! The search for a planted defect: ordinary seeds, until one breaks a promise.

use core::{fmt, time::Duration};
use std::{path::Path, process::Command, time::Instant};

use pbft_core::ReplicaId;
use serde::{Deserialize, Serialize};

use super::{Bug, SWITCH};
use crate::{
    Plan,
    service::ServiceKind,
    sweep::{Failure, Sweep},
};

/// Which run showed a defect.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Caught {
    /// The seed.
    pub seed: u64,
    /// The size of the cluster.
    pub n: u16,
    /// After how many events.
    pub events: u64,
    /// The name of the broken promise.
    pub by: String,
    /// In full.
    pub details: String,
}

/// How a search ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// A run showed it.
    Caught(Caught),
    /// So many runs did not.
    Escaped(u64),
    /// The search itself failed.
    Failed(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caught(caught) => write!(f, "seed {:>4}, n = {}: {}", caught.seed, caught.n, caught.by),
            Self::Escaped(seeds) => write!(f, "ESCAPED from {seeds} seeds"),
            Self::Failed(why) => write!(f, "FAILED: {why}"),
        }
    }
}

/// Has a planted build look for its defect.
#[must_use]
pub fn hunt(binary: &Path, bug: &Bug, place: usize, limit: Duration) -> Outcome {
    let limit = limit.as_secs().to_string();
    let mut command = Command::new(binary);
    command.args(["hunt", &bug.name, "--limit", &limit]).env(SWITCH, place.to_string());
    ask(command)
}

/// Has a planted build run so many seeds with all defects switched off.
#[must_use]
pub fn control(binary: &Path, seeds: u64) -> Outcome {
    let mut command = Command::new(binary);
    command.args(["hunt", "--seeds", &seeds.to_string()]).env_remove(SWITCH);
    ask(command)
}

fn ask(mut command: Command) -> Outcome {
    match command.env("RUST_BACKTRACE", "0").output() {
        Ok(output) => serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            Outcome::Failed(String::from_utf8_lossy(&output.stderr).trim().chars().take(300).collect())
        }),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

/// Who looks for one broken promise among others looks at so many failures at a time.
const AT_A_TIME: u64 = 100;

/// Looks for whatever this build has: the first seed that breaks a promise, or the one that the defect has to break.
#[must_use]
pub fn hunt_here(bug: Option<&Bug>, limit: Duration, seeds: u64) -> Outcome {
    let until = Instant::now().checked_add(limit);
    let wanted = bug.and_then(|bug| bug.breaks.as_deref());
    let (at_a_time, failures) = wanted.map_or((seeds, 1), |_| (AT_A_TIME, usize::MAX));
    let mut start = 0;
    while start < seeds {
        let sizes = bug.map_or_else(super::usual_sizes, |bug| bug.sizes.clone());
        let mut sweep = Sweep::new(start, at_a_time.min(seeds - start), sizes);
        (sweep.max_failures, sweep.until) = (failures, until);
        let summary = sweep.run_plans(|seed| plan_for(bug, seed, &sweep.sizes), |_| ());
        let is_wanted = |failure: &Failure| wanted.is_none_or(|wanted| failure.violation.name() == wanted);
        if let Some(failure) = summary.failures.into_iter().find(is_wanted) {
            return Outcome::Caught(Caught {
                seed: failure.plan.seed,
                n: failure.plan.n,
                events: failure.events,
                by: failure.violation.name(),
                details: failure.violation.to_string(),
            });
        }
        start += summary.seeds;
        if until.is_some_and(|until| Instant::now() >= until) {
            break;
        }
    }
    Outcome::Escaped(start)
}

fn plan_for(bug: Option<&Bug>, seed: u64, sizes: &[u16]) -> Plan {
    let mut plan = Plan::of(seed, sizes);
    if bug.is_some_and(|bug| bug.calm) {
        plan = plan.calm();
    }
    if bug.is_some_and(|bug| bug.reads) {
        // The ledger has no request that only looks.
        (plan.service, plan.workload.reads) = (ServiceKind::Recording, 1_000_000);
    }
    if let Some(bug) = bug.filter(|bug| !bug.liars.is_empty()) {
        plan.byzantine = bug.liars.iter().map(|(liar, kind)| (ReplicaId::new(*liar), *kind)).collect();
        plan.outside.clear();
    }
    bug.into_iter().flat_map(|bug| &bug.focus).for_each(|focus| focus.apply(&mut plan));
    plan
}
