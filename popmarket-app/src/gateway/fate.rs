//! What came of a transaction, by what is heard from the replicas and seen on the local chain.

use ledger::{Refusal, Transaction, TxId, UnixMillis};
use pbft_core::message::DeclineReason;

use super::{Answer, NoAnswer, Recorded};
use crate::service::{LedgerView, TxResult, Verdict};
use crate::store::StoreError;

/// What came of a transaction.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// It is on the chain.
    Recorded(Recorded),
    /// It is not, and does not get there.
    Refused(Refusal),
    /// It is not: the chain has as many accounts as it can have. None is ever forgotten.
    Full,
    /// Nobody knows.
    Unknown,
    /// Nobody will say any more.
    Stopping,
}

/// A transaction on the local chain.
pub(super) fn on_chain(view: &LedgerView, id: &TxId) -> Result<Option<Recorded>, StoreError> {
    let Some(place) = view.store().place_of(id)? else { return Ok(None) };
    let block = view.store().block(place.height)?.ok_or(StoreError::Damaged("a block is missing"))?;
    let receipt = block.receipt_of(id).ok_or(StoreError::Damaged("a receipt is missing"))?.1;
    let outcome = receipt.outcome.clone();
    Ok(Some(Recorded { tx_id: *id, height: place.height, index: place.index, outcome }))
}

/// How a transaction stands with the local chain.
#[derive(Debug)]
pub(super) enum Standing {
    /// It is recorded.
    OnChain(Recorded),
    /// It is not, and this is what the ledger would say now.
    Refused(Refusal),
    /// It may be recorded.
    Open,
}

/// How a transaction stands with the local chain at this time, or at the time of the last block.
pub(super) fn standing(
    view: &LedgerView,
    transaction: &Transaction,
    now: Option<UnixMillis>,
) -> Result<Standing, StoreError> {
    let advice =
        view.read(|ledger| ledger.check(transaction, now.unwrap_or_default().max(ledger.tip().time)));
    // After the look at the ledger: whoever sees the nonce used finds the transaction that used it.
    Ok(match (on_chain(view, &transaction.id())?, advice) {
        (Some(recorded), _) => Standing::OnChain(recorded),
        (None, Err(refusal)) => Standing::Refused(refusal),
        (None, Ok(())) => Standing::Open,
    })
}

/// Whether nothing that may still happen gets such a transaction recorded, as the last block says so.
pub(super) const fn is_final(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::NonceUsed { .. } | Refusal::Expired { .. } | Refusal::WrongChain)
}

/// What an answer means, if it settles anything.
pub(super) fn judge(
    view: &LedgerView,
    transaction: &Transaction,
    answer: Result<Answer, NoAnswer>,
) -> Result<Option<Fate>, StoreError> {
    let reason = match answer {
        Ok(answer) => return by_verdict(view, transaction, Verdict::from_outcome(&answer.outcome).ok()),
        Err(NoAnswer::Closed) => return Ok(Some(Fate::Stopping)),
        Err(NoAnswer::NotSent | NoAnswer::TimedOut) => return Ok(None),
        Err(NoAnswer::Declined(reason)) => reason,
    };
    match reason {
        DeclineReason::NotAdmitted(bytes) => {
            let refusal = postcard::from_bytes(&bytes).unwrap_or(Refusal::Malformed);
            Ok(Some(Fate::Refused(refusal)))
        }
        DeclineReason::TooManyClients => Ok(Some(Fate::Full)),
        DeclineReason::TooLarge => Ok(Some(Fate::Refused(Refusal::Malformed))),
        DeclineReason::NumberInUse | DeclineReason::NumberTooOld | DeclineReason::ReplyForgotten => {
            by_chain(view, transaction)
        }
        // Other replicas may have taken it, or will when there is room.
        _ => Ok(None),
    }
}

fn by_verdict(
    view: &LedgerView,
    transaction: &Transaction,
    verdict: Option<Verdict>,
) -> Result<Option<Fate>, StoreError> {
    match verdict {
        Some(Verdict::Recorded(TxResult { tx_id, height, index, outcome })) if tx_id == transaction.id() => {
            Ok(Some(Fate::Recorded(Recorded { tx_id, height, index, outcome })))
        }
        // Another transaction of the sender has the nonce.
        Some(Verdict::Recorded(_)) => Ok(Some(Fate::Refused(nonce_used(view, transaction)))),
        Some(Verdict::Refused(Refusal::NonceUsed { .. })) => by_chain(view, transaction),
        Some(Verdict::Refused(refusal)) => Ok(Some(Fate::Refused(refusal))),
        // No correct replica says this.
        None => Ok(None),
    }
}

/// The nonce is used: by this transaction or by another one? Not known while the local chain lags behind.
fn by_chain(view: &LedgerView, transaction: &Transaction) -> Result<Option<Fate>, StoreError> {
    Ok(match standing(view, transaction, None)? {
        Standing::OnChain(recorded) => Some(Fate::Recorded(recorded)),
        Standing::Refused(refusal) if is_final(&refusal) => Some(Fate::Refused(refusal)),
        Standing::Refused(_) | Standing::Open => None,
    })
}

fn nonce_used(view: &LedgerView, transaction: &Transaction) -> Refusal {
    let base = view.read(|ledger| ledger.nonces(&transaction.body().sender).base());
    Refusal::NonceUsed { base }
}
