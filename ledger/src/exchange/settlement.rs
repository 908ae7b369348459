//! What a new order does to money and rows: all of it, or nothing.

use pbft_crypto::Address;

use super::matching::{Meeting, Plan};
use super::rules::Events;
use super::{
    CancelReason, ExchangeEvent, ExchangeRejection, Market, NewOrder, Order, OrderSide, OrderStatus,
};
use crate::amount::{Amount, AssetId};
use crate::event::EventKind;
use crate::ids::OrderId;
use crate::money::{Posting, Side};
use crate::state::{Context, State};
use crate::time::UnixMillis;

/// A plan with the money that it moves.
pub(super) struct Settlement {
    pub(super) postings: Vec<Posting>,
    /// What the owner has to have for it.
    pub(super) needed: (AssetId, u128),
    meetings: Vec<(OrderId, Order, Settled)>,
    left: Amount,
    end: Option<CancelReason>,
}

/// What becomes of an order that is met.
#[derive(Clone, Copy)]
enum Settled {
    Filled(Fill),
    Cancelled(CancelReason),
}

#[derive(Clone, Copy)]
struct Fill {
    quantity: Amount,
    price: Amount,
    cost: Amount,
    fee: Amount,
}

pub(super) fn settle(
    state: &State,
    market: &Market,
    owner: Address,
    terms: &NewOrder,
    plan: Plan,
) -> Result<Settlement, ExchangeRejection> {
    let paid_with = match terms.side {
        OrderSide::Buy => terms.market.quote,
        OrderSide::Sell => terms.market.base.into(),
    };
    let Plan { meetings, left, end } = plan;
    let mut settlement =
        Settlement { postings: Vec::new(), needed: (paid_with, 0), meetings: Vec::new(), left, end };
    for (id, maker, meeting) in meetings {
        let settled = match meeting {
            Meeting::Fill { quantity, price } => {
                let cost = market.cost(price, quantity)?;
                let fee = state.params.exchange.fee.of(cost);
                let fill = Fill { quantity, price, cost, fee };
                settlement.trade((owner, terms), &maker, fill, state.fee_account);
                Settled::Filled(fill)
            }
            Meeting::Cancel(reason) => {
                settlement.postings.push(maker.release(market, maker.left())?);
                Settled::Cancelled(reason)
            }
        };
        settlement.meetings.push((id, maker, settled));
    }
    if settlement.end.is_none() {
        settlement.rest(market, owner, terms)?;
    }
    Ok(settlement)
}

impl Settlement {
    /// What leaves the owner's account at once or is held from now on.
    pub(super) fn spent(&self) -> (AssetId, Amount) {
        let (asset, needed) = self.needed;
        (asset, Amount::new(u64::try_from(needed).unwrap_or(u64::MAX)))
    }

    /// Delivery against payment. The side that was there before gives what is held for it.
    fn trade(
        &mut self,
        (taker, terms): (Address, &NewOrder),
        maker: &Order,
        Fill { quantity, cost, fee, .. }: Fill,
        fee_account: Address,
    ) {
        let (available, held) = (Side::Available(taker), Side::Held(maker.owner));
        let (buyer, seller, buyer_pays, seller_gives, given) = match terms.side {
            OrderSide::Buy => (taker, maker.owner, available, held, cost),
            OrderSide::Sell => (maker.owner, taker, held, available, quantity),
        };
        // The fee is a share of the cost.
        let proceeds = cost.checked_sub(fee).unwrap_or(Amount::ZERO);
        let quote = terms.market.quote;
        let mut post = |asset, amount, from, to| self.postings.push(Posting { asset, amount, from, to });
        post(terms.market.base.into(), quantity, seller_gives, Side::Available(buyer));
        post(quote, proceeds, buyer_pays, Side::Available(seller));
        post(quote, fee, buyer_pays, Side::Available(fee_account));
        self.need(given);
    }

    /// What is left waits, and is held.
    fn rest(&mut self, market: &Market, owner: Address, terms: &NewOrder) -> Result<(), ExchangeRejection> {
        if self.left.is_zero() {
            return Ok(());
        }
        let order = Order::new(owner, *terms, 0, UnixMillis::default());
        let (asset, amount) = order.hold(market, self.left)?;
        let (from, to) = (Side::Available(owner), Side::Held(owner));
        self.postings.push(Posting { asset, amount, from, to });
        self.need(amount);
        Ok(())
    }

    fn need(&mut self, amount: Amount) {
        self.needed.1 = self.needed.1.saturating_add(u128::from(amount.value()));
    }

    /// Writes the new rows and tells of them. The money has moved.
    pub(super) fn record(self, state: &mut State, context: &Context, terms: &NewOrder, events: &mut Events) {
        let Some(mut market) = state.exchange.markets.find(&terms.market).copied() else { return };
        let (owner, at, id) = (context.sender, context.now, OrderId::from(context.tx));
        market.orders = market.orders.saturating_add(1);
        let number = market.orders;
        let mut order = Order::new(owner, *terms, number, at);
        events.push(ExchangeEvent::OrderPlaced { order: id, owner, terms: *terms, number, at }.into());
        for (maker_id, mut maker, settled) in self.meetings {
            match settled {
                Settled::Filled(fill) => {
                    order.fill(fill.quantity);
                    maker.fill(fill.quantity);
                    maker.updated_at = at;
                    market.count(fill);
                    events.push(fill.event(market.fills, (id, &order), (maker_id, &maker), at));
                }
                Settled::Cancelled(reason) => events.push(maker.cancel(maker_id, reason, at)),
            }
            state.exchange.put(&mut state.deadlines, maker_id, maker);
        }
        if let Some(reason) = self.end {
            events.push(order.cancel(id, reason, at));
        }
        state.exchange.put(&mut state.deadlines, id, order);
        state.exchange.markets.put(terms.market, market);
    }
}

impl Fill {
    /// A line of the tape. Both orders are as they are after it.
    fn event(
        self,
        number: u64,
        (taker_id, taker): (OrderId, &Order),
        (maker_id, maker): (OrderId, &Order),
        at: UnixMillis,
    ) -> EventKind {
        let Self { quantity, price, cost, fee } = self;
        let (buyer, seller) = match taker.terms.side {
            OrderSide::Buy => (taker.owner, maker.owner),
            OrderSide::Sell => (maker.owner, taker.owner),
        };
        let event = ExchangeEvent::Filled {
            market: taker.terms.market,
            number,
            price,
            quantity,
            cost,
            fee,
            buyer,
            seller,
            maker: maker_id,
            taker: taker_id,
            taker_side: taker.terms.side,
            maker_left: maker.left(),
            taker_left: taker.left(),
            at,
        };
        event.into()
    }
}

impl Market {
    fn count(&mut self, fill: Fill) {
        self.fills = self.fills.saturating_add(1);
        self.volume = self.volume.saturating_add(u128::from(fill.quantity.value()));
        self.last_price = Some(fill.price);
    }
}

impl Order {
    fn new(owner: Address, terms: NewOrder, number: u64, at: UnixMillis) -> Self {
        let (filled, status) = (Amount::ZERO, OrderStatus::Open);
        Self { owner, terms, filled, status, number, placed_at: at, updated_at: at }
    }

    fn fill(&mut self, quantity: Amount) {
        // Never above what is left.
        self.filled = self.filled.checked_add(quantity).unwrap_or(self.terms.quantity);
        if self.left().is_zero() {
            self.status = OrderStatus::Filled;
        }
    }

    /// Takes away what is left. Whoever calls it gives the hold back.
    pub(super) fn cancel(&mut self, id: OrderId, reason: CancelReason, at: UnixMillis) -> EventKind {
        self.updated_at = at;
        self.status = OrderStatus::Cancelled { reason };
        let (market, owner, left) = (self.terms.market, self.owner, self.left());
        ExchangeEvent::OrderCancelled { order: id, market, owner, left, reason, at }.into()
    }
}
