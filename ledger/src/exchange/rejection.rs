//! Why nothing happens on the exchange.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{MarketStatus, OrderStatus};
use crate::amount::{Amount, TokenId};

/// Why nothing happens on the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum ExchangeRejection {
    /// A market of something that there is not.
    #[error("there is no token {token}")]
    UnknownToken {
        /// What.
        token: TokenId,
    },
    /// Only an admin or the issuer opens a market.
    #[error("only an admin or the issuer opens a market")]
    NotAdminOrIssuer,
    /// Only an admin does this.
    #[error("only an admin may do this")]
    NotAdmin,
    /// Something would be paid with itself.
    #[error("a token cannot be paid with itself")]
    SameAsset,
    /// No price or quantity would fit.
    #[error("the tick or the lot is zero")]
    ZeroStep,
    /// The pair has a market.
    #[error("the market is open already")]
    MarketExists,
    /// No such market.
    #[error("there is no such market")]
    UnknownMarket,
    /// Not possible in this state of the market.
    #[error("not possible: the market is {}", status.code())]
    MarketStatus {
        /// The state.
        status: MarketStatus,
    },
    /// Nothing, or no whole number of lots.
    #[error("the quantity is not a multiple of {lot}")]
    QuantityOffLot {
        /// The lot.
        lot: Amount,
    },
    /// Nothing, or no whole number of ticks.
    #[error("the price is not a multiple of {tick}")]
    PriceOffTick {
        /// The tick.
        tick: Amount,
    },
    /// An order without a price that would wait.
    #[error("an order that waits has a price")]
    PriceNeeded,
    /// More than can be counted.
    #[error("price times quantity is too large")]
    OrderTooLarge,
    /// It would run out at once.
    #[error("the time of the order is over")]
    AlreadyOver,
    /// Somebody would fill a post-only order at once, or it would meet one of its owner's.
    #[error("the order would be filled at once")]
    WouldTrade,
    /// Not all of a fill-or-kill order could be filled at once.
    #[error("the order cannot be filled at once")]
    NotFillable,
    /// No such order.
    #[error("there is no such order")]
    UnknownOrder,
    /// Somebody else's.
    #[error("only the owner may do this")]
    NotOwner,
    /// It waits no more.
    #[error("not possible: the order is {}", status.code())]
    OrderNotOpen {
        /// How far it is.
        status: OrderStatus,
    },
    /// Nothing would be left: that is a cancellation.
    #[error("only {left} is left")]
    NothingLeft {
        /// How much there is.
        left: Amount,
    },
}

impl ExchangeRejection {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::UnknownToken { .. } => "UNKNOWN_TOKEN",
            Self::NotAdminOrIssuer => "NOT_ADMIN_OR_ISSUER",
            Self::NotAdmin => "NOT_ADMIN",
            Self::SameAsset => "SAME_ASSET",
            Self::ZeroStep => "ZERO_TICK_OR_LOT",
            Self::MarketExists => "MARKET_EXISTS",
            Self::UnknownMarket => "UNKNOWN_MARKET",
            Self::MarketStatus { .. } => "WRONG_MARKET_STATUS",
            Self::QuantityOffLot { .. } => "QUANTITY_OFF_LOT",
            Self::PriceOffTick { .. } => "PRICE_OFF_TICK",
            Self::PriceNeeded => "PRICE_NEEDED",
            Self::OrderTooLarge => "ORDER_TOO_LARGE",
            Self::AlreadyOver => "ORDER_ALREADY_OVER",
            Self::WouldTrade => "WOULD_TRADE",
            Self::NotFillable => "NOT_FILLABLE",
            Self::UnknownOrder => "UNKNOWN_ORDER",
            Self::NotOwner => "NOT_ORDER_OWNER",
            Self::OrderNotOpen { .. } => "ORDER_NOT_OPEN",
            Self::NothingLeft { .. } => "NOTHING_LEFT",
        }
    }
}
