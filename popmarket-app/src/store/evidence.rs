//! Evidence against replicas, for ever: a restart must not make anyone innocent.

use std::fmt;
use std::str::FromStr;

use pbft_core::{evidence::Evidence, wire};

use super::{LedgerStore, StoreError};

/// So much is kept against each replica: a little convicts, and a liar must not fill the disk.
pub const MAX_EVIDENCE_EACH: usize = 32;
/// Larger evidence is kept only if there is none of its kind against the replica.
const LARGE: usize = 64 << 10;

/// Names evidence, and orders it: who, what kind, view and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvidenceId([u8; 19]);

impl EvidenceId {
    /// The name of some evidence: of two about the same there is one.
    pub fn of(evidence: &Evidence) -> Self {
        let (view, seq) = evidence.about();
        let mut id = [0; 19];
        id[..2].copy_from_slice(&evidence.culprit().value().to_be_bytes());
        id[2] = number_of(evidence);
        id[3..11].copy_from_slice(&view.value().to_be_bytes());
        id[11..].copy_from_slice(&seq.value().to_be_bytes());
        Self(id)
    }
}

/// The kind as a number: that of what was signed.
const fn number_of(evidence: &Evidence) -> u8 {
    match evidence {
        Evidence::PrePrepares(_) => 1,
        Evidence::Prepares(_) => 2,
        Evidence::Commits(_) => 3,
        Evidence::Checkpoints(_) => 4,
        Evidence::ViewChanges(_) => 5,
        Evidence::NewViews(_) => 6,
        Evidence::Attestations(_) => 7,
    }
}

impl fmt::Display for EvidenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for EvidenceId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or("38 hexadecimal digits")
    }
}

impl LedgerStore {
    /// Keeps evidence, unless it is known or there is enough. Says whether it was kept; it is on the disk then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn keep_evidence(&self, evidence: &Evidence) -> Result<bool, StoreError> {
        let id = EvidenceId::of(evidence);
        let Ok(bytes) = wire::encode(evidence) else { return Ok(false) };
        let mut kinds = Vec::new();
        for entry in self.evidence.prefix(&id.0[..2]) {
            kinds.push(entry.key()?[2]);
        }
        let enough = kinds.len() >= MAX_EVIDENCE_EACH || (bytes.len() > LARGE && kinds.contains(&id.0[2]));
        if enough || self.evidence.contains_key(id.0)? {
            return Ok(false);
        }
        self.evidence.insert(id.0, bytes)?;
        self.sync()?;
        Ok(true)
    }

    /// Evidence in the order of its names, from the one after `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn evidence_after(
        &self,
        after: Option<EvidenceId>,
        limit: usize,
    ) -> Result<Vec<(EvidenceId, Evidence)>, StoreError> {
        let from = after.map_or_else(Vec::new, |EvidenceId(id)| [&id[..], &[0]].concat());
        let damaged = StoreError::Damaged("evidence");
        let mut found = Vec::new();
        for entry in self.evidence.range(from..).take(limit) {
            let (key, value) = entry.into_inner()?;
            let id = key.as_ref().try_into().map(EvidenceId);
            match (id, wire::decode(&value)) {
                (Ok(id), Ok(evidence)) => found.push((id, evidence)),
                _ => return Err(damaged),
            }
        }
        Ok(found)
    }
}
