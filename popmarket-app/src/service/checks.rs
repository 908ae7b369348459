//! How often a replica looks whether its ledger is as it must be.

use std::num::NonZeroU64;

use ledger::{Height, Ledger};
use serde::{Deserialize, Serialize};

use crate::store::StoreError;

/// After which blocks a replica checks its whole ledger. Each check reads all of the state, so it takes longer the larger
/// the market grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "`true`, `false`, or a number of blocks above 0")]
pub enum InvariantChecks {
    /// After each block, or never.
    Always(bool),
    /// After each block whose height is a multiple of this.
    Every(NonZeroU64),
}

impl Default for InvariantChecks {
    fn default() -> Self {
        Self::Always(false)
    }
}

impl InvariantChecks {
    /// Whether nothing is ever checked.
    #[must_use]
    pub fn are_off(&self) -> bool {
        *self == Self::default()
    }

    const fn are_due(self, height: Height) -> bool {
        match self {
            Self::Always(always) => always,
            Self::Every(blocks) => height.value().is_multiple_of(blocks.get()),
        }
    }

    /// Checks a ledger that has a new block.
    pub(super) fn after_block(self, ledger: &Ledger) -> Result<(), StoreError> {
        if self.are_due(ledger.height()) { check(ledger) } else { Ok(()) }
    }
}

/// Checks all that must hold of a ledger.
pub(super) fn check(ledger: &Ledger) -> Result<(), StoreError> {
    let height = ledger.height();
    ledger.check_invariants().map_err(|violation| {
        tracing::error!(%height, %violation, "an invariant of the ledger is broken: the replica stops");
        StoreError::Broken { height, violation }
    })
}
