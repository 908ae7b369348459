//! The exchange: what each kind of order does.

mod book;
mod kinds;
mod markets;

use ledger::{
    AssetId, CancelReason, EventKind, ExchangeEvent, ExchangeOp, ExchangeRejection, Lifetime, MarketId,
    NewOrder, OrderId, OrderSide, OrderStatus, Rejection, SelfTrade, TokenOp, UnixMillis,
};

use crate::tokens::{create, mint, token};
use crate::world::{Sent, World, amount};

/// The lot of the market here: prices are for so many shares.
const LOT: u64 = 10;
const TICK: u64 = 5;

fn shop() -> MarketId {
    MarketId { base: token("SHOP"), quote: AssetId::Pop }
}

fn open(base: &str, quote: AssetId) -> ExchangeOp {
    ExchangeOp::OpenMarket { base: token(base), quote, tick: amount(TICK), lot: amount(LOT) }
}

fn order(side: OrderSide, price: u64, quantity: u64) -> NewOrder {
    NewOrder {
        market: shop(),
        side,
        price: Some(amount(price)),
        quantity: amount(quantity),
        lifetime: Lifetime::UntilCancelled,
        self_trade: SelfTrade::CancelNewest,
    }
}

fn buy(price: u64, quantity: u64) -> NewOrder {
    order(OrderSide::Buy, price, quantity)
}

fn sell(price: u64, quantity: u64) -> NewOrder {
    order(OrderSide::Sell, price, quantity)
}

fn with(lifetime: Lifetime, order: NewOrder) -> NewOrder {
    NewOrder { lifetime, ..order }
}

fn any_price(order: NewOrder) -> NewOrder {
    NewOrder { price: None, ..order }
}

/// sam and eve have 1,000 shares each, and everyone has coins.
fn world() -> World {
    let mut world = World::new();
    world.ok("sam", create("SHOP", None));
    for who in ["sam", "eve"] {
        world.ok("sam", mint("SHOP", who, 1_000));
    }
    world.ok("sam", open("SHOP", AssetId::Pop));
    world
}

/// Something in each table of tokens and the exchange, with an order that waits.
pub(crate) fn live_in(world: &mut World) {
    world.ok("sam", create("SHOP", None));
    world.ok("sam", mint("SHOP", "sam", 1_000));
    let (token, spender) = (token("SHOP"), crate::world::address("eve"));
    world.ok("sam", TokenOp::Approve { token, spender, from: amount(0), to: amount(7) });
    world.ok("sam", open("SHOP", AssetId::Pop));
    let at = UnixMillis::MAX;
    world.place("sam", with(Lifetime::Until { at }, sell(100, 30)));
    world.place("bea", buy(100, 10));
    world.place("bea", buy(95, 10));
}

impl World {
    fn place(&mut self, who: &str, order: NewOrder) -> (OrderId, Sent) {
        let sent = self.ok(who, ExchangeOp::Place { order });
        (sent.id.into(), sent)
    }

    fn resting(&mut self, who: &str, order: NewOrder) -> OrderId {
        let (id, sent) = self.place(who, order);
        assert_eq!(self.status(id), OrderStatus::Open);
        assert_eq!(fills(&sent), []);
        id
    }

    fn not_placed(&mut self, who: &str, order: NewOrder) -> Rejection {
        let before = self.book();
        let rejection = self.rejected(who, ExchangeOp::Place { order });
        assert_eq!(self.book(), before);
        rejection
    }

    fn status(&self, id: OrderId) -> OrderStatus {
        self.ledger.order(&id).unwrap().status
    }

    fn left(&self, id: OrderId) -> u64 {
        self.ledger.order(&id).unwrap().left().value()
    }

    fn shares(&self, who: &str) -> (u64, u64) {
        self.tokens(who, token("SHOP"))
    }

    /// The open orders of both sides, the best first.
    fn book(&self) -> [Vec<OrderId>; 2] {
        [OrderSide::Buy, OrderSide::Sell]
            .map(|side| self.ledger.book(&shop(), side).map(|(id, _)| id).collect())
    }
}

/// Number, price and quantity of each fill.
fn fills(sent: &Sent) -> Vec<(u64, u64, u64)> {
    let fill = |event: &EventKind| match event {
        EventKind::Exchange(ExchangeEvent::Filled { number, price, quantity, .. }) => {
            Some((*number, price.value(), quantity.value()))
        }
        _ => None,
    };
    sent.events.iter().filter_map(fill).collect()
}

/// Which orders were taken away, with how much, and why.
fn cancelled(sent: &Sent) -> Vec<(OrderId, u64, CancelReason)> {
    let gone = |event: &EventKind| match event {
        EventKind::Exchange(ExchangeEvent::OrderCancelled { order, left, reason, .. }) => {
            Some((*order, left.value(), *reason))
        }
        _ => None,
    };
    sent.events.iter().filter_map(gone).collect()
}

const fn because(reason: CancelReason) -> OrderStatus {
    OrderStatus::Cancelled { reason }
}

fn off_lot() -> Rejection {
    ExchangeRejection::QuantityOffLot { lot: amount(LOT) }.into()
}

fn off_tick() -> Rejection {
    ExchangeRejection::PriceOffTick { tick: amount(TICK) }.into()
}
