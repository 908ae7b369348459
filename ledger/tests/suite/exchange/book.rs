//! Prices, priorities, holds and payments.

use ledger::{ExchangeOp, ExchangeRejection, MoneyRejection};

use super::*;
use crate::world::{COINS, address};

#[test]
fn both_legs_and_the_fee_move_in_one_step() {
    let mut world = world();
    let ask = world.resting("sam", sell(1_000, 30));
    assert_eq!((world.shares("sam"), world.funds("sam")), ((970, 30), (COINS, 0)));
    // 20 shares are two lots: 2,000, of which the fee of 0.3 % is 6.
    let (bid, sent) = world.place("bea", buy(1_200, 20));
    assert_eq!(fills(&sent), [(1, 1_000, 20)], "at the price of the order that was there before");
    assert_eq!((world.shares("bea"), world.funds("bea")), ((20, 0), (COINS - 2_000, 0)));
    assert_eq!((world.shares("sam"), world.funds("sam")), ((970, 10), (COINS + 1_994, 0)));
    assert_eq!(world.funds("fees"), (6, 0));
    assert_eq!((world.status(bid), world.status(ask)), (OrderStatus::Filled, OrderStatus::Open));
    let filled = ExchangeEvent::Filled {
        market: shop(),
        number: 1,
        price: amount(1_000),
        quantity: amount(20),
        cost: amount(2_000),
        fee: amount(6),
        buyer: address("bea"),
        seller: address("sam"),
        maker: ask,
        taker: bid,
        taker_side: OrderSide::Buy,
        maker_left: amount(10),
        taker_left: amount(0),
        at: world.now,
    };
    assert_eq!(sent.events.last(), Some(&EventKind::Exchange(filled)));
    let placed = ExchangeEvent::OrderPlaced {
        order: bid,
        owner: address("bea"),
        terms: buy(1_200, 20),
        number: 2,
        at: world.now,
    };
    assert!(sent.events.contains(&EventKind::Exchange(placed)));
}

#[test]
fn a_seller_who_comes_second_is_paid_from_the_hold() {
    let mut world = world();
    let bid = world.resting("bea", buy(1_000, 30));
    assert_eq!(world.funds("bea"), (COINS - 3_000, 3_000));
    let (ask, sent) = world.place("sam", sell(900, 10));
    assert_eq!(fills(&sent), [(1, 1_000, 10)]);
    assert_eq!((world.funds("bea"), world.shares("bea")), ((COINS - 3_000, 2_000), (10, 0)));
    assert_eq!((world.funds("sam"), world.shares("sam")), ((COINS + 997, 0), (990, 0)));
    assert_eq!((world.left(bid), world.status(ask)), (20, OrderStatus::Filled));
    world.ok("bea", ExchangeOp::Cancel { order: bid });
    assert_eq!(world.funds("bea"), (COINS - 1_000, 0));
}

#[test]
fn the_best_price_comes_first_and_then_the_oldest() {
    let mut world = world();
    let dear = world.resting("sam", sell(110, 10));
    let first = world.resting("eve", sell(100, 10));
    let second = world.resting("sam", sell(100, 10));
    let cheap = world.resting("sam", sell(95, 10));
    assert_eq!(world.book()[1], [cheap, first, second, dear]);
    let (bid, sent) = world.place("bea", buy(105, 40));
    assert_eq!(fills(&sent), [(1, 95, 10), (2, 100, 10), (3, 100, 10)]);
    assert_eq!(world.book(), [vec![bid], vec![dear]]);
    // The fills cost 295, and one lot waits at 105.
    assert_eq!(world.funds("bea"), (COINS - 295 - 105, 105));
    let low = world.resting("bea", buy(90, 10));
    let (_, sent) = world.place("eve", sell(90, 20));
    assert_eq!(fills(&sent), [(4, 105, 10), (5, 90, 10)]);
    assert_eq!((world.status(bid), world.status(low)), (OrderStatus::Filled, OrderStatus::Filled));
}

#[test]
fn orders_that_do_not_reach_each_other_wait() {
    let mut world = world();
    let ask = world.resting("sam", sell(105, 10));
    let bid = world.resting("bea", buy(100, 10));
    assert_eq!(world.book(), [vec![bid], vec![ask]]);
    assert_eq!(world.ledger.market(&shop()).unwrap().fills, 0);
}

#[test]
fn prices_and_quantities_are_whole_steps_and_can_be_counted() {
    let mut world = world();
    for quantity in [0, 5, 15] {
        assert_eq!(world.not_placed("bea", buy(100, quantity)), off_lot());
    }
    for price in [0, 1, 101] {
        assert_eq!(world.not_placed("bea", buy(price, 10)), off_tick());
    }
    let top = u64::MAX / TICK * TICK;
    for order in [buy(top, 20), sell(top, 20)] {
        assert_eq!(world.not_placed("sam", order), ExchangeRejection::OrderTooLarge.into());
    }
    let too_little = MoneyRejection::InsufficientFunds { asset: AssetId::Pop };
    assert_eq!(world.not_placed("bea", buy(top, 10)), too_little.into());
    world.resting("sam", sell(top, 10));
}

#[test]
fn one_order_needs_what_it_takes_and_what_waits() {
    let mut world = world();
    world.resting("sam", sell(50_000, 100));
    // 10 lots at 50,000 and 10 more that wait at 60,000.
    let rejection = world.not_placed("bea", buy(60_000, 200));
    assert_eq!(rejection, MoneyRejection::InsufficientFunds { asset: AssetId::Pop }.into());
    let (_, sent) = world.place("bea", buy(50_000, 200));
    assert_eq!(fills(&sent), [(1, 50_000, 100)]);
    assert_eq!(world.funds("bea"), (0, 500_000));
    let rejection = world.not_placed("bea", sell(70_000, 110));
    assert_eq!(rejection.code(), "INSUFFICIENT_FUNDS");
    world.resting("bea", sell(70_000, 100));
    assert_eq!(world.shares("bea"), (0, 100));
}

#[test]
fn only_its_owner_cancels_and_reduces_an_open_order() {
    let mut world = world();
    let bid = world.resting("bea", buy(100, 50));
    let reduce = |by| ExchangeOp::Reduce { order: bid, by: amount(by) };
    for op in [ExchangeOp::Cancel { order: bid }, reduce(10)] {
        assert_eq!(world.rejected("eve", op), ExchangeRejection::NotOwner.into());
    }
    for by in [0, 5] {
        assert_eq!(world.rejected("bea", reduce(by)), off_lot());
    }
    for by in [50, 60, u64::MAX / LOT * LOT] {
        let nothing_left = ExchangeRejection::NothingLeft { left: amount(50) };
        assert_eq!(world.rejected("bea", reduce(by)), nothing_left.into());
    }
    let sent = world.ok("bea", reduce(20));
    let (order, market, owner) = (bid, shop(), address("bea"));
    let (by, left, at) = (amount(20), amount(30), world.now);
    let reduced = ExchangeEvent::OrderReduced { order, market, owner, by, left, at };
    assert_eq!(sent.events.last(), Some(&EventKind::Exchange(reduced)));
    assert_eq!(world.funds("bea"), (COINS - 300, 300));
    let sent = world.ok("bea", ExchangeOp::Cancel { order: bid });
    assert_eq!(cancelled(&sent), [(bid, 30, CancelReason::Requested)]);
    assert_eq!((world.funds("bea"), world.book()), ((COINS, 0), [vec![], vec![]]));
    let status = because(CancelReason::Requested);
    for op in [ExchangeOp::Cancel { order: bid }, reduce(10)] {
        assert_eq!(world.rejected("bea", op), ExchangeRejection::OrderNotOpen { status }.into());
    }
    let nothing = crate::world::unknown();
    let cancel = ExchangeOp::Cancel { order: nothing };
    assert_eq!(world.rejected("bea", cancel), ExchangeRejection::UnknownOrder.into());
}

#[test]
fn a_reduced_order_keeps_its_place() {
    let mut world = world();
    let first = world.resting("sam", sell(100, 20));
    let second = world.resting("eve", sell(100, 20));
    world.ok("sam", ExchangeOp::Reduce { order: first, by: amount(10) });
    let (_, sent) = world.place("bea", buy(100, 20));
    assert_eq!(fills(&sent), [(1, 100, 10), (2, 100, 10)]);
    assert_eq!((world.status(first), world.left(second)), (OrderStatus::Filled, 10));
}

#[test]
fn the_fee_account_trades_like_anyone() {
    let mut world = world();
    world.ok("sam", mint("SHOP", "fees", 100));
    world.resting("fees", sell(10_000, 10));
    world.place("bea", buy(10_000, 10));
    assert_eq!(world.funds("fees"), (10_000, 0));
    // It pays the fee to itself, and still has to have the whole price.
    world.resting("sam", sell(5_005, 20));
    assert_eq!(world.not_placed("fees", buy(5_005, 20)).code(), "INSUFFICIENT_FUNDS");
    world.place("fees", buy(5_005, 10));
    assert_eq!((world.funds("fees"), world.shares("fees")), ((10_000 - 5_005 + 15, 0), (100, 0)));
}
