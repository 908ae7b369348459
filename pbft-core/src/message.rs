//! What replicas say to each other, and to clients. One file for each kind.

pub mod attestation;
pub mod catch_up;
pub mod checkpoint;
pub mod commit;
pub mod handover;
pub mod new_view;
pub mod pre_prepare;
pub mod prepare;
pub mod read;
pub mod reply;
pub mod request;
pub mod signed;
pub mod state_transfer;
pub mod status;
pub mod view_change;

pub use attestation::Attestation;
pub use catch_up::{CommittedBatch, Fetch};
pub use checkpoint::Checkpoint;
pub use commit::Commit;
pub use handover::{Change, Handover, Membership, StateSummary};
pub use new_view::{NewView, ProvenNewView};
pub use pre_prepare::{Batch, PrePrepare, Proposal};
pub use prepare::Prepare;
pub use read::{Read, ReadAnswer, ReadRefusal, ReadReply, Shown};
pub use reply::{DeclineReason, Reply};
pub use request::{Operation, Request};
use serde::{Deserialize, Serialize};
pub use signed::{Signed, Statement, StatementKind};
pub use state_transfer::{FetchState, PartBytes, Returned, Standing, State, StatePart};
pub use status::{SlotStatus, Status};
pub use view_change::{PreparedCertificate, ProvenViewChange, ViewChange};

use crate::{certificate::Certificate, ids::ReplicaId};

/// Anything that one replica sends to another. New kinds are added at the end: the tag is part of the format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A backup hands requests on to the primary.
    Forward(Vec<Request>),
    /// The primary gives a batch its sequence number.
    PrePrepare(Proposal),
    /// A backup agrees to that assignment in this view.
    Prepare(Signed<Prepare>),
    /// A replica has seen a quorum agree.
    Commit(Signed<Commit>),
    /// A replica has executed so far, with this result.
    Checkpoint(Signed<Checkpoint>),
    /// What a replica has, so that others send what it lacks.
    Status(Status),
    /// A request for committed batches.
    Fetch(Fetch),
    /// A committed batch with its proof.
    Committed(CommittedBatch),
    /// The proof of a stable checkpoint.
    Stable(Certificate<Checkpoint>),
    /// A replica gives up on a primary.
    ViewChange(Box<ProvenViewChange>),
    /// A new primary begins its view.
    NewView(Box<ProvenNewView>),
    /// The proof that other replicas took over.
    Handover(Box<Handover>),
    /// What executing a batch had as its result, says one replica.
    Attestation(Signed<Attestation>),
    /// The proof of a result.
    Certified(Certificate<Attestation>),
    /// A request for a part of the state at a checkpoint.
    FetchState(FetchState),
    /// A part of the state.
    State(State),
    /// A replica is back without its log.
    Returned(Returned),
    /// Where a replica is, for one that is back.
    Standing(Standing),
}

impl Message {
    /// Whether it means something within one view only, or begins or ends one.
    #[must_use]
    pub const fn is_of_view(&self) -> bool {
        matches!(
            self,
            Self::PrePrepare(_) | Self::Prepare(_) | Self::Commit(_) | Self::ViewChange(_) | Self::NewView(_)
        )
    }

    /// Whose vote it is, if it is one vote and no more. (A proposal also brings a batch, which any peer may relay.)
    #[must_use]
    pub fn voter(&self) -> Option<ReplicaId> {
        match self {
            Self::Prepare(vote) => Some(vote.signer),
            Self::Commit(vote) => Some(vote.signer),
            Self::Checkpoint(vote) => Some(vote.signer),
            Self::ViewChange(proven) => Some(proven.vote.signer),
            _ => None,
        }
    }

    /// A short name, for metrics and logs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Forward(_) => "forward",
            Self::PrePrepare(_) => "pre-prepare",
            Self::Prepare(_) => "prepare",
            Self::Commit(_) => "commit",
            Self::Checkpoint(_) => "checkpoint",
            Self::Status(_) => "status",
            Self::Fetch(_) => "fetch",
            Self::Committed(_) => "committed",
            Self::Stable(_) => "stable",
            Self::ViewChange(_) => "view-change",
            Self::NewView(_) => "new-view",
            Self::Handover(_) => "handover",
            Self::Attestation(_) => "attestation",
            Self::Certified(_) => "certified",
            Self::FetchState(_) => "fetch-state",
            Self::State(_) => "state",
            Self::Returned(_) => "returned",
            Self::Standing(_) => "standing",
        }
    }
}
