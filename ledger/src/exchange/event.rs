//! What happens on the exchange.

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};

use super::{CancelReason, MarketId, NewOrder, OrderSide};
use crate::amount::Amount;
use crate::event::event_names;
use crate::ids::OrderId;
use crate::time::UnixMillis;

/// What happens on the exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExchangeEvent {
    /// There is a new market.
    MarketOpened {
        /// Which.
        market: MarketId,
        /// All prices are multiples of it.
        tick: Amount,
        /// All quantities are multiples of it.
        lot: Amount,
        /// Who opened it.
        by: Address,
        /// When.
        at: UnixMillis,
    },
    /// No orders from now on.
    MarketHalted {
        /// Where.
        market: MarketId,
        /// Who halted it.
        by: Address,
        /// When.
        at: UnixMillis,
    },
    /// Orders again.
    MarketResumed {
        /// Where.
        market: MarketId,
        /// Who lets it go on.
        by: Address,
        /// When.
        at: UnixMillis,
    },
    /// A new order, before it meets others.
    OrderPlaced {
        /// Which.
        order: OrderId,
        /// Whose.
        owner: Address,
        /// What is wanted.
        terms: NewOrder,
        /// Its number on the market.
        number: u64,
        /// When.
        at: UnixMillis,
    },
    /// Two orders met: a line of the tape.
    Filled {
        /// Where.
        market: MarketId,
        /// One above that of the fill before.
        number: u64,
        /// The price for a lot, that of the order that was there before.
        price: Amount,
        /// How much of the base token.
        quantity: Amount,
        /// What the buyer paid.
        cost: Amount,
        /// The part of it that the fee account got; the seller got the rest.
        fee: Amount,
        /// Who bought.
        buyer: Address,
        /// Who sold.
        seller: Address,
        /// The order that was there before.
        maker: OrderId,
        /// The order that met it.
        taker: OrderId,
        /// What that one does.
        taker_side: OrderSide,
        /// What is left of the order that was there before.
        maker_left: Amount,
        /// What is left of the one that met it.
        taker_left: Amount,
        /// When.
        at: UnixMillis,
    },
    /// A part of an order was taken back.
    OrderReduced {
        /// Which.
        order: OrderId,
        /// Where.
        market: MarketId,
        /// Whose.
        owner: Address,
        /// How much.
        by: Amount,
        /// What is left.
        left: Amount,
        /// When.
        at: UnixMillis,
    },
    /// What was left of an order was taken away.
    OrderCancelled {
        /// Which.
        order: OrderId,
        /// Where.
        market: MarketId,
        /// Whose.
        owner: Address,
        /// What was left.
        left: Amount,
        /// Why.
        reason: CancelReason,
        /// When.
        at: UnixMillis,
    },
}

event_names! {
    ExchangeEvent {
        Self::MarketOpened { .. } => "market.opened",
        Self::MarketHalted { .. } => "market.halted",
        Self::MarketResumed { .. } => "market.resumed",
        Self::OrderPlaced { .. } => "order.placed",
        Self::Filled { .. } => "order.filled",
        Self::OrderReduced { .. } => "order.reduced",
        Self::OrderCancelled { .. } => "order.cancelled",
    }
}
