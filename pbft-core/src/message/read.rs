//! READ and its answers: a question about the service's state, which replicas answer without ordering it (QR).

use pbft_crypto::Digest;
use serde::{Deserialize, Serialize};

use super::Operation;
use crate::ids::{Epoch, ReadNumber, Seq};

/// The longest question.
pub const MAX_QUERY_BYTES: usize = 16 << 10;
/// The longest result.
pub const MAX_RESULT_BYTES: usize = 256 << 10;

/// A client's question about the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// The client's number for it, used for no other question.
    pub number: ReadNumber,
    /// What it wants to know, in the service's own bytes.
    pub query: Operation,
}

/// One replica's word about one question. A client believes it when a quorum says the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadReply {
    /// Which question.
    pub number: ReadNumber,
    /// What the replica says.
    pub answer: ReadAnswer,
}

/// What a replica says to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadAnswer {
    /// This is what its state shows.
    Shown(Shown),
    /// It does not answer, at least not now.
    Refused(ReadRefusal),
}

/// What one state shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The replica's epoch.
    pub epoch: Epoch,
    /// The name of the replica set of that epoch: only a quorum of this very set proves anything.
    pub replicas: Digest,
    /// The last batch that the state had executed.
    pub executed: Seq,
    /// The service's answer.
    #[serde(with = "crate::wire::byte_string")]
    pub result: Vec<u8>,
}

/// Why a replica does not answer a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ReadRefusal {
    /// Too many questions wait, of this client or of all.
    Busy,
    /// Its state may miss what others have executed: it is no member, lost its log, takes over a state, or the replicas are
    /// about to change.
    NotNow,
    /// The question, or the service's answer, is too long.
    TooLarge,
    /// The service does not answer such a question.
    Unsupported,
}
