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

codes_of! {
    pub(crate) ExchangeRejection {
        UnknownToken => "UNKNOWN_TOKEN",
        NotAdminOrIssuer => "NOT_ADMIN_OR_ISSUER",
        NotAdmin => "NOT_ADMIN",
        SameAsset => "SAME_ASSET",
        ZeroStep => "ZERO_TICK_OR_LOT",
        MarketExists => "MARKET_EXISTS",
        UnknownMarket => "UNKNOWN_MARKET",
        MarketStatus => "WRONG_MARKET_STATUS",
        QuantityOffLot => "QUANTITY_OFF_LOT",
        PriceOffTick => "PRICE_OFF_TICK",
        PriceNeeded => "PRICE_NEEDED",
        OrderTooLarge => "ORDER_TOO_LARGE",
        AlreadyOver => "ORDER_ALREADY_OVER",
        WouldTrade => "WOULD_TRADE",
        NotFillable => "NOT_FILLABLE",
        UnknownOrder => "UNKNOWN_ORDER",
        NotOwner => "NOT_ORDER_OWNER",
        OrderNotOpen => "ORDER_NOT_OPEN",
        NothingLeft => "NOTHING_LEFT",
    }
}
