//! Trades: purchases whose money is held in escrow until they are over.
//!
//! | from | to | who |
//! | --- | --- | --- |
//! | - | FUNDED | the buyer, whose money is held from now on |
//! | FUNDED | ACCEPTED | the seller |
//! | FUNDED, ACCEPTED | SHIPPED | the seller |
//! | FUNDED, ACCEPTED | CANCELLED | the seller; the `ship_by` deadline |
//! | FUNDED | CANCELLED | the buyer |
//! | ACCEPTED | CANCELLED | the buyer asks, then the seller stays silent until the `answer_by` deadline |
//! | FUNDED, ACCEPTED, SHIPPED | RELEASED | the buyer |
//! | SHIPPED | RELEASED | the `confirm_by` deadline |
//!
//! RELEASED pays the seller and the fee, CANCELLED pays the buyer back and opens the listing again. Both are final.

mod rules;

use pbft_crypto::{Address, Digest};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::amount::{Amount, AssetId};
use crate::deadlines::{Deadlines, ObjectId};
use crate::ids::{ListingId, TradeId};
use crate::table::{EntryError, Row, Table, TableId};
use crate::text::Tracking;
use crate::time::UnixMillis;

pub(crate) use rules::{apply, expire};

/// Transactions about trades.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TradeOp {
    /// Buys: holds the price. The sender is the buyer.
    Open {
        /// What.
        listing: ListingId,
        /// The version that the buyer saw.
        version: u32,
        /// The hash of what the buyer saw: [`ListingContent::hash`](crate::ListingContent::hash).
        content_hash: Digest,
    },
    /// The seller will ship.
    Accept {
        /// Which.
        trade: TradeId,
    },
    /// The seller has shipped.
    Ship {
        /// Which.
        trade: TradeId,
        /// How the parcel can be followed.
        tracking: Tracking,
    },
    /// The buyer is content: the seller is paid.
    Confirm {
        /// Which.
        trade: TradeId,
    },
    /// The sender, buyer or seller, does not want it any more.
    Cancel {
        /// Which.
        trade: TradeId,
    },
}

impl TradeOp {
    /// The existing trade that it is about.
    pub const fn trade(&self) -> Option<TradeId> {
        match self {
            Self::Open { .. } => None,
            Self::Accept { trade }
            | Self::Ship { trade, .. }
            | Self::Confirm { trade }
            | Self::Cancel { trade } => Some(*trade),
        }
    }
}

/// How far a trade is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TradeState {
    /// The money is held.
    Funded,
    /// The seller will ship.
    Accepted,
    /// The seller has shipped.
    Shipped,
    /// The seller was paid. Final.
    Released,
    /// The buyer was paid back. Final.
    Cancelled,
}

impl TradeState {
    /// A name that never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Funded => "FUNDED",
            Self::Accepted => "ACCEPTED",
            Self::Shipped => "SHIPPED",
            Self::Released => "RELEASED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether nothing more can happen.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Released | Self::Cancelled)
    }
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadlineKind {
    /// The seller must ship, or the buyer is paid back.
    ShipBy,
    /// The seller must answer the buyer's wish to cancel by shipping, or the buyer is paid back.
    AnswerBy,
    /// The buyer must say if something is wrong, or the seller is paid.
    ConfirmBy,
}

/// When a trade moves on by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeDeadline {
    /// What for.
    pub kind: DeadlineKind,
    /// When.
    pub at: UnixMillis,
}

/// A purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// What is bought.
    pub listing: ListingId,
    /// In which version.
    pub version: u32,
    /// The hash of what the buyer saw.
    pub content_hash: Digest,
    /// Who buys.
    pub buyer: Address,
    /// Who sells.
    pub seller: Address,
    /// What the buyer pays. It is held until the state is final.
    pub amount: Amount,
    /// The part of it that goes to the fee account; the seller gets the rest.
    pub fee: Amount,
    /// How far it is.
    pub state: TradeState,
    /// When it moves on by itself. Final states have none.
    pub deadline: Option<TradeDeadline>,
    /// Whether the buyer has asked the seller to cancel, and the seller has not shipped.
    pub cancel_requested: bool,
    /// When it began.
    pub opened_at: UnixMillis,
    /// When something happened to it last.
    pub updated_at: UnixMillis,
}

impl Trade {
    /// What the seller gets.
    pub fn payout(&self) -> Amount {
        // The fee is a share of the amount.
        self.amount.checked_sub(self.fee).unwrap_or(Amount::ZERO)
    }
}

impl Row for Trade {
    type Key = TradeId;
    const TABLE: TableId = TableId::Trades;
}

/// Why nothing happens to a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum TradeRejection {
    /// No such trade.
    #[error("there is no such trade")]
    UnknownTrade,
    /// A purchase from oneself.
    #[error("the listing is the buyer's own")]
    OwnListing,
    /// Only the buyer does this.
    #[error("only the buyer may do this")]
    NotBuyer,
    /// Only the seller does this.
    #[error("only the seller may do this")]
    NotSeller,
    /// Neither buyer nor seller.
    #[error("only buyer and seller may do this")]
    NotParty,
    /// Not possible in this state.
    #[error("not possible: the trade is {}", state.code())]
    WrongState {
        /// The state.
        state: TradeState,
    },
    /// The buyer has asked already.
    #[error("the buyer has asked to cancel already")]
    CancelAlreadyRequested,
}

impl TradeRejection {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::UnknownTrade => "UNKNOWN_TRADE",
            Self::OwnListing => "OWN_LISTING",
            Self::NotBuyer => "NOT_BUYER",
            Self::NotSeller => "NOT_SELLER",
            Self::NotParty => "NOT_A_PARTY",
            Self::WrongState { .. } => "WRONG_STATE",
            Self::CancelAlreadyRequested => "CANCEL_ALREADY_REQUESTED",
        }
    }
}

/// Who or what moves a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mover {
    /// The buyer.
    Buyer,
    /// The seller.
    Seller,
    /// Time.
    Deadline(DeadlineKind),
}

/// What happens to a trade, with what the other fields of [`TradeEvent`] do not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TradeChange {
    /// The buyer's money is held.
    Opened {
        /// The version of the listing.
        version: u32,
        /// The hash of what the buyer saw.
        content_hash: Digest,
    },
    /// The seller will ship.
    Accepted,
    /// The seller has shipped.
    Shipped {
        /// How the parcel can be followed.
        tracking: Tracking,
    },
    /// The buyer asks to cancel.
    CancelRequested,
    /// The seller gets `payout`, the fee account `fee`.
    Released {
        /// What the seller gets.
        payout: Amount,
    },
    /// The buyer gets `amount` back.
    Cancelled,
}

/// What happens to trades.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeEvent {
    /// Which trade.
    pub trade: TradeId,
    /// What is bought.
    pub listing: ListingId,
    /// Who buys.
    pub buyer: Address,
    /// Who sells.
    pub seller: Address,
    /// What the buyer pays.
    pub amount: Amount,
    /// The part of it that goes to the fee account.
    pub fee: Amount,
    /// The state before; none before the first.
    pub from: Option<TradeState>,
    /// The state after.
    pub to: TradeState,
    /// Who or what moved it.
    pub by: Mover,
    /// When it moves on by itself from here.
    pub deadline: Option<TradeDeadline>,
    /// What happened.
    pub change: TradeChange,
    /// When.
    pub at: UnixMillis,
}

impl TradeEvent {
    pub(crate) const fn name(&self) -> &'static str {
        match self.change {
            TradeChange::Opened { .. } => "trade.opened",
            TradeChange::Accepted => "trade.accepted",
            TradeChange::Shipped { .. } => "trade.shipped",
            TradeChange::CancelRequested => "trade.cancel_requested",
            TradeChange::Released { .. } => "trade.released",
            TradeChange::Cancelled => "trade.cancelled",
        }
    }
}

/// The trades, and with each change the index of deadlines kept up to date.
#[derive(Default)]
pub(crate) struct Trades {
    pub(crate) rows: Table<Trade>,
}

impl Trades {
    pub(crate) fn find(&self, id: &TradeId) -> Option<&Trade> {
        self.rows.find(id)
    }

    /// When the trade moves on by itself.
    pub(crate) fn due(&self, id: &TradeId) -> Option<UnixMillis> {
        self.find(id)?.deadline.map(|deadline| deadline.at)
    }

    /// What is held, for whom, of what.
    pub(crate) fn holds(&self) -> impl Iterator<Item = (Address, AssetId, Amount)> {
        let live = self.rows.iter().filter(|(_, trade)| !trade.state.is_final());
        live.map(|(_, trade)| (trade.buyer, AssetId::Pop, trade.amount))
    }

    fn put(&mut self, deadlines: &mut Deadlines, id: TradeId, trade: Trade) {
        let new = trade.deadline.map(|deadline| deadline.at);
        deadlines.replace(ObjectId::Trade(id), self.due(&id), new);
        self.rows.put(id, trade);
    }

    pub(crate) fn load(
        &mut self,
        deadlines: &mut Deadlines,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), EntryError> {
        let (id, trade) = self.rows.load(key, value)?;
        deadlines.replace(ObjectId::Trade(id), None, trade.deadline.map(|deadline| deadline.at));
        Ok(())
    }
}
