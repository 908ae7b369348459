//! What can be asked for.

use pbft_crypto::Digest;
use serde::{Deserialize, Serialize};

use super::TradeAction;
use crate::amount::Amount;
use crate::ids::{ListingId, TradeId};
use crate::text::{HandoverCode, Memo, Reason, Tracking};

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
    /// A courier, neither buyer nor seller, has delivered the parcel: to the buyer, or, on its way back, to the seller.
    Attest {
        /// Which.
        trade: TradeId,
    },
    /// The buyer wants more time to confirm. Once.
    Extend {
        /// Which.
        trade: TradeId,
    },
    /// Buyer or seller offers to share the money. Takes the place of an earlier offer.
    ProposeSplit {
        /// Which.
        trade: TradeId,
        /// How.
        split: Split,
    },
    /// The other one takes the offer: the money is shared.
    AcceptSplit {
        /// Which.
        trade: TradeId,
        /// The offer, so that another one, made meanwhile, is not taken for it.
        split: Split,
    },
    /// Something is wrong: an arbiter decides. By the buyer of goods that were shipped, or the seller of goods that are said
    /// to be on their way back.
    Dispute {
        /// Which.
        trade: TradeId,
        /// What.
        reason: Reason,
    },
    /// Buyer, seller or arbiter puts something on record.
    AddEvidence {
        /// Which.
        trade: TradeId,
        /// The SHA-256 value of a file, which is not on the chain.
        hash: Digest,
        /// What it shows.
        note: Memo,
    },
    /// The arbiter decides.
    Resolve {
        /// Which.
        trade: TradeId,
        /// How.
        ruling: Ruling,
        /// Why.
        reason: Reason,
    },
    /// The buyer has sent the goods back.
    ReturnShip {
        /// Which.
        trade: TradeId,
        /// How the parcel can be followed.
        tracking: Tracking,
    },
    /// The seller has the goods back: the buyer is paid back.
    ReturnConfirm {
        /// Which.
        trade: TradeId,
    },
    /// The seller, who was paid, gives money back of their own free will.
    GiveBack {
        /// Which.
        trade: TradeId,
        /// How much.
        amount: Amount,
    },
    /// The seller will hand the goods over in person, against a code that only they know: they show it when they do.
    HandOver {
        /// Which.
        trade: TradeId,
        /// [`handover_hash`](crate::handover_hash) of the code.
        code_hash: Digest,
    },
    /// The buyer has the goods from the seller's hands, and the code with them: the seller is paid.
    Collect {
        /// Which.
        trade: TradeId,
        /// The code.
        code: HandoverCode,
    },
}

impl TradeOp {
    /// The existing trade that it is about.
    pub const fn trade(&self) -> Option<TradeId> {
        match self.target() {
            Some((trade, _)) => Some(trade),
            None => None,
        }
    }

    /// The existing trade that it is about, and what it does with it.
    pub const fn target(&self) -> Option<(TradeId, TradeAction)> {
        Some(match self {
            Self::Open { .. } => return None,
            Self::Accept { trade } => (*trade, TradeAction::Accept),
            Self::Ship { trade, .. } => (*trade, TradeAction::Ship),
            Self::Confirm { trade } => (*trade, TradeAction::Confirm),
            Self::Cancel { trade } => (*trade, TradeAction::Cancel),
            Self::Attest { trade } => (*trade, TradeAction::Attest),
            Self::Extend { trade } => (*trade, TradeAction::Extend),
            Self::ProposeSplit { trade, .. } => (*trade, TradeAction::ProposeSplit),
            Self::AcceptSplit { trade, .. } => (*trade, TradeAction::AcceptSplit),
            Self::Dispute { trade, .. } => (*trade, TradeAction::Dispute),
            Self::AddEvidence { trade, .. } => (*trade, TradeAction::AddEvidence),
            Self::Resolve { trade, .. } => (*trade, TradeAction::Resolve),
            Self::ReturnShip { trade, .. } => (*trade, TradeAction::ReturnShip),
            Self::ReturnConfirm { trade } => (*trade, TradeAction::ReturnConfirm),
            Self::GiveBack { trade, .. } => (*trade, TradeAction::GiveBack),
            Self::HandOver { trade, .. } => (*trade, TradeAction::HandOver),
            Self::Collect { trade, .. } => (*trade, TradeAction::Collect),
        })
    }
}

/// How the money that is held is shared. The fee is taken from the seller's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// The buyer's part.
    pub to_buyer: Amount,
    /// The seller's part.
    pub to_seller: Amount,
}

impl Split {
    /// Both together, unless that is more than there can be.
    pub const fn sum(&self) -> Option<Amount> {
        self.to_buyer.checked_add(self.to_seller)
    }
}

/// What an arbiter decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// The seller is paid.
    Release,
    /// The buyer is paid back.
    Refund,
    /// Both get a part.
    Split(Split),
    /// The buyer is paid back once the goods are back. Not in a second dispute.
    Return,
}
