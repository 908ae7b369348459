//! What is kept of a trade.

use pbft_crypto::{Address, Digest, Domain, Hasher};
use serde::{Deserialize, Serialize};

use super::{Party, Split};
use crate::amount::Amount;
use crate::ids::{ListingId, TradeId};
use crate::table::{Row, TableId};
use crate::text::HandoverCode;
use crate::time::{Millis, UnixMillis};

const HANDOVER: Domain = Domain::new("popmarket.handover.v1");

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
    /// The buyer was paid back before anything was shipped. Final.
    Cancelled,
    /// An arbiter has to decide.
    Disputed,
    /// The buyer was paid back after something was shipped. Final.
    Refunded,
    /// Both got a part. Final.
    Split,
    /// The buyer is to send the goods back.
    Returning,
}

impl TradeState {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Funded,
        Self::Accepted,
        Self::Shipped,
        Self::Released,
        Self::Cancelled,
        Self::Disputed,
        Self::Refunded,
        Self::Split,
        Self::Returning,
    ];

    /// A name that never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Funded => "FUNDED",
            Self::Accepted => "ACCEPTED",
            Self::Shipped => "SHIPPED",
            Self::Released => "RELEASED",
            Self::Cancelled => "CANCELLED",
            Self::Disputed => "DISPUTED",
            Self::Refunded => "REFUNDED",
            Self::Split => "SPLIT",
            Self::Returning => "RETURNING",
        }
    }

    /// Whether the money went its way: there is no other state after this one.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Released | Self::Cancelled | Self::Refunded | Self::Split)
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
    /// The arbiter must decide, or a second one is asked.
    ResolveBy,
    /// The second arbiter must decide, or what was attested decides.
    SecondResolveBy,
    /// The buyer must send the goods back, or the seller is paid.
    ReturnBy,
    /// The seller must say if something is wrong with the return, or the buyer is paid back.
    ReturnConfirmBy,
}

/// When a trade moves on by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeDeadline {
    /// What for.
    pub kind: DeadlineKind,
    /// When.
    pub at: UnixMillis,
}

/// An offer to share the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitOffer {
    /// Whose: the buyer's or the seller's.
    pub by: Party,
    /// How.
    pub split: Split,
}

/// What is kept of a dispute, also after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// Since when.
    pub opened_at: UnixMillis,
    /// Who decides. Nobody, if there is no arbiter but buyer and seller.
    pub arbiter: Option<Address>,
    /// How many pieces of evidence there are from the buyer.
    pub from_buyer: u8,
    /// From the seller.
    pub from_seller: u8,
    /// From arbiters.
    pub from_arbiter: u8,
}

/// How far the goods are on their way back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return {
    /// Whether the buyer says that they are on their way.
    pub is_shipped: bool,
    /// When a courier says that the seller got them.
    pub delivered_at: Option<UnixMillis>,
}

/// How often was done what can be done again and again: there is an end to it, so that the history of a trade has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeats {
    /// Offers to share the money that the buyer made.
    pub offers_of_buyer: u8,
    /// That the seller made.
    pub offers_of_seller: u8,
    /// Codes for handing over.
    pub handovers: u8,
    /// Times that the seller gave something back.
    pub give_backs: u8,
}

/// Where the money went that was held. The three together are the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payout {
    /// To the buyer.
    pub to_buyer: Amount,
    /// To the seller.
    pub to_seller: Amount,
    /// To the fee account.
    pub fee: Amount,
}

impl Payout {
    /// All of it, unless that is more than there can be.
    pub fn sum(&self) -> Option<Amount> {
        self.to_buyer.checked_add(self.to_seller)?.checked_add(self.fee)
    }
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
    /// The part of it that goes to the fee account if the seller gets the rest.
    pub fee: Amount,
    /// How far it is.
    pub state: TradeState,
    /// When it moves on by itself. Final states have none.
    pub deadline: Option<TradeDeadline>,
    /// When there is a reminder of the deadline, if there was none.
    pub remind_at: Option<UnixMillis>,
    /// Whether the buyer has asked the seller to cancel, and the seller has not shipped.
    pub cancel_requested: bool,
    /// The hash of the code that the seller shows when they hand the goods over.
    pub handover: Option<Digest>,
    /// When a courier says that the buyer got the goods.
    pub delivered_at: Option<UnixMillis>,
    /// Whether the buyer had more time to confirm.
    pub is_extended: bool,
    /// The offer to share the money that can be taken.
    pub split_offer: Option<SplitOffer>,
    /// The last dispute.
    pub dispute: Option<Dispute>,
    /// How far the goods are on their way back, if an arbiter wants them to.
    pub returning: Option<Return>,
    /// Where the money went, once the state is final.
    pub payout: Option<Payout>,
    /// What the seller gave back afterwards.
    pub given_back: Amount,
    /// How often some things were done.
    pub repeats: Repeats,
    /// When it began.
    pub opened_at: UnixMillis,
    /// When something happened to it last.
    pub updated_at: UnixMillis,
}

impl Trade {
    /// What the seller gets if all goes well.
    pub fn seller_part(&self) -> Amount {
        // The fee is a share of the amount.
        self.amount.checked_sub(self.fee).unwrap_or(Amount::ZERO)
    }

    /// When something happens by itself: a reminder or the deadline.
    pub fn due(&self) -> Option<UnixMillis> {
        let at = self.deadline?.at;
        Some(self.remind_at.map_or(at, |reminder| reminder.min(at)))
    }

    /// With another deadline, and a reminder of it if there is time for one.
    pub(super) fn until(self, deadline: TradeDeadline, now: UnixMillis, remind_before: Millis) -> Self {
        let reminder = deadline.at.minus(remind_before);
        Self { deadline: Some(deadline), remind_at: (reminder > now).then_some(reminder), ..self }
    }
}

impl Row for Trade {
    type Key = TradeId;
    const TABLE: TableId = TableId::Trades;
}

/// What the seller of a trade publishes of the code that they show when they hand the goods over.
pub fn handover_hash(trade: &TradeId, code: &HandoverCode) -> Digest {
    let mut hasher = Hasher::new(HANDOVER);
    hasher.update(trade.as_bytes());
    hasher.update(code.as_str().as_bytes());
    hasher.finish()
}
