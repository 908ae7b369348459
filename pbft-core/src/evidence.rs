//! Evidence: two signed statements that contradict each other prove their signer faulty to anyone.

use serde::{Deserialize, Serialize};

use crate::{
    ids::ReplicaId,
    message::{Attestation, Checkpoint, Commit, NewView, PrePrepare, Prepare, Signed, ViewChange},
};

/// A provable fault: both statements carry the same signer's valid signature, and no correct replica signs both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Evidence {
    /// A primary gave one number to two batches in one view.
    PrePrepares(Box<[Signed<PrePrepare>; 2]>),
    /// A backup prepared two batches for one number of one view.
    Prepares(Box<[Signed<Prepare>; 2]>),
    /// A replica committed two batches for one number of one view.
    Commits(Box<[Signed<Commit>; 2]>),
    /// A replica claims two results for the same executed prefix.
    Checkpoints(Box<[Signed<Checkpoint>; 2]>),
    /// A replica states two sets of facts on its way to one view.
    ViewChanges(Box<[Signed<ViewChange>; 2]>),
    /// A primary begins one view in two ways.
    NewViews(Box<[Signed<NewView>; 2]>),
    /// A replica claims two results of one batch.
    Attestations(Box<[Signed<Attestation>; 2]>),
}

impl Evidence {
    /// Who is at fault.
    #[must_use]
    pub fn culprit(&self) -> ReplicaId {
        const fn signer<T>([first, _]: &[Signed<T>; 2]) -> ReplicaId {
            first.signer
        }
        match self {
            Self::PrePrepares(pair) => signer(pair),
            Self::Prepares(pair) => signer(pair),
            Self::Commits(pair) => signer(pair),
            Self::Checkpoints(pair) => signer(pair),
            Self::ViewChanges(pair) => signer(pair),
            Self::NewViews(pair) => signer(pair),
            Self::Attestations(pair) => signer(pair),
        }
    }
}
