//! What happens to trades.

use pbft_crypto::{Address, Digest};
use serde::{Deserialize, Serialize};

use super::{DeadlineKind, Party, Ruling, Split, Trade, TradeDeadline, TradeState};
use crate::amount::Amount;
use crate::ids::{ListingId, TradeId};
use crate::text::{Memo, Reason, Tracking};
use crate::time::UnixMillis;

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
    /// The arbiter of its dispute.
    Arbiter,
    /// A courier.
    Courier,
}

impl From<Party> for Mover {
    fn from(party: Party) -> Self {
        match party {
            Party::Buyer => Self::Buyer,
            Party::Seller => Self::Seller,
            Party::Arbiter => Self::Arbiter,
            Party::Courier => Self::Courier,
        }
    }
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
    /// The buyer asks the seller to cancel.
    CancelRequested,
    /// The seller is paid.
    Released {
        /// What the seller gets.
        payout: Amount,
    },
    /// The buyer gets `amount` back, nothing having been shipped.
    Cancelled,
    /// A courier has delivered the parcel to the buyer.
    Attested,
    /// The buyer has more time to confirm.
    Extended,
    /// Someone offers to share the money.
    SplitProposed {
        /// How.
        split: Split,
    },
    /// The money is shared.
    Split {
        /// How.
        split: Split,
        /// What of the seller's part goes to the fee account.
        fee: Amount,
    },
    /// An arbiter is to decide.
    Disputed {
        /// What is wrong.
        reason: Reason,
        /// Who decides; nobody if there is no arbiter.
        arbiter: Option<Address>,
    },
    /// Another arbiter is to decide.
    ArbiterReplaced {
        /// Who.
        arbiter: Address,
    },
    /// Something is put on record.
    EvidenceAdded {
        /// The SHA-256 value of a file.
        hash: Digest,
        /// What it shows.
        note: Memo,
    },
    /// The arbiter has decided. What that leads to is told by the next event.
    Resolved {
        /// How.
        ruling: Ruling,
        /// Why.
        reason: Reason,
    },
    /// The buyer gets `amount` back, something having been shipped.
    Refunded,
    /// The buyer is to send the goods back.
    ReturnOrdered,
    /// The buyer has sent them back.
    ReturnShipped {
        /// How the parcel can be followed.
        tracking: Tracking,
    },
    /// A courier has delivered them to the seller.
    ReturnAttested,
    /// The seller, who was paid, has given money back.
    GivenBack {
        /// How much this time.
        amount: Amount,
        /// How much in all.
        total: Amount,
    },
    /// The seller will hand the goods over in person.
    HandoverPrepared {
        /// [`handover_hash`](crate::handover_hash) of the code that they will show.
        code_hash: Digest,
    },
    /// The deadline is near.
    Reminder,
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
    /// The part of it that goes to the fee account if the seller gets the rest.
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
    /// The trade after it.
    pub row: Box<Trade>,
    /// When.
    pub at: UnixMillis,
}

macro_rules! codes {
    ($($change:pat => $code:literal,)*) => {
        impl TradeChange {
            /// A name that never changes.
            pub const fn code(&self) -> &'static str {
                match self {
                    $($change => $code,)*
                }
            }
        }

        impl TradeEvent {
            pub(crate) const fn name(&self) -> &'static str {
                match &self.change {
                    $($change => concat!("trade.", $code),)*
                }
            }

            /// All names that these events have.
            pub(crate) fn names() -> impl Iterator<Item = &'static str> {
                [$(concat!("trade.", $code)),*].into_iter()
            }
        }
    };
}

codes! {
    TradeChange::Opened { .. } => "opened",
    TradeChange::Accepted => "accepted",
    TradeChange::Shipped { .. } => "shipped",
    TradeChange::CancelRequested => "cancel_requested",
    TradeChange::Released { .. } => "released",
    TradeChange::Cancelled => "cancelled",
    TradeChange::Attested => "delivered",
    TradeChange::Extended => "extended",
    TradeChange::SplitProposed { .. } => "split_proposed",
    TradeChange::Split { .. } => "split",
    TradeChange::Disputed { .. } => "disputed",
    TradeChange::ArbiterReplaced { .. } => "arbiter_replaced",
    TradeChange::EvidenceAdded { .. } => "evidence_added",
    TradeChange::Resolved { .. } => "resolved",
    TradeChange::Refunded => "refunded",
    TradeChange::ReturnOrdered => "return_ordered",
    TradeChange::ReturnShipped { .. } => "return_shipped",
    TradeChange::ReturnAttested => "return_delivered",
    TradeChange::GivenBack { .. } => "given_back",
    TradeChange::HandoverPrepared { .. } => "handover_prepared",
    TradeChange::Reminder => "reminder",
}
