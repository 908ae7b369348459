//! How long orders wait, and whom they do not meet.

use ledger::{
    AccountOp, AccountRejection, ExchangeOp, ExchangeRejection, MAX_MEETINGS, Transaction, UnixMillis,
};

use super::*;
use crate::world::{COINS, DAY, address};

#[test]
fn an_immediate_order_takes_what_is_there() {
    let mut world = world();
    world.resting("sam", sell(100, 20));
    world.resting("sam", sell(120, 20));
    let (id, sent) = world.place("bea", with(Lifetime::Immediate, buy(110, 30)));
    assert_eq!(fills(&sent), [(1, 100, 20)]);
    assert_eq!(cancelled(&sent), [(id, 10, CancelReason::Unfilled)]);
    assert_eq!((world.funds("bea"), world.shares("bea")), ((COINS - 200, 0), (20, 0)));
    let (id, sent) = world.place("bea", with(Lifetime::Immediate, buy(110, 30)));
    assert_eq!((fills(&sent), world.status(id)), (vec![], because(CancelReason::Unfilled)));
    let (id, _) = world.place("bea", with(Lifetime::Immediate, buy(120, 20)));
    assert_eq!(world.status(id), OrderStatus::Filled);
}

#[test]
fn without_a_price_whatever_there_is_is_taken() {
    let mut world = world();
    world.resting("sam", sell(100, 20));
    world.resting("sam", sell(9_000, 20));
    for lifetime in [Lifetime::UntilCancelled, Lifetime::PostOnly, Lifetime::Until { at: UnixMillis::MAX }] {
        let order = any_price(with(lifetime, buy(5, 10)));
        assert_eq!(world.not_placed("bea", order), ExchangeRejection::PriceNeeded.into());
    }
    let market_order = any_price(with(Lifetime::Immediate, buy(5, 50)));
    let (_, sent) = world.place("bea", market_order);
    assert_eq!(fills(&sent), [(1, 100, 20), (2, 9_000, 20)]);
    assert_eq!(world.funds("bea"), (COINS - 18_200, 0));
    world.resting("sam", sell(600_000, 20));
    let order = any_price(with(Lifetime::FillOrKill, buy(5, 20)));
    assert_eq!(world.not_placed("bea", order).code(), "INSUFFICIENT_FUNDS");
    world.resting("bea", buy(5, 10));
    let (_, sent) = world.place("eve", any_price(with(Lifetime::FillOrKill, sell(5, 10))));
    assert_eq!(fills(&sent), [(3, 5, 10)]);
}

#[test]
fn fill_or_kill_is_all_or_nothing() {
    let mut world = world();
    world.resting("sam", sell(100, 20));
    world.resting("eve", sell(105, 20));
    let not_fillable = ExchangeRejection::NotFillable;
    assert_eq!(world.not_placed("bea", with(Lifetime::FillOrKill, buy(105, 50))), not_fillable.into());
    assert_eq!(world.not_placed("bea", with(Lifetime::FillOrKill, buy(100, 30))), not_fillable.into());
    assert_eq!(world.not_placed("eve", with(Lifetime::FillOrKill, buy(105, 40))), not_fillable.into());
    let (_, sent) = world.place("bea", with(Lifetime::FillOrKill, buy(105, 40)));
    assert_eq!(fills(&sent), [(1, 100, 20), (2, 105, 20)]);
}

#[test]
fn post_only_never_takes() {
    let mut world = world();
    world.resting("sam", sell(100, 20));
    let would_trade = ExchangeRejection::WouldTrade;
    assert_eq!(world.not_placed("bea", with(Lifetime::PostOnly, buy(100, 10))), would_trade.into());
    for self_trade in [SelfTrade::CancelNewest, SelfTrade::CancelOldest] {
        let own = NewOrder { self_trade, ..with(Lifetime::PostOnly, buy(100, 10)) };
        assert_eq!(world.not_placed("sam", own), would_trade.into());
    }
    world.resting("bea", with(Lifetime::PostOnly, buy(95, 10)));
    let (_, sent) = world.place("sam", sell(95, 10));
    assert_eq!(fills(&sent), [(1, 95, 10)]);
}

#[test]
fn an_order_runs_out_by_itself() {
    let mut world = world();
    let at = UnixMillis::new(world.now.value() + DAY);
    let id = world.resting("bea", with(Lifetime::Until { at }, buy(100, 20)));
    assert_eq!(world.ledger.next_deadline(), Some(at));
    let (_, sent) = world.place("sam", sell(100, 10));
    assert_eq!(fills(&sent), [(1, 100, 10)]);
    let applied = world.wait_until(at.value());
    let names: Vec<_> = applied.events.iter().map(ledger::Event::name).collect();
    assert_eq!(names, ["balance.changed", "order.cancelled"]);
    assert_eq!((world.status(id), world.funds("bea")), (because(CancelReason::Expired), (COINS - 100, 0)));
    assert_eq!((world.ledger.next_deadline(), world.book()), (None, [vec![], vec![]]));
    for at in [at, world.now] {
        let late = with(Lifetime::Until { at }, buy(100, 20));
        assert_eq!(world.not_placed("bea", late), ExchangeRejection::AlreadyOver.into());
    }
}

#[test]
fn a_filled_or_cancelled_order_does_not_run_out() {
    let mut world = world();
    let at = UnixMillis::new(world.now.value() + DAY);
    let filled = world.resting("bea", with(Lifetime::Until { at }, buy(100, 10)));
    world.place("sam", sell(100, 10));
    let cancelled = world.resting("bea", with(Lifetime::Until { at }, buy(100, 10)));
    world.ok("bea", ExchangeOp::Cancel { order: cancelled });
    assert_eq!(world.ledger.next_deadline(), None);
    assert_eq!(world.wait_until(at.value()).block, None);
    assert_eq!(world.status(filled), OrderStatus::Filled);
}

/// More orders run out at one time than a block takes away: whoever comes meanwhile does not trade with the rest.
#[test]
fn an_order_whose_time_is_over_is_taken_away_on_the_way() {
    let mut world = world();
    let at = UnixMillis::new(world.now.value() + DAY);
    let short = with(Lifetime::Until { at }, sell(100, 10));
    world.ok("sam", mint("SHOP", "sam", 600));
    world.ok("sam", mint("SHOP", "eve", 10));
    let mut orders: Vec<Transaction> = Vec::new();
    for who in ["sam", "eve"] {
        orders.extend((0..100).map(|_| world.tx(who, ExchangeOp::Place { order: short })));
    }
    orders.extend((0..60).map(|_| world.tx("sam", ExchangeOp::Place { order: short })));
    let applied = world.apply(&orders);
    assert_eq!(applied.block.unwrap().receipts.iter().filter(|r| r.outcome.is_applied()).count(), 260);
    let lasting = world.resting("eve", sell(100, 10));
    let (bid, tx) = {
        let tx = world.tx("bea", ExchangeOp::Place { order: with(Lifetime::PostOnly, buy(95, 10)) });
        (OrderId::from(tx.id()), tx)
    };
    let taker = world.tx("bea", ExchangeOp::Place { order: buy(100, 10) });
    let applied = world.apply_at(at, &[tx, taker.clone()]);
    let of_taker = crate::world::events_of(&applied.events, taker.id());
    let sent = Sent { id: taker.id(), outcome: ledger::Outcome::Applied, events: of_taker };
    let gone = cancelled(&sent);
    assert_eq!(gone.len(), 4, "what the deadlines of this block left over");
    assert!(gone.iter().all(|(_, left, reason)| (*left, *reason) == (10, CancelReason::Expired)));
    assert_eq!(fills(&sent), [(1, 100, 10)]);
    assert_eq!(world.status(lasting), OrderStatus::Filled);
    assert_eq!(world.book(), [vec![bid], vec![]]);
    assert_eq!(world.ledger.next_deadline(), None);
}

/// Whoever stole the keys would be paid by whoever comes next.
#[test]
fn an_order_of_a_frozen_account_does_not_trade() {
    let mut world = world();
    let first = world.resting("eve", sell(95, 10));
    let frozen = world.resting("sam", sell(100, 20));
    let last = world.resting("eve", sell(100, 10));
    let reason = || "looks stolen".parse().unwrap();
    world.ok("ann", AccountOp::Freeze { account: address("sam"), reason: reason() });
    assert_eq!((world.book(), world.shares("sam")), ([vec![], vec![first, frozen, last]], (980, 20)));
    let (_, sent) = world.place("bea", buy(100, 20));
    assert_eq!(fills(&sent), [(1, 95, 10), (2, 100, 10)]);
    assert_eq!(cancelled(&sent), [(frozen, 20, CancelReason::Frozen)]);
    assert_eq!(
        (world.status(frozen), world.status(last)),
        (because(CancelReason::Frozen), OrderStatus::Filled)
    );
    assert_eq!((world.shares("sam"), world.funds("sam")), ((1_000, 0), (COINS, 0)));
    let nothing: Rejection = AccountRejection::Frozen.into();
    assert_eq!(world.not_placed("sam", sell(100, 20)), nothing);

    // What no other order met is in the book when the freeze is over.
    world.ok("ben", AccountOp::Unfreeze { account: address("sam") });
    let ask = world.resting("sam", sell(100, 10));
    world.ok("ben", AccountOp::Freeze { account: address("sam"), reason: reason() });
    let killed = with(Lifetime::FillOrKill, buy(100, 10));
    assert_eq!(world.not_placed("bea", killed), ExchangeRejection::NotFillable.into());
    world.ok("ann", AccountOp::Unfreeze { account: address("sam") });
    let (_, sent) = world.place("bea", buy(100, 10));
    assert_eq!((fills(&sent), world.status(ask)), (vec![(3, 100, 10)], OrderStatus::Filled));

    // It is in nobody's way.
    let ask = world.resting("sam", sell(100, 10));
    world.ok("ben", AccountOp::Freeze { account: address("sam"), reason: reason() });
    let bid = world.resting("bea", with(Lifetime::PostOnly, buy(105, 10)));
    assert_eq!((world.status(ask), world.book()), (because(CancelReason::Frozen), [vec![bid], vec![]]));
}

#[test]
fn who_meets_their_own_order_does_not_trade() {
    let mut world = world();
    let other = world.resting("eve", sell(95, 10));
    let own = world.resting("sam", sell(100, 20));
    let (id, sent) = world.place("sam", buy(105, 30));
    assert_eq!(fills(&sent), [(1, 95, 10)]);
    assert_eq!(cancelled(&sent), [(id, 20, CancelReason::SelfTrade)]);
    assert_eq!((world.status(other), world.status(own)), (OrderStatus::Filled, OrderStatus::Open));
    // What is above it is not in the way.
    let below = world.resting("sam", buy(95, 10));
    assert_eq!(world.book(), [vec![below], vec![own]]);
}

#[test]
fn the_older_order_goes_if_its_owner_wants_so() {
    let mut world = world();
    let own = world.resting("sam", sell(95, 20));
    world.resting("eve", sell(100, 10));
    let order = NewOrder { self_trade: SelfTrade::CancelOldest, ..buy(100, 20) };
    let (id, sent) = world.place("sam", order);
    assert_eq!(cancelled(&sent), [(own, 20, CancelReason::SelfTrade)]);
    assert_eq!(fills(&sent), [(1, 100, 10)]);
    assert_eq!((world.left(id), world.shares("sam")), (10, (1_010, 0)));
}

#[test]
fn an_order_meets_a_hundred_others_at_most() {
    let mut world = world();
    let mut asks: Vec<Transaction> = Vec::new();
    for (who, n) in [("sam", 100), ("eve", 1)] {
        asks.extend((0..n).map(|_| world.tx(who, ExchangeOp::Place { order: sell(100, 10) })));
    }
    world.apply(&asks);
    let last = OrderId::from(asks[100].id());
    let killed = with(Lifetime::FillOrKill, buy(100, 1_010));
    assert_eq!(world.not_placed("bea", killed), ExchangeRejection::NotFillable.into());
    let (id, sent) = world.place("bea", buy(100, 1_020));
    assert_eq!(fills(&sent).len(), MAX_MEETINGS);
    assert_eq!(cancelled(&sent), [(id, 20, CancelReason::TooManyMeetings)]);
    assert_eq!(world.book(), [vec![], vec![last]], "the rest does not wait: the book would be crossed");
    assert_eq!(world.funds("bea"), (COINS - 10_000, 0));
    assert_eq!(world.ledger.market(&shop()).unwrap().fills, 100);
}
