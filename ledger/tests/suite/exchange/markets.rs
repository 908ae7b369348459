//! Who opens, halts and resumes markets.

use ledger::{ExchangeEvent, ExchangeOp, ExchangeRejection, MarketStatus, OrderSide};

use super::*;
use crate::world::address;

#[test]
fn an_admin_or_the_issuer_opens_a_market_once_for_each_pair() {
    let mut world = World::new();
    let unknown = |symbol| ExchangeRejection::UnknownToken { token: token(symbol) };
    assert_eq!(world.rejected("ann", open("SHOP", AssetId::Pop)), unknown("SHOP").into());
    world.ok("sam", create("SHOP", None));
    world.ok("eve", create("GOLD", None));
    assert_eq!(world.rejected("ann", open("SHOP", token("NONE").into())), unknown("NONE").into());
    // The issuer of the quote asset has no say.
    let stranger = ExchangeRejection::NotAdminOrIssuer;
    assert_eq!(world.rejected("eve", open("SHOP", token("GOLD").into())), stranger.into());
    let same = ExchangeRejection::SameAsset;
    assert_eq!(world.rejected("sam", open("SHOP", token("SHOP").into())), same.into());
    for (tick, lot) in [(0, 1), (1, 0)] {
        let (tick, lot) = (amount(tick), amount(lot));
        let op = ExchangeOp::OpenMarket { base: token("SHOP"), quote: AssetId::Pop, tick, lot };
        assert_eq!(world.rejected("sam", op), ExchangeRejection::ZeroStep.into());
    }
    let sent = world.ok("sam", open("SHOP", AssetId::Pop));
    let (tick, lot) = (amount(TICK), amount(LOT));
    let opened = ExchangeEvent::MarketOpened { market: shop(), tick, lot, by: address("sam"), at: world.now };
    assert_eq!(sent.events, [EventKind::Exchange(opened)]);
    assert_eq!(world.rejected("ann", open("SHOP", AssetId::Pop)), ExchangeRejection::MarketExists.into());
    // Another pair, and the same one the other way round.
    world.ok("ann", open("SHOP", token("GOLD").into()));
    world.ok("eve", open("GOLD", token("SHOP").into()));
}

#[test]
fn a_halted_market_takes_no_orders_and_lets_them_go() {
    let mut world = world();
    let first = world.resting("bea", buy(100, 20));
    let second = world.resting("bea", buy(95, 20));
    let (halt, resume) = (ExchangeOp::Halt { market: shop() }, ExchangeOp::Resume { market: shop() });
    for op in [&halt, &resume] {
        assert_eq!(world.rejected("sam", op.clone()), ExchangeRejection::NotAdmin.into());
    }
    let is_open = ExchangeRejection::MarketStatus { status: MarketStatus::Open };
    assert_eq!(world.rejected("ann", resume.clone()), is_open.into());
    world.ok("ann", halt.clone());
    let is_halted = ExchangeRejection::MarketStatus { status: MarketStatus::Halted };
    assert_eq!(world.rejected("ben", halt), is_halted.into());
    assert_eq!(world.not_placed("sam", sell(100, 10)), is_halted.into());
    world.ok("bea", ExchangeOp::Reduce { order: first, by: amount(10) });
    world.ok("bea", ExchangeOp::Cancel { order: second });
    assert_eq!(world.book()[0], [first]);
    world.ok("ben", resume);
    let (_, sent) = world.place("sam", sell(100, 10));
    assert_eq!(fills(&sent), [(1, 100, 10)]);
}

#[test]
fn orders_are_placed_on_markets_that_there_are() {
    let mut world = world();
    let elsewhere = MarketId { base: token("GOLD"), quote: AssetId::Pop };
    let order = NewOrder { market: elsewhere, ..buy(100, 10) };
    assert_eq!(world.not_placed("bea", order), ExchangeRejection::UnknownMarket.into());
    let halt = ExchangeOp::Halt { market: elsewhere };
    assert_eq!(world.rejected("ann", halt), ExchangeRejection::UnknownMarket.into());
}

#[test]
fn the_names_of_markets_are_those_of_their_pairs() {
    assert_eq!(shop().to_string(), "SHOP-POP");
    assert_eq!("SHOP-POP".parse(), Ok(shop()));
    for bad in ["SHOP", "POP-SHOP", "shop-POP", "SHOP-", "SHOP-POP-POP", "SHOP-pop"] {
        assert!(bad.parse::<MarketId>().is_err(), "{bad}");
    }
    assert_eq!(serde_json::to_string(&shop()).unwrap(), "\"SHOP-POP\"");
    assert_eq!(serde_json::from_str::<MarketId>("\"SHOP-POP\"").unwrap(), shop());
    let bytes = postcard::to_allocvec(&shop()).unwrap();
    assert_eq!(bytes, b"\x04SHOP\x00");
    assert_eq!(postcard::from_bytes::<MarketId>(&bytes).unwrap(), shop());
}

#[test]
fn a_market_keeps_count() {
    let mut world = world();
    world.resting("sam", sell(100, 30));
    world.place("bea", buy(100, 10));
    world.place("bea", buy(105, 20));
    let row = world.ledger.market(&shop()).unwrap();
    assert_eq!((row.orders, row.fills, row.last_price, row.volume), (3, 2, Some(amount(100)), 30));
    assert_eq!(world.ledger.book(&shop(), OrderSide::Sell).count(), 0);
}
