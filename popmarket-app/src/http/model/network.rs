use ledger::{Height, UnixMillis};
use pbft_core::{evidence::Evidence, message::Handover, wire};
use pbft_crypto::Digest;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::http::timestamp::rfc3339;
use crate::introduction;
use crate::store::EvidenceId;

/// How a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaStatus {
    /// It answers and keeps up.
    Up,
    /// It answers but is behind.
    Behind,
    /// It answers and keeps up, but has no say, or has waited for one thing for ten seconds.
    Waiting,
    /// It does not answer.
    Unreachable,
}

impl ReplicaStatus {
    /// A name that never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Behind => "behind",
            Self::Waiting => "waiting",
            Self::Unreachable => "unreachable",
        }
    }
}

/// What is known about a replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReplicaReport {
    /// Its number.
    pub id: u16,
    /// Where it is.
    #[schema(example = "127.0.0.1:7000")]
    pub address: String,
    /// How it is.
    pub status: ReplicaStatus,
    /// Its last block.
    #[schema(value_type = u64)]
    pub height: Height,
    /// The view that it is in.
    pub view: u64,
    /// The root of its state.
    #[schema(value_type = String)]
    pub state_root: Digest,
    /// The sequence number of its last stable checkpoint.
    pub stable_checkpoint: u64,
    /// What it waits for, in a sentence: a quorum and who is silent, a view that does not begin, a batch.
    #[schema(example = "waits for 3 commits of number 7; silent: 1, 2")]
    pub waits_for: Option<String>,
    /// When it answered last.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(serialize_with = "optional_rfc3339")]
    pub last_seen: Option<UnixMillis>,
}

/// What is known about the replicas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NetworkReport {
    /// What names the chain in every transaction.
    #[schema(value_type = String)]
    pub chain_id: Digest,
    /// The last block that enough replicas have.
    #[schema(value_type = u64)]
    pub height: Height,
    /// How often the replicas have changed.
    pub epoch: u64,
    /// The view, counted anew in each epoch.
    pub view: u64,
    /// The replica that orders in this view.
    pub primary: u16,
    /// The replicas.
    pub replicas: Vec<ReplicaReport>,
    /// How they are together, for people.
    #[schema(example = "all 4 replicas agree")]
    pub diagnosis: String,
    /// Whether enough replicas are there to agree on anything.
    pub has_quorum: bool,
}

#[expect(clippy::ref_option, reason = "serde hands it over like this")]
fn optional_rfc3339<S: Serializer>(at: &Option<UnixMillis>, to: S) -> Result<S::Ok, S::Error> {
    at.map(rfc3339).serialize(to)
}

/// Two statements that one replica has signed, of which a correct replica signs one at most.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceView {
    /// What names it.
    pub id: String,
    /// The replica that signed both.
    pub replica: u16,
    /// What kind of statement.
    #[schema(example = "commit")]
    pub kind: &'static str,
    /// The view that both are about; 0 if they are about none.
    pub view: u64,
    /// The sequence number that both are about; 0 if they are about none.
    pub seq: u64,
    /// Both with their signatures, in hex: what `Evidence::verify` of the library judges.
    pub statements: String,
}

impl EvidenceView {
    /// As strangers get it.
    pub fn new(id: EvidenceId, evidence: &Evidence) -> Self {
        let (view, seq) = evidence.about();
        Self {
            id: id.to_string(),
            replica: evidence.culprit().value(),
            kind: evidence.kind(),
            view: view.value(),
            seq: seq.value(),
            // What was read from the store can be written.
            statements: wire::encode(evidence).map(hex::encode).unwrap_or_default(),
        }
    }
}

/// Evidence, by replica, kind, view and number.
pub type EvidenceList = super::List<EvidenceView>;

/// One set of replicas hands over to the next.
#[derive(Debug, Serialize, ToSchema)]
pub struct HandoverView {
    /// The epoch that ends.
    pub epoch: u64,
    /// The last number that it decides.
    pub after: u64,
    /// The whole of it, in hex: what it says is signed by a quorum of the set that ends.
    pub handover: String,
}

impl HandoverView {
    /// As strangers get it.
    pub fn new(handover: &Handover) -> Self {
        let (epoch, after) = (handover.epoch().value(), handover.summary.seq.value());
        Self { epoch, after, handover: introduction::encode(handover) }
    }
}

/// All handovers, oldest first.
pub type HandoverList = super::List<HandoverView>;
