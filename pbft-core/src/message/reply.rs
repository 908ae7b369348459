//! REPLY: what a replica tells a client.

use pbft_crypto::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{RequestId, Seq, View},
    service::Outcome,
};

/// One replica's word about one request. A client believes it when `f + 1` replicas say the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The replica's view: a hint who the primary is, not part of the match.
    pub view: View,
    /// Where the request was executed.
    pub seq: Seq,
    /// Which request.
    pub id: RequestId,
    /// Its digest: another request may have had this number.
    pub request: Digest,
    /// What came of it.
    pub outcome: Outcome,
}

/// Why a replica does not take a request. It remembers nothing of it; others may have taken it all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeclineReason {
    /// The buffer is full, or this client's share of it: come back later.
    Busy,
    /// Another request of this client with the same number waits already, or was executed.
    NumberInUse,
    /// The number lies before the client's window.
    NumberTooOld,
    /// The number lies past the client's window.
    NumberTooFar,
    /// The client is new, and the cluster remembers as many clients as it can.
    TooManyClients,
    /// It was executed, so long ago that the reply is forgotten.
    ReplyForgotten,
    /// The operation is too large.
    TooLarge,
    /// The service's admission refused it, in the service's own bytes.
    NotAdmitted(Vec<u8>),
}
