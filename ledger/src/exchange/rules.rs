//! Who may do what on the exchange, and what follows.

use pbft_crypto::Address;

use super::settlement::{Settlement, settle};
use super::{
    CancelReason, ExchangeEvent, ExchangeOp, ExchangeRejection, Lifetime, Market, MarketId, MarketStatus,
    NewOrder, Order, OrderStatus, matching,
};
use crate::accounts::{check_spending, spend};
use crate::amount::{Amount, AssetId, TokenId};
use crate::event::EventKind;
use crate::ids::OrderId;
use crate::money::{MoneyRejection, Posting};
use crate::rejection::Rejection;
use crate::state::{Context, State};
use crate::time::UnixMillis;

pub(super) type Events = Vec<EventKind>;

/// Whether it could be done in a block of this time.
pub(crate) fn check(
    state: &State,
    sender: Address,
    op: &ExchangeOp,
    now: UnixMillis,
) -> Result<(), Rejection> {
    match op {
        ExchangeOp::OpenMarket { base, quote, tick, lot } => {
            let market = MarketId { base: *base, quote: *quote };
            check_market(state, sender, market, (*tick, *lot))
        }
        ExchangeOp::Halt { market } => {
            changeable(state, sender, *market, MarketStatus::Halted)?;
            Ok(())
        }
        ExchangeOp::Resume { market } => {
            changeable(state, sender, *market, MarketStatus::Open)?;
            Ok(())
        }
        ExchangeOp::Place { order } => prepare(state, sender, order, now).map(drop),
        ExchangeOp::Cancel { order } => {
            open_order(state, sender, *order)?;
            Ok(())
        }
        ExchangeOp::Reduce { order, by } => {
            reduced(state, sender, *order, *by)?;
            Ok(())
        }
    }
}

pub(crate) fn apply(
    state: &mut State,
    context: &Context,
    op: &ExchangeOp,
    events: &mut Events,
) -> Result<(), Rejection> {
    match op {
        ExchangeOp::OpenMarket { base, quote, tick, lot } => {
            let market = MarketId { base: *base, quote: *quote };
            Ok(open_market(state, context, market, (*tick, *lot), events)?)
        }
        ExchangeOp::Halt { market } => Ok(set_status(state, context, *market, MarketStatus::Halted, events)?),
        ExchangeOp::Resume { market } => Ok(set_status(state, context, *market, MarketStatus::Open, events)?),
        ExchangeOp::Place { order } => place(state, context, order, events),
        ExchangeOp::Cancel { order } => {
            let row = open_order(state, context.sender, *order)?;
            close(state, context.now, *order, row, CancelReason::Requested, events)
        }
        ExchangeOp::Reduce { order, by } => reduce(state, context, *order, *by, events),
    }
}

fn check_market(
    state: &State,
    by: Address,
    market: MarketId,
    (tick, lot): (Amount, Amount),
) -> Result<(), Rejection> {
    let unknown = |token: &TokenId| state.tokens.find(token).is_none();
    if let Some(token) = [Some(market.base), market.quote.token()].into_iter().flatten().find(unknown) {
        return Err(ExchangeRejection::UnknownToken { token }.into());
    }
    let is_issuer = state.tokens.find(&market.base).is_some_and(|token| token.issuer == by);
    if !is_issuer && !state.accounts.is_admin(&by) {
        return Err(ExchangeRejection::NotAdminOrIssuer.into());
    }
    // An issuer whom nothing may be trusted to now; an admin who is frozen decides nothing anyway.
    state.accounts.freezes.check(&by)?;
    if market.quote == AssetId::Token(market.base) {
        return Err(ExchangeRejection::SameAsset.into());
    }
    if tick.is_zero() || lot.is_zero() {
        return Err(ExchangeRejection::ZeroStep.into());
    }
    if state.exchange.markets.contains(&market) {
        return Err(ExchangeRejection::MarketExists.into());
    }
    Ok(())
}

fn open_market(
    state: &mut State,
    context: &Context,
    market: MarketId,
    (tick, lot): (Amount, Amount),
    events: &mut Events,
) -> Result<(), Rejection> {
    let (by, at) = (context.sender, context.now);
    check_market(state, by, market, (tick, lot))?;
    state.exchange.markets.put(market, Market::new(tick, lot, by, at));
    events.push(ExchangeEvent::MarketOpened { market, tick, lot, by, at }.into());
    Ok(())
}

/// The market, if the sender may give it this status now.
fn changeable(
    state: &State,
    by: Address,
    market: MarketId,
    status: MarketStatus,
) -> Result<Market, ExchangeRejection> {
    let row = *state.exchange.market(&market)?;
    if !state.accounts.is_admin(&by) {
        return Err(ExchangeRejection::NotAdmin);
    }
    if row.status == status { Err(ExchangeRejection::MarketStatus { status }) } else { Ok(row) }
}

fn set_status(
    state: &mut State,
    context: &Context,
    market: MarketId,
    status: MarketStatus,
    events: &mut Events,
) -> Result<(), ExchangeRejection> {
    let (by, at) = (context.sender, context.now);
    let row = changeable(state, by, market, status)?;
    state.exchange.markets.put(market, Market { status, ..row });
    let event = match status {
        MarketStatus::Halted => ExchangeEvent::MarketHalted { market, by, at },
        MarketStatus::Open => ExchangeEvent::MarketResumed { market, by, at },
    };
    events.push(event.into());
    Ok(())
}

fn place(
    state: &mut State,
    context: &Context,
    terms: &NewOrder,
    events: &mut Events,
) -> Result<(), Rejection> {
    let settlement = prepare(state, context.sender, terms, context.now)?;
    let spent = settlement.spent();
    spend(state, context.now, context.sender, spent, &settlement.postings, events)?;
    settlement.record(state, context, terms, events);
    Ok(())
}

/// All that an order would do, if it may be placed and its owner can pay for it.
fn prepare(
    state: &State,
    owner: Address,
    terms: &NewOrder,
    now: UnixMillis,
) -> Result<Settlement, Rejection> {
    let market = state.exchange.market(&terms.market)?;
    check_terms(market, terms, now)?;
    let plan = matching::plan(state, owner, terms, now)?;
    let settlement = settle(state, market, owner, terms, plan)?;
    let (asset, needed) = settlement.spent();
    check_spending(state, now, owner, asset, needed)?;
    let available = state.money.balance(owner, asset).available;
    if u128::from(available.value()) < settlement.needed.1 {
        return Err(MoneyRejection::InsufficientFunds { asset }.into());
    }
    Ok(settlement)
}

fn check_terms(market: &Market, terms: &NewOrder, now: UnixMillis) -> Result<(), ExchangeRejection> {
    if market.status != MarketStatus::Open {
        return Err(ExchangeRejection::MarketStatus { status: market.status });
    }
    market.check_quantity(terms.quantity)?;
    match terms.price {
        Some(price) => {
            market.check_price(price)?;
            market.cost(price, terms.quantity)?;
        }
        None if terms.lifetime.rests() => return Err(ExchangeRejection::PriceNeeded),
        None => {}
    }
    match terms.lifetime {
        Lifetime::Until { at } if at <= now => Err(ExchangeRejection::AlreadyOver),
        _ => Ok(()),
    }
}

/// An order as it is after it was reduced, and what it does not have to hold any more.
fn reduced(
    state: &State,
    sender: Address,
    id: OrderId,
    by: Amount,
) -> Result<(Order, Posting), ExchangeRejection> {
    let order = open_order(state, sender, id)?;
    let market = state.exchange.market(&order.terms.market)?;
    market.check_quantity(by)?;
    let nothing_left = ExchangeRejection::NothingLeft { left: order.left() };
    if by >= order.left() {
        return Err(nothing_left);
    }
    let quantity = order.terms.quantity.checked_sub(by).ok_or(nothing_left)?;
    let release = order.release(market, by)?;
    Ok((Order { terms: NewOrder { quantity, ..order.terms }, ..order }, release))
}

fn reduce(
    state: &mut State,
    context: &Context,
    id: OrderId,
    by: Amount,
    events: &mut Events,
) -> Result<(), Rejection> {
    let at = context.now;
    let (order, release) = reduced(state, context.sender, id, by)?;
    state.money.post(&[release], events)?;
    state.exchange.put(&mut state.deadlines, id, Order { updated_at: at, ..order });
    let (market, owner, left) = (order.terms.market, order.owner, order.left());
    events.push(ExchangeEvent::OrderReduced { order: id, market, owner, by, left, at }.into());
    Ok(())
}

/// Takes away an order whose time is over.
pub(crate) fn expire(
    state: &mut State,
    now: UnixMillis,
    id: OrderId,
    events: &mut Events,
) -> Result<(), Rejection> {
    let order = *state.exchange.orders.find(&id).ok_or(ExchangeRejection::UnknownOrder)?;
    match order.status {
        OrderStatus::Open => close(state, now, id, order, CancelReason::Expired, events),
        status => Err(ExchangeRejection::OrderNotOpen { status }.into()),
    }
}

/// Gives back what an open order holds.
fn close(
    state: &mut State,
    at: UnixMillis,
    id: OrderId,
    mut order: Order,
    reason: CancelReason,
    events: &mut Events,
) -> Result<(), Rejection> {
    let release = order.release(state.exchange.market(&order.terms.market)?, order.left())?;
    state.money.post(&[release], events)?;
    events.push(order.cancel(id, reason, at));
    state.exchange.put(&mut state.deadlines, id, order);
    Ok(())
}

/// The order, if the sender may change it now.
fn open_order(state: &State, sender: Address, id: OrderId) -> Result<Order, ExchangeRejection> {
    let order = state.exchange.orders.find(&id).ok_or(ExchangeRejection::UnknownOrder)?;
    if order.owner != sender {
        return Err(ExchangeRejection::NotOwner);
    }
    match order.status {
        OrderStatus::Open => Ok(*order),
        status => Err(ExchangeRejection::OrderNotOpen { status }),
    }
}
