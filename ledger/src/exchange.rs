//! The exchange: members buy and sell tokens, each pair of assets on a market of its own.
//!
//! * **A price is the number of minor units of the quote asset for one lot of the base token**, and all quantities are
//!   whole lots. So price times lots is the exact amount, and nothing is ever rounded but the fee (down).
//! * **Price, then time**: an order meets the best price first, among equal ones the oldest order, at the price of the order
//!   that was there before. Both legs and the fee move in one step: delivery against payment.
//! * **What rests is held**: the base token of a sell order, price times lots of the quote asset of a buy order.
//! * **An order meets at most [`MAX_MEETINGS`] others.** What is left then is cancelled, or the book would stay crossed.
//!   An order on the way whose time is over, or whose owner is frozen, is taken away instead of filled.
//! * **Nobody trades with themselves**: see [`SelfTrade`].
//! * Each fill has a number, without gaps for each market.
//!
//! A market is opened by an admin or by the issuer of its base token, one for each pair; an admin halts it (orders can be
//! cancelled and reduced, and run out, but none is placed) and lets it go on.

mod book;
mod event;
mod market;
mod matching;
mod order;
mod rejection;
mod rules;
mod settlement;

use serde::{Deserialize, Serialize};

use crate::amount::{Amount, AssetId, BasisPoints, TokenId};
use crate::deadlines::{Deadlines, ObjectId};
use crate::ids::OrderId;
use crate::table::{EntryError, Table};
use crate::time::UnixMillis;

pub use event::ExchangeEvent;
pub use market::{Market, MarketId, MarketStatus, UnknownMarketName};
pub use order::{CancelReason, Lifetime, NewOrder, Order, OrderSide, OrderStatus, SelfTrade};
pub use rejection::ExchangeRejection;

pub(crate) use book::Books;
pub(crate) use rules::{apply, check, expire};

/// How many orders of the other side an order meets at most: it fills them, or takes them away.
pub const MAX_MEETINGS: usize = 100;

/// Transactions about the exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExchangeOp {
    /// Opens a market. By an admin, or by the issuer of `base`.
    OpenMarket {
        /// What is bought and sold.
        base: TokenId,
        /// What it is paid with.
        quote: AssetId,
        /// All prices are multiples of it.
        tick: Amount,
        /// All quantities are multiples of it.
        lot: Amount,
    },
    /// No orders from now on. By an admin.
    Halt {
        /// Where.
        market: MarketId,
    },
    /// Orders again. By an admin.
    Resume {
        /// Where.
        market: MarketId,
    },
    /// Buys or sells.
    Place {
        /// What and how.
        order: NewOrder,
    },
    /// Takes back what is left of an order. By its owner.
    Cancel {
        /// Which.
        order: OrderId,
    },
    /// Takes back a part of what is left. The order keeps its place. By its owner.
    Reduce {
        /// Which.
        order: OrderId,
        /// How much is taken back. Less than what is left.
        by: Amount,
    },
}

impl ExchangeOp {
    /// The existing order that it is about.
    pub const fn order(&self) -> Option<OrderId> {
        match self {
            Self::Cancel { order } | Self::Reduce { order, .. } => Some(*order),
            _ => None,
        }
    }
}

/// What operators choose for the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeParams {
    /// The share of the seller's proceeds that goes to the fee account.
    pub fee: BasisPoints,
}

impl ExchangeParams {
    /// A fee of 0.1 %.
    pub const STANDARD: Self = Self {
        fee: match BasisPoints::new(10) {
            Some(fee) => fee,
            None => unreachable!(),
        },
    };
}

/// Markets and orders, and with each change of an order the books and the index of deadlines kept up to date.
#[derive(Default)]
pub(crate) struct Exchange {
    pub(crate) markets: Table<Market>,
    pub(crate) orders: Table<Order>,
    /// Follow from the orders.
    pub(crate) books: Books,
}

impl Exchange {
    pub(crate) fn market(&self, id: &MarketId) -> Result<&Market, ExchangeRejection> {
        self.markets.find(id).ok_or(ExchangeRejection::UnknownMarket)
    }

    /// When the order runs out.
    pub(crate) fn due(&self, id: &OrderId) -> Option<UnixMillis> {
        self.orders.find(id)?.due()
    }

    fn put(&mut self, deadlines: &mut Deadlines, id: OrderId, order: Order) {
        deadlines.replace(ObjectId::Order(id), self.due(&id), order.due());
        self.books.replace(id, &order);
        self.orders.put(id, order);
    }

    pub(crate) fn load_order(
        &mut self,
        deadlines: &mut Deadlines,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), EntryError> {
        let (id, order) = self.orders.load(key, value)?;
        deadlines.replace(ObjectId::Order(id), None, order.due());
        self.books.replace(id, order);
        Ok(())
    }

    /// The open orders of one side of a market, the best first.
    pub(crate) fn side(&self, market: &MarketId, side: OrderSide) -> impl Iterator<Item = (OrderId, &Order)> {
        let ids = self.books.find(market).into_iter().flat_map(move |book| book.side(side));
        ids.filter_map(|id| Some((id, self.orders.find(&id)?)))
    }
}
