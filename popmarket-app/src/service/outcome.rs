//! What the service answers to a request, and its bytes.

use ledger::{Height, Refusal, TxId};
use pbft_core::service::Outcome;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What came of a transaction that is on the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxResult {
    /// The transaction. Another one with the same sender and nonce gets the same answer, which is not about it.
    pub tx_id: TxId,
    /// Its block.
    pub height: Height,
    /// Its place among the block's transactions.
    pub index: u32,
    /// Whether it was carried out.
    pub outcome: ledger::Outcome,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The transaction is on the chain.
    Recorded(TxResult),
    /// It left no trace.
    Refused(Refusal),
}

/// Bytes that the service never answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the answer is none of this service")]
pub struct UnknownOutcome;

impl Verdict {
    /// Reads an answer of the service.
    ///
    /// # Errors
    /// [`UnknownOutcome`].
    pub fn from_outcome(outcome: &Outcome) -> Result<Self, UnknownOutcome> {
        let verdict = match outcome {
            Outcome::Applied(bytes) => postcard::from_bytes(bytes).map(Self::Recorded),
            Outcome::Refused(bytes) => postcard::from_bytes(bytes).map(Self::Refused),
        };
        verdict.map_err(|_| UnknownOutcome)
    }
}

pub(super) fn recorded(result: &TxResult) -> Outcome {
    Outcome::Applied(encode(result))
}

pub(super) fn refused(refusal: Refusal) -> Outcome {
    Outcome::Refused(refusal_bytes(refusal))
}

pub(super) fn refusal_bytes(refusal: Refusal) -> Vec<u8> {
    encode(&refusal)
}

#[expect(
    clippy::expect_used,
    reason = "postcard fails on sequences of unknown length only: answers have none"
)]
pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("answers are encodable")
}
