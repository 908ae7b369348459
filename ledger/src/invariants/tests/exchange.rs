//! Damage to tokens and the exchange.

use super::*;
use crate::amount::TokenId;
use crate::exchange::{
    CancelReason, ExchangeOp, Lifetime, Market, MarketId, NewOrder, Order, OrderSide, OrderStatus, SelfTrade,
};
use crate::ids::OrderId;
use crate::tokens::{Decimals, TokenOp};

const ASK: TxId = TxId::new(Digest::from_bytes([0x33; 32]));
const BID: TxId = TxId::new(Digest::from_bytes([0x44; 32]));

fn shop() -> MarketId {
    MarketId { base: TokenId::new("SHOP").unwrap(), quote: AssetId::Pop }
}

/// A sound state in which the seller asks 7 for each of 10 shares after one was sold, and the buyer bids 5.
fn with_orders() -> State {
    let mut state = sound();
    let mut run = |sender: u8, tx: TxId, operation: Operation| {
        let now = UnixMillis::new(2);
        let context = Context {
            now,
            height: crate::ids::Height::new(2),
            parent: Digest::ZERO,
            chain_id: Digest::ZERO,
            tx,
            sender: address(sender),
            key: key(sender).public_key(),
        };
        state.execute(&context, &operation, &mut Vec::new()).unwrap();
    };
    let (token, cap) = (shop().base, None);
    let other = |byte| TxId::new(Digest::from_bytes([byte; 32]));
    let create =
        TokenOp::Create { token, name: "Shop".parse().unwrap(), decimals: Decimals::new(0).unwrap(), cap };
    run(SELLER, other(1), create.into());
    run(SELLER, other(2), TokenOp::Mint { token, to: address(SELLER), amount: Amount::new(100) }.into());
    let (tick, lot) = (Amount::new(1), Amount::new(1));
    run(SELLER, other(3), ExchangeOp::OpenMarket { base: token, quote: AssetId::Pop, tick, lot }.into());
    let order = |side, price, quantity, lifetime| {
        let (price, quantity) = (Some(Amount::new(price)), Amount::new(quantity));
        let order =
            NewOrder { market: shop(), side, price, quantity, lifetime, self_trade: SelfTrade::CancelNewest };
        ExchangeOp::Place { order }.into()
    };
    let until = Lifetime::Until { at: UnixMillis::new(100) };
    run(SELLER, ASK, order(OrderSide::Sell, 7, 11, until));
    run(BUYER, other(4), order(OrderSide::Buy, 7, 1, Lifetime::UntilCancelled));
    run(BUYER, BID, order(OrderSide::Buy, 5, 10, Lifetime::UntilCancelled));
    state
}

fn found(damage: fn(&mut State)) -> InvariantViolation {
    let mut state = with_orders();
    damage(&mut state);
    check(&state, &tree_of(&state)).unwrap_err()
}

fn change(state: &mut State, id: TxId, change: fn(&mut Order)) {
    let id = OrderId::from(id);
    let mut order = *state.exchange.orders.find(&id).unwrap();
    change(&mut order);
    state.exchange.orders.put(id, order);
}

fn change_market(state: &mut State, change: fn(&mut Market)) {
    let mut market = *state.exchange.markets.find(&shop()).unwrap();
    change(&mut market);
    state.exchange.markets.put(shop(), market);
}

#[test]
fn a_sound_exchange_passes() {
    let state = with_orders();
    assert_eq!(check(&state, &tree_of(&state)), Ok(()));
    let market = state.exchange.markets.find(&shop()).unwrap();
    assert_eq!((market.orders, market.fills, market.volume), (3, 1, 1));
}

#[test]
fn tokens_made_of_nothing_are_found() {
    let asset = AssetId::from(shop().base);
    let made = found(|state| {
        let balance = Balance { available: Amount::new(90), held: Amount::new(10) };
        state.money.balances.put((address(SELLER), shop().base.into()), balance);
    });
    assert_eq!(made, InvariantViolation::Conservation { asset, have: 101, supply: Some(100) });
    let unknown = found(|state| {
        let asset = TokenId::new("NONE").unwrap().into();
        state.money.supplies.put(asset, Supply::default());
    });
    assert_eq!(unknown, InvariantViolation::Token(TokenId::new("NONE").unwrap()));
}

#[test]
fn orders_that_hold_something_else_are_found() {
    let cases: [(fn(&mut State), _); 3] = [
        (
            |state| change(state, ASK, |order| order.filled = Amount::new(2)),
            (SELLER, AssetId::from(shop().base), 10, 9),
        ),
        (
            |state| change(state, BID, |order| order.terms.price = Some(Amount::new(4))),
            (BUYER, AssetId::Pop, 150, 140),
        ),
        (
            |state| {
                change(state, BID, |order| {
                    order.status = OrderStatus::Cancelled { reason: CancelReason::Requested };
                });
            },
            (BUYER, AssetId::Pop, 150, 100),
        ),
    ];
    for (damage, (who, asset, held, owned)) in cases {
        let account = address(who);
        assert_eq!(found(damage), InvariantViolation::Holds { account, asset, held, owned });
    }
}

#[test]
fn unsound_orders_are_found() {
    let ask = InvariantViolation::Order(ASK.into());
    let damages: [fn(&mut State); 4] = [
        |state: &mut State| change(state, ASK, |order| order.number = 4),
        |state: &mut State| change(state, ASK, |order| order.number = 0),
        |state: &mut State| change(state, ASK, |order| order.terms.price = None),
        |state: &mut State| {
            state.deadlines.take(UnixMillis::new(100), ObjectId::Order(ASK.into()));
            change(state, ASK, |order| order.terms.lifetime = Lifetime::Immediate);
        },
    ];
    for damage in damages {
        assert_eq!(found(damage), ask);
    }
    let other_lot = found(|state| change_market(state, |market| market.lot = Amount::new(3)));
    assert!(
        matches!(other_lot, InvariantViolation::Order(_) | InvariantViolation::Holds { .. }),
        "{other_lot}"
    );
    let end = found(|state| {
        change(state, ASK, |order| order.terms.lifetime = Lifetime::Until { at: UnixMillis::new(101) });
    });
    assert_eq!(end, InvariantViolation::Deadlines);
}

#[test]
fn a_book_of_something_else_is_found() {
    let book = InvariantViolation::Book(shop());
    let forgotten = found(|state| {
        let mut order = *state.exchange.orders.find(&ASK.into()).unwrap();
        order.status = OrderStatus::Filled;
        state.exchange.books.replace(ASK.into(), &order);
    });
    assert_eq!(forgotten, book);
    let crossed = found(|state| {
        let mut order = *state.exchange.orders.find(&ASK.into()).unwrap();
        let mut gone = order;
        gone.status = OrderStatus::Filled;
        state.exchange.books.replace(ASK.into(), &gone);
        order.terms.price = Some(Amount::new(5));
        state.exchange.books.replace(ASK.into(), &order);
        state.exchange.orders.put(ASK.into(), order);
    });
    assert_eq!(crossed, book);
}

#[test]
fn a_volume_of_something_else_is_found() {
    let volume = InvariantViolation::Volume(shop());
    assert_eq!(found(|state| change_market(state, |market| market.volume = 2)), volume);
    assert_eq!(found(|state| change_market(state, |market| market.fills = 0)), volume);
    assert_eq!(found(|state| change_market(state, |market| market.last_price = None)), volume);
}
