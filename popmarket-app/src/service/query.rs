//! Questions that a quorum of replicas answers without ordering anything, and their bytes.

use ledger::{AssetId, Balance, Height, TxId};
use pbft_crypto::Address;
use serde::{Deserialize, Serialize};

use super::outcome::encode;
use super::{LedgerView, UnknownOutcome};
use crate::store::{StoreError, TxPlace};

/// What can be asked of the replicas' ledgers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LedgerQuery {
    /// What an account has: answered by [`Holdings`].
    Holdings(Address),
    /// Where a transaction is on the chain: answered by an optional [`TxPlace`].
    Place(TxId),
}

/// What an account has in one state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdings {
    /// The last block of that state.
    pub height: Height,
    /// By asset. Nothing for who has never had anything.
    pub balances: Vec<(AssetId, Balance)>,
    /// The lowest nonce above all that the account has used.
    pub next_nonce: u64,
}

impl LedgerQuery {
    /// The question as replicas get it.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Answers; nothing for what is no question, or what this replica cannot know.
    pub(super) fn answer(view: &LedgerView, bytes: &[u8]) -> Option<Vec<u8>> {
        if view.failure().is_some() {
            return None;
        }
        match postcard::from_bytes(bytes).ok()? {
            Self::Holdings(address) => Some(encode(&Holdings::of(view, &address))),
            Self::Place(id) => known_place(view, &id).ok()?.map(|place| encode(&place)),
        }
    }
}

impl Holdings {
    fn of(view: &LedgerView, address: &Address) -> Self {
        view.read(|ledger| Self {
            height: ledger.height(),
            balances: ledger.balances(address).collect(),
            next_nonce: ledger.nonces(address).after_last_used(),
        })
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// [`UnknownOutcome`].
    pub fn decode(bytes: &[u8]) -> Result<Self, UnknownOutcome> {
        postcard::from_bytes(bytes).map_err(|_| UnknownOutcome)
    }
}

/// Whoever lacks blocks cannot say that a transaction is on none.
fn known_place(view: &LedgerView, id: &TxId) -> Result<Option<Option<TxPlace>>, StoreError> {
    if let Some(place) = view.store().place_of(id)? {
        return Ok(Some(Some(place)));
    }
    Ok(view.store().block(Height::default())?.map(|_| None))
}
