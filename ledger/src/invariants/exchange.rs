//! Tokens and the exchange.

use std::collections::BTreeMap;

use pbft_crypto::Address;

use super::InvariantViolation;
use crate::amount::{Amount, AssetId};
use crate::exchange::{Books, Market, MarketId, Order, OrderSide, OrderStatus};
use crate::state::State;

/// What open orders hold.
pub(super) fn holds(state: &State) -> impl Iterator<Item = (Address, AssetId, Amount)> {
    let open = state.exchange.orders.iter().filter(|(_, order)| order.status == OrderStatus::Open);
    open.filter_map(|(_, order)| {
        let market = state.exchange.markets.find(&order.terms.market)?;
        let (asset, amount) = order.hold(market, order.left()).ok()?;
        Some((order.owner, asset, amount))
    })
}

pub(super) fn check(state: &State) -> Result<(), InvariantViolation> {
    for token in state.money.supplies.iter().filter_map(|(asset, _)| asset.token()) {
        if state.tokens.find(&token).is_none() {
            return Err(InvariantViolation::Token(token));
        }
    }
    let mut books = Books::default();
    let mut traded: BTreeMap<(MarketId, OrderSide), u128> = BTreeMap::new();
    for (id, order) in state.exchange.orders.iter() {
        let market = state.exchange.markets.find(&order.terms.market);
        if !market.is_some_and(|market| is_sound(order, market)) {
            return Err(InvariantViolation::Order(*id));
        }
        books.replace(*id, order);
        let sum = traded.entry((order.terms.market, order.terms.side)).or_default();
        *sum = sum.saturating_add(u128::from(order.filled.value()));
    }
    for (id, market) in state.exchange.markets.iter() {
        if books.find(id) != state.exchange.books.find(id) || is_crossed(state, id) {
            return Err(InvariantViolation::Book(*id));
        }
        let sides = [OrderSide::Buy, OrderSide::Sell];
        let volumes = sides.map(|side| traded.get(&(*id, side)).copied().unwrap_or_default());
        if volumes != [market.volume; 2] || (market.fills == 0) != market.last_price.is_none() {
            return Err(InvariantViolation::Volume(*id));
        }
    }
    Ok(())
}

/// An open order has something left, a price, and fits its market; a filled one has nothing left.
fn is_sound(order: &Order, market: &Market) -> bool {
    let has_number = (1..=market.orders).contains(&order.number);
    let is_whole = order.left().whole_parts(market.lot).is_some();
    let fits = match order.status {
        OrderStatus::Open => !order.left().is_zero() && order.terms.lifetime.rests(),
        OrderStatus::Filled => order.filled == order.terms.quantity,
        OrderStatus::Cancelled { .. } => order.filled < order.terms.quantity,
    };
    let has_price = order.terms.price.is_some() || !order.terms.lifetime.rests();
    has_number && is_whole && fits && has_price && order.filled <= order.terms.quantity
}

/// Whether the best bid is at or above the best ask.
fn is_crossed(state: &State, market: &MarketId) -> bool {
    let best = |side| state.exchange.side(market, side).next().and_then(|(_, order)| order.terms.price);
    match (best(OrderSide::Buy), best(OrderSide::Sell)) {
        (Some(bid), Some(ask)) => bid >= ask,
        _ => false,
    }
}
