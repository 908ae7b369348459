//! Orders.

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};

use super::{ExchangeRejection, Market, MarketId};
use crate::amount::{Amount, AssetId};
use crate::money::{Posting, Side};
use crate::table::{Row, TableId};
use crate::time::UnixMillis;

/// Who gets the base token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderSide {
    /// The owner gets it, and pays.
    Buy,
    /// The owner gives it, and is paid.
    Sell,
}

impl OrderSide {
    /// A name that never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

/// How long an order waits for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifetime {
    /// Until it is filled or cancelled (GTC).
    UntilCancelled,
    /// Until a block of this time or a later one (GTT).
    Until {
        /// Later than the block that it is placed in.
        at: UnixMillis,
    },
    /// Not at all: what is not filled at once is cancelled (IOC).
    Immediate,
    /// Not at all: it is filled at once as a whole, or rejected (FOK).
    FillOrKill,
    /// Until it is filled or cancelled, and rejected if it would be filled at once.
    PostOnly,
}

impl Lifetime {
    /// A name that never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::UntilCancelled => "GTC",
            Self::Until { .. } => "GTT",
            Self::Immediate => "IOC",
            Self::FillOrKill => "FOK",
            Self::PostOnly => "POST_ONLY",
        }
    }

    /// Whether what is left of it waits.
    pub const fn rests(self) -> bool {
        !matches!(self, Self::Immediate | Self::FillOrKill)
    }
}

/// What happens if an order meets one of the same owner. It counts as a meeting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SelfTrade {
    /// What is left of the new order is cancelled.
    #[default]
    CancelNewest,
    /// The one that was there is cancelled, and the new one goes on.
    CancelOldest,
}

/// What somebody wants to buy or sell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOrder {
    /// Where.
    pub market: MarketId,
    /// Buys or sells.
    pub side: OrderSide,
    /// What is paid at most or received at least for each lot. Without it, whatever there is: only for orders that do not wait.
    pub price: Option<Amount>,
    /// How much of the base token.
    pub quantity: Amount,
    /// How long it waits.
    pub lifetime: Lifetime,
    /// What happens if it meets one of the same owner.
    pub self_trade: SelfTrade,
}

/// Why an order, or what was left of it, was taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CancelReason {
    /// Its owner wanted so.
    Requested,
    /// Its time was over.
    Expired,
    /// It met one of the same owner.
    SelfTrade,
    /// It does not wait.
    Unfilled,
    /// It met as many others as an order can.
    TooManyMeetings,
    /// Another order met it while its owner was frozen.
    Frozen,
}

impl CancelReason {
    /// A name that never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Expired => "EXPIRED",
            Self::SelfTrade => "SELF_TRADE",
            Self::Unfilled => "UNFILLED",
            Self::TooManyMeetings => "TOO_MANY_MEETINGS",
            Self::Frozen => "FROZEN",
        }
    }
}

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// In the book.
    Open,
    /// All of it changed hands. Final.
    Filled,
    /// What was left was taken away. Final.
    Cancelled {
        /// Why.
        reason: CancelReason,
    },
}

impl OrderStatus {
    /// A name that never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Filled => "FILLED",
            Self::Cancelled { .. } => "CANCELLED",
        }
    }
}

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Whose.
    pub owner: Address,
    /// What was asked for; `quantity` is less what was taken back by reducing it.
    pub terms: NewOrder,
    /// How much of it has changed hands.
    pub filled: Amount,
    /// How far it is.
    pub status: OrderStatus,
    /// Its number on the market: the older of two orders has the lower one.
    pub number: u64,
    /// When it was placed.
    pub placed_at: UnixMillis,
    /// When something happened to it last.
    pub updated_at: UnixMillis,
}

impl Row for Order {
    type Key = crate::ids::OrderId;
    const TABLE: TableId = TableId::Orders;
}

impl Order {
    /// How much of it waits or waited when it was taken away.
    pub fn left(&self) -> Amount {
        // No more is filled than was asked for.
        self.terms.quantity.checked_sub(self.filled).unwrap_or(Amount::ZERO)
    }

    /// When it runs out, if it waits with an end.
    pub(crate) const fn due(&self) -> Option<UnixMillis> {
        match (self.status, self.terms.lifetime) {
            (OrderStatus::Open, Lifetime::Until { at }) => Some(at),
            _ => None,
        }
    }

    /// What is held of which asset for a part of it. Exact, so that the parts add up to the whole.
    pub(crate) fn hold(
        &self,
        market: &Market,
        quantity: Amount,
    ) -> Result<(AssetId, Amount), ExchangeRejection> {
        let MarketId { base, quote } = self.terms.market;
        match self.terms.side {
            OrderSide::Sell => Ok((base.into(), quantity)),
            OrderSide::Buy => {
                let price = self.terms.price.ok_or(ExchangeRejection::PriceNeeded)?;
                Ok((quote, market.cost(price, quantity)?))
            }
        }
    }

    /// Gives back what is held for a part of it.
    pub(super) fn release(&self, market: &Market, quantity: Amount) -> Result<Posting, ExchangeRejection> {
        let (asset, amount) = self.hold(market, quantity)?;
        Ok(Posting { asset, amount, from: Side::Held(self.owner), to: Side::Available(self.owner) })
    }
}
