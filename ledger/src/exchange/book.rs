//! The books: which orders wait, by price and then by age. They are not part of the state, but follow from the orders.

use std::collections::BTreeMap;

use super::{MarketId, Order, OrderSide, OrderStatus};
use crate::ids::OrderId;

/// How far from the front a place is: first by price, then by the number of the order.
type Place = (u64, u64);

/// The open orders of a market.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Book {
    bids: BTreeMap<Place, OrderId>,
    asks: BTreeMap<Place, OrderId>,
}

impl Book {
    /// The orders of one side, the best first.
    pub(crate) fn side(&self, side: OrderSide) -> impl Iterator<Item = OrderId> {
        let places = match side {
            OrderSide::Buy => &self.bids,
            OrderSide::Sell => &self.asks,
        };
        places.values().copied()
    }

    fn is_empty(&self) -> bool {
        self.bids.is_empty() && self.asks.is_empty()
    }
}

/// The books that are not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Books(BTreeMap<MarketId, Book>);

impl Books {
    pub(crate) fn find(&self, market: &MarketId) -> Option<&Book> {
        self.0.get(market)
    }

    /// Puts an order into its book if it is open, and takes it out if it is not.
    pub(crate) fn replace(&mut self, id: OrderId, order: &Order) {
        // Whoever has no price does not wait.
        let Some(price) = order.terms.price else { return };
        let book = self.0.entry(order.terms.market).or_default();
        let (places, rank) = match order.terms.side {
            // The highest bid is the best.
            OrderSide::Buy => (&mut book.bids, !price.value()),
            OrderSide::Sell => (&mut book.asks, price.value()),
        };
        match order.status {
            OrderStatus::Open => places.insert((rank, order.number), id),
            _ => places.remove(&(rank, order.number)),
        };
        if book.is_empty() {
            self.0.remove(&order.terms.market);
        }
    }
}
