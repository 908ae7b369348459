//! One number of the order: the proposal for it and the votes.

use std::sync::Arc;

use pbft_crypto::Digest;

use super::Votes;
use crate::{
    certificate::Certificate,
    ids::View,
    message::{
        Batch, Commit, CommittedBatch, PrePrepare, Prepare, PreparedCertificate, Proposal, Signed, SlotStatus,
    },
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
    /// Whether this replica has seen a quorum prepare in the current view, and so has decided to commit.
    pub prepared: bool,
    /// What the current view assigned when it began; its batch may still be missing.
    assigned: Option<Signed<PrePrepare>>,
    /// Proof of the last view in which a quorum prepared, as this replica saw it.
    proof: Option<PreparedCertificate>,
    /// Batches of earlier views, which a later one may assign again; the oldest goes first.
    bodies: Vec<(Digest, Arc<Batch>)>,
    committed: Option<Certificate<Commit>>,
    batch: Option<Arc<Batch>>,
    position: LogPosition,
}

/// How many batches of earlier views are kept for one number. Each needs a view of its own, begun by a quorum.
const MAX_BODIES: usize = 8;

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

    /// The primary's vote in the current view.
    #[must_use]
    pub fn pre_prepare(&self) -> Option<&Signed<PrePrepare>> {
        self.proposal.as_ref().map(|proposal| &proposal.pre_prepare).or(self.assigned.as_ref())
    }

    /// The batch with this digest, if it is here: a quorum may have committed another than was proposed to us, and a
    /// new view may assign one of an earlier view.
    #[must_use]
    pub fn batch_with(&self, digest: &Digest) -> Option<Arc<Batch>> {
        let proposed = self.proposal.iter().map(|p| (p.pre_prepare.statement.digest, &p.batch));
        let committed =
            self.committed.iter().zip(&self.batch).map(|(proof, batch)| (proof.statement.digest, batch));
        let earlier = self.bodies.iter().map(|(digest, batch)| (*digest, batch));
        let known = proposed.chain(committed).chain(earlier).find(|(known, _)| known == digest);
        known.map(|(_, batch)| batch.clone()).or_else(|| null_batch(digest))
    }

    /// A quorum has prepared the accepted proposal: keeps the proof for view changes, and returns the votes in it.
    pub fn prove(&mut self, expected: &Prepare) -> Vec<Signed<Prepare>> {
        let votes: Vec<_> = self.prepares.matching(expected).cloned().collect();
        self.prepared = true;
        if let Some(pre_prepare) = self.pre_prepare() {
            self.proof = Some(PreparedCertificate::from_votes(pre_prepare.clone(), &votes));
        }
        votes
    }

    /// Proof of the last view in which a quorum prepared.
    #[must_use]
    pub const fn proof(&self) -> Option<&PreparedCertificate> {
        self.proof.as_ref()
    }

    /// Forgets the votes of the view that ends. Batches and proofs stay.
    pub fn leave_view(&mut self) {
        if let Some(proposal) = self.proposal.take() {
            self.keep_body(proposal.batch);
        }
        self.assigned = None;
        self.pre_prepared = false;
        self.prepared = false;
        self.prepares = Votes::default();
        self.commits = Votes::default();
    }

    /// Keeps a batch that the current view, or a later one, may assign to this number.
    pub fn keep_body(&mut self, batch: Arc<Batch>) {
        let digest = batch.digest();
        if self.bodies.iter().any(|(known, _)| *known == digest) {
            return;
        }
        let proven = self.proof.as_ref().map(|proof| proof.statement().digest);
        if self.bodies.len() >= MAX_BODIES
            && let Some(oldest) = self.bodies.iter().position(|(known, _)| Some(*known) != proven)
        {
            self.bodies.remove(oldest);
        }
        self.bodies.push((digest, batch));
    }

    /// The view that begins gives this number to a batch that may be known or not.
    pub fn assign(&mut self, assignment: Signed<PrePrepare>) {
        self.assigned = Some(assignment);
    }

    /// Accepts what was assigned, if its batch is here and nothing was accepted yet.
    pub fn accept_assigned(&mut self) -> Option<Proposal> {
        if self.proposal.is_some() {
            return None;
        }
        let pre_prepare = self.assigned.clone()?;
        // A correct primary assigns nothing else to a number that is final.
        if self.decided().is_some_and(|decided| decided.digest != pre_prepare.statement.digest) {
            return None;
        }
        let batch = self.batch_with(&pre_prepare.statement.digest)?;
        let proposal = Proposal { pre_prepare, batch };
        self.proposal = Some(proposal.clone());
        Some(proposal)
    }

    /// Makes the number final.
    pub fn finish(&mut self, certificate: Certificate<Commit>, batch: Arc<Batch>) {
        self.committed = Some(certificate);
        self.batch = Some(batch);
    }

    /// What a quorum has committed, if the number is final.
    #[must_use]
    pub fn decided(&self) -> Option<Commit> {
        self.committed.as_ref().map(|certificate| certificate.statement)
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

    /// Whether the log holds anything of use about this number.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.proposal.is_some() || self.proof.is_some() || self.is_committed() || !self.bodies.is_empty()
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

/// The null request is known to everyone.
fn null_batch(digest: &Digest) -> Option<Arc<Batch>> {
    let null = Batch::null();
    (null.digest() == *digest).then(|| Arc::new(null))
}
