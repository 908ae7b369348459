//! VIEW-CHANGE: a replica gives up on a primary and tells what the next one must not forget.
//!
//! The statement holds facts alone; the proofs travel beside it. So a NEW-VIEW can show the statements of a quorum
//! without all their proofs: of each number, only the proof of the fact that decides is needed.

use pbft_crypto::{Hasher, Signature};
use serde::{Deserialize, Serialize};

use super::{Checkpoint, PrePrepare, Prepare, Signed, Statement, StatementKind};
use crate::{
    certificate::Certificate,
    ids::{ReplicaId, Seq, View},
};

/// "I take no further part in views before `view`. A quorum got as far as `stable`; past it, I prepared this."
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewChange {
    /// The view to come.
    pub view: View,
    /// The newest stable checkpoint that the signer knows of; 0 for the start.
    pub stable: Seq,
    /// What it prepared past `stable`: for each number the last view in which it did, ascending by number.
    pub prepared: Vec<PrePrepare>,
}

impl Statement for ViewChange {
    const KIND: StatementKind = StatementKind::ViewChange;

    fn absorb(&self, hasher: &mut Hasher) {
        hasher.update_u64(self.view.value());
        hasher.update_u64(self.stable.value());
        hasher.update_u64(self.prepared.len() as u64);
        for prepared in &self.prepared {
            prepared.absorb(hasher);
        }
    }
}

/// Proof that a quorum agreed to an assignment in its view: the primary's pre-prepare and prepares of backups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparedCertificate {
    /// The primary's vote.
    pub pre_prepare: Signed<PrePrepare>,
    /// The votes of backups for the same assignment, ascending by signer.
    pub prepares: Vec<(ReplicaId, Signature)>,
}

impl PreparedCertificate {
    /// Puts a proof together from votes for one assignment, ascending by signer.
    pub fn from_votes<'a>(
        pre_prepare: Signed<PrePrepare>,
        prepares: impl IntoIterator<Item = &'a Signed<Prepare>>,
    ) -> Self {
        let prepares = prepares.into_iter().map(|vote| (vote.signer, vote.signature)).collect();
        Self { pre_prepare, prepares }
    }

    /// What was prepared.
    #[must_use]
    pub const fn statement(&self) -> PrePrepare {
        self.pre_prepare.statement
    }

    /// The prepares as their signers sent them.
    pub fn votes(&self) -> impl Iterator<Item = Signed<Prepare>> {
        let PrePrepare { view, seq, digest } = self.statement();
        let statement = Prepare { view, seq, digest };
        self.prepares.iter().map(move |(signer, signature)| Signed {
            statement,
            signer: *signer,
            signature: *signature,
        })
    }
}

/// A VIEW-CHANGE with the proof of every fact in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvenViewChange {
    /// The signed facts.
    pub vote: Signed<ViewChange>,
    /// Proof of `stable`; nothing if that is 0.
    pub stable: Option<Certificate<Checkpoint>>,
    /// Proof of each entry of `prepared`, in the same order.
    pub prepared: Vec<PreparedCertificate>,
}
