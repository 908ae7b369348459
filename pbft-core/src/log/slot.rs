//! One number of the order: the proposal for it and the votes.

use std::sync::Arc;

use pbft_crypto::Digest;

use super::Votes;
use crate::{
    certificate::Certificate,
    ids::View,
    message::{Batch, Commit, CommittedBatch, Prepare, Proposal, SlotStatus},
    storage::LogPosition,
};

/// What is known of one number. Phases may arrive in any order.
#[derive(Clone, Debug, Default)]
pub struct Slot {
    /// The accepted proposal of the current view.
    pub proposal: Option<Proposal>,
    /// Whether the primary's vote counts: at the primary itself only once it is durable.
    pub pre_prepared: bool,
    /// Prepares of backups.
    pub prepares: Votes<Prepare>,
    /// Commits of all replicas.
    pub commits: Votes<Commit>,
    /// Whether this replica has seen a quorum prepare, and so has decided to commit.
    pub prepared: bool,
    committed: Option<Certificate<Commit>>,
    batch: Option<Arc<Batch>>,
    position: LogPosition,
}

impl Slot {
    /// Whether a quorum has prepared what the primary proposed: its own vote and those of backups, each once.
    #[must_use]
    pub fn has_prepare_quorum(&self, view: View, quorum: usize) -> bool {
        let Some(prepare) = self.expected_prepare(view) else { return false };
        let backups = self.prepares.matching(&prepare).count();
        self.pre_prepared && backups.saturating_add(1) >= quorum
    }

    /// What a prepare for the accepted proposal says.
    #[must_use]
    pub fn expected_prepare(&self, view: View) -> Option<Prepare> {
        let statement = self.proposal.as_ref()?.pre_prepare.statement;
        (statement.view == view).then_some(Prepare { view, seq: statement.seq, digest: statement.digest })
    }

    /// The digest of the accepted proposal.
    #[must_use]
    pub fn proposed_digest(&self) -> Option<Digest> {
        Some(self.proposal.as_ref()?.pre_prepare.statement.digest)
    }

    /// The batch with this digest, if it is here: a quorum may have committed another than was proposed to us.
    #[must_use]
    pub fn batch_with(&self, digest: &Digest) -> Option<Arc<Batch>> {
        let proposal = self.proposal.as_ref()?;
        (proposal.pre_prepare.statement.digest == *digest).then(|| proposal.batch.clone())
    }

    /// Makes the number final.
    pub fn finish(&mut self, certificate: Certificate<Commit>, batch: Arc<Batch>) {
        self.prepared = true;
        self.committed = Some(certificate);
        self.batch = Some(batch);
    }

    /// Whether the number is final.
    #[must_use]
    pub const fn is_committed(&self) -> bool {
        self.committed.is_some()
    }

    /// The final batch with its proof.
    #[must_use]
    pub fn committed_batch(&self) -> Option<CommittedBatch> {
        Some(CommittedBatch { batch: self.batch.clone()?, certificate: self.committed.clone()? })
    }

    /// How far it got.
    #[must_use]
    pub const fn status(&self) -> SlotStatus {
        if self.is_committed() {
            SlotStatus::Committed
        } else if self.prepared {
            SlotStatus::Prepared
        } else if self.proposal.is_some() {
            SlotStatus::PrePrepared
        } else {
            SlotStatus::Empty
        }
    }

    /// Takes down that a record about this number was written; the first one counts.
    pub fn recorded_at(&mut self, position: LogPosition) {
        if self.position == LogPosition::START {
            self.position = position;
        }
    }

    /// Where the first record about this number is.
    #[must_use]
    pub const fn position(&self) -> LogPosition {
        self.position
    }
}
