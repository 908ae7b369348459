//! Questions that a quorum of replicas answers without ordering anything, and their bytes.

use ledger::{AssetId, Balance, Height, Ledger, TokenId, TxId};
use pbft_crypto::Address;
use serde::{Deserialize, Serialize};

use super::outcome::encode;
use super::{LedgerView, UnknownOutcome};
use crate::store::{StoreError, TxPlace};

/// What can be asked of the replicas' ledgers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LedgerQuery {
    /// What an account has: answered by [`Holdings`].
    Holdings {
        /// Whose.
        account: Address,
        /// Only the tokens after this one.
        after: Option<TokenId>,
    },
    /// Where a transaction is on the chain: answered by an optional [`TxPlace`].
    Place(TxId),
}

/// How many tokens are in an answer: it has an end, and anybody can send anybody some of a token of their own.
const MAX_HOLDINGS: usize = 100;
/// How many balances of an account are looked at, also those that came to nothing.
const MAX_SEEN: usize = 10_000;

/// What an account has in one state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdings {
    /// The last block of that state.
    pub height: Height,
    /// Of the coin.
    pub coin: Balance,
    /// Of tokens, the shortest symbols first, and those that are as long by their letters: of the first hundred after the one
    /// that was named, without those of which there is nothing.
    pub tokens: Vec<(TokenId, Balance)>,
    /// After which token there may be others: the last one that was looked at, if that was not all. It may be none of these.
    pub next: Option<TokenId>,
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
            Self::Holdings { account, after } => Some(encode(
                &view.read(|ledger| Holdings::of(ledger, &account, after, (MAX_HOLDINGS, MAX_SEEN))),
            )),
            Self::Place(id) => known_place(view, &id).ok()?.map(|place| encode(&place)),
        }
    }
}

impl Holdings {
    /// At most so many tokens, among so many that are looked at.
    pub(super) fn of(
        ledger: &Ledger,
        account: &Address,
        after: Option<TokenId>,
        (most, most_seen): (usize, usize),
    ) -> Self {
        let rows = ledger.balances(account, after.map(AssetId::from));
        let rows = rows.filter_map(|(asset, balance)| Some((asset.token()?, balance)));
        let (mut tokens, mut last, mut next) = (Vec::new(), None, None);
        for (seen, (token, balance)) in rows.enumerate() {
            if seen == most_seen || !balance.is_zero() && tokens.len() == most {
                next = last;
                break;
            }
            last = Some(token);
            if !balance.is_zero() {
                tokens.push((token, balance));
            }
        }
        let (coin, next_nonce) =
            (ledger.balance(account, AssetId::Pop), ledger.nonces(account).after_last_used());
        Self { height: ledger.height(), coin, tokens, next, next_nonce }
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
