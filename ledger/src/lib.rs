//! The ledger of POP Market: blocks, transactions, accounts, charges, payments, listings and escrow trades, as a
//! deterministic state machine without I/O.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod accounts;
mod amount;
mod block;
mod charges;
mod codec;
mod deadlines;
mod event;
mod execution;
mod genesis;
mod ids;
mod invariants;
mod ledger;
mod listings;
pub mod merkle;
mod money;
mod nonce;
mod payments;
mod refusal;
mod rejection;
mod state;
mod state_key;
pub mod state_tree;
mod table;
mod text;
mod time;
mod trades;
mod transaction;

pub use accounts::{Account, AccountEvent, AccountOp, AccountRejection, Role};
pub use amount::{Amount, AssetId, BasisPoints, ShareTooLarge, UnknownAsset};
pub use block::{Block, BlockHeader, Cause, MAX_BLOCK_BYTES, Outcome, Receipt};
pub use charges::{Charge, ChargeEvent, ChargeOp, ChargeRejection, ChargeStatus};
pub use codec::DecodeError;
pub use deadlines::{MAX_DEADLINES_PER_BLOCK, ObjectId};
pub use event::{Event, EventKind};
pub use execution::{Applied, BatchInput, TxOutcome};
pub use genesis::{Genesis, GenesisAccount, GenesisError, Params};
pub use ids::{ChargeId, Height, ListingId, TradeId, TxId};
pub use invariants::InvariantViolation;
pub use ledger::{Ledger, RestoreError};
pub use listings::{
    Listing, ListingContent, ListingEvent, ListingOp, ListingRejection, ListingStatus, MAX_PHOTOS,
    MAX_VERSIONS, Photos, TooManyPhotos,
};
pub use money::{Balance, MoneyEvent, MoneyRejection, Supply};
pub use nonce::{NONCE_WINDOW, NonceWindow};
pub use payments::{PaymentEvent, PaymentOp, PaymentRejection, ReferencedPayment};
pub use refusal::Refusal;
pub use rejection::Rejection;
pub use state_key::{ProvenEntry, StateKey};
pub use table::{EntryError, StateChange};
pub use text::{Description, Memo, Name, Reason, Reference, TextError, Title, Tracking};
pub use time::{Millis, UnixMillis};
pub use trades::{
    DeadlineKind, Mover, Trade, TradeChange, TradeDeadline, TradeEvent, TradeOp, TradeRejection, TradeState,
};
pub use transaction::{Auth, Body, EnvelopeError, MAX_TRANSACTION_BYTES, Operation, Transaction};
