//! Defects in the source of `pbft-core`: mistakes that others made, and more. They are planted in a copy of the source, all
//! at once, each behind a switch, so one build does for all of them (Untch et al., "Mutation analysis using mutant
//! schemata", ISSTA '93), and the core itself stays clean. A run of that build then has one of them, or none.
//!
//! The table is `mutants.toml`; a test demands that each place in it is still there.

mod hunt;
mod scratch;

use serde::{Deserialize, Serialize};

pub use hunt::{Caught, Outcome, control, hunt, hunt_here};
pub use scratch::{PlantError, Scratch};

use crate::{byzantine::Kind, plan::Plan};

/// One defect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bug {
    /// What is wrong.
    pub name: String,
    /// The mistake in `docs/PROTOCOL.md` that it repeats, if it is one of those.
    pub row: Option<u8>,
    /// The file, below `pbft-core/src`.
    pub file: String,
    /// An expression that is in there once.
    pub find: String,
    /// What takes its place. With `@`, a text in which that stands for "this defect is planted".
    pub replace: String,
    /// The sizes of clusters in which it is looked for.
    #[serde(default = "usual_sizes")]
    pub sizes: Vec<u16>,
    /// Whether it shows where nothing else goes wrong.
    #[serde(default)]
    pub calm: bool,
    /// Whether clients must ask questions for it to show.
    #[serde(default)]
    pub reads: bool,
    /// Who lies, and how. Whoever the seed says, if nobody is named.
    #[serde(default)]
    pub liars: Vec<(u16, Kind)>,
    /// What has to happen for it to show.
    #[serde(default)]
    pub focus: Vec<Focus>,
    /// The promise that it has to break. Any will do if none is named.
    #[serde(default)]
    pub breaks: Option<String>,
}

/// Something rare that happens in every run of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Focus {
    /// Replicas are away, and nobody keeps old batches: they take over states.
    States,
    /// Disks are lost.
    Wipes,
    /// Replicas join and leave.
    Changes,
}

impl Focus {
    /// The same run with it.
    pub fn apply(self, plan: &mut Plan) {
        match self {
            Self::States => {
                plan.tuning.archive_bytes = 0;
                plan.faults.away = plan.faults.away.max(3);
            }
            Self::Wipes => {
                plan.faults.wipes = plan.faults.wipes.max(3);
                // One faulty replica is all that a small cluster bears.
                plan.byzantine.clear();
                plan.outside.clear();
            }
            Self::Changes => (plan.spares, plan.changes) = (2, plan.changes.max(2)),
        }
    }
}

fn usual_sizes() -> Vec<u16> {
    vec![4, 7]
}

#[derive(Deserialize)]
struct Table {
    bug: Vec<Bug>,
}

/// All of them.
///
/// # Panics
/// If the table is malformed; a test reads it.
#[must_use]
pub fn table() -> Vec<Bug> {
    let table: Table = toml::from_str(include_str!("../mutants.toml")).expect("the table is well-formed");
    table.bug
}

/// The name of the environment variable that says which defect a planted build has: its place in the table.
pub const SWITCH: &str = "PBFT_SIM_PLANTED";

/// How one defect fared.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The defect.
    pub bug: String,
    /// The mistake that it repeats.
    pub row: Option<u8>,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl core::fmt::Display for Row {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let row = self.row.map_or_else(|| "-".to_owned(), |row| row.to_string());
        write!(f, "{:<40} {row:>3} {:>7.1} s  {}", self.bug, self.seconds, self.outcome)
    }
}
