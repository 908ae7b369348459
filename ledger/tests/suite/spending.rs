//! Limits and freezes.

use ledger::{
    AccountEvent, AccountOp, AccountRejection, Amount, AssetId, Decimals, EventKind, ExchangeOp, Lifetime,
    LimitRaise, MarketId, Memo, NewOrder, OrderSide, PaymentOp, Reason, Rejection, Role, RoleOp, SelfTrade,
    TokenId, TokenName, TokenOp, TradeOp, UnixMillis, WithdrawalOp,
};

use crate::stage::{action, arbiter, trade_in};
use crate::world::{COINS, DAY, World, address, amount, paying};

const POP: AssetId = AssetId::Pop;

fn limit(per_day: Option<u64>) -> AccountOp {
    AccountOp::SetLimit { asset: POP, per_day: per_day.map(Amount::new) }
}

fn freeze(who: &str) -> AccountOp {
    AccountOp::Freeze { account: address(who), reason: Reason::new("looks stolen").unwrap() }
}

fn unfreeze(who: &str) -> AccountOp {
    AccountOp::Unfreeze { account: address(who) }
}

fn exceeded() -> Rejection {
    AccountRejection::LimitExceeded { asset: POP }.into()
}

fn withdraw(units: u64) -> WithdrawalOp {
    WithdrawalOp::Request { amount: amount(units), memo: Memo::default() }
}

#[test]
fn a_limit_holds_for_all_that_leaves_the_account() {
    let mut world = World::new();
    let listing = world.list("sam", 400);
    let sent = world.ok("bea", limit(Some(1_000)));
    let (address, per_day) = (address("bea"), Some(amount(1_000)));
    let event = AccountEvent::LimitSet { address, asset: POP, per_day, raise: None, at: world.now };
    assert_eq!(sent.events, [EventKind::Account(event)]);
    world.ok("bea", paying("sam", 300));
    let trade = world.buy("bea", listing);
    assert_eq!(world.rejected("bea", paying("sam", 301)), exceeded());
    assert_eq!(world.rejected("bea", withdraw(301)), exceeded());
    let dearer = world.list("eve", 301);
    let buying = world.buying(dearer);
    assert_eq!(world.rejected("bea", buying), exceeded());
    // What comes back still counts as spent.
    world.ok("bea", TradeOp::Cancel { trade });
    assert_eq!(world.rejected("bea", paying("sam", 301)), exceeded());
    world.ok("bea", withdraw(300));
    assert_eq!(world.rejected("bea", paying("sam", 1)), exceeded());
    world.ok("sam", paying("bea", 5_000));
}

#[test]
fn what_a_seller_gives_back_counts() {
    let mut world = World::new();
    let listing = world.list("sam", 400);
    let trade = world.buy("bea", listing);
    world.ok("bea", TradeOp::Confirm { trade });
    world.ok("sam", limit(Some(100)));
    world.ok("sam", TradeOp::GiveBack { trade, amount: amount(60) });
    let more = TradeOp::GiveBack { trade, amount: amount(41) };
    assert_eq!(world.rejected("sam", more), exceeded());
}

#[test]
fn what_is_set_aside_and_what_is_refunded_count() {
    let mut world = World::new();
    let hold = |to: &str, units: u64, until: UnixMillis| PaymentOp::Authorize {
        to: address(to),
        asset: POP,
        amount: amount(units),
        reference: None,
        memo: Memo::default(),
        until,
    };
    let until = UnixMillis::new(world.now.value() + DAY);
    world.ok("bea", limit(Some(100)));
    let payment = world.ok("bea", hold("sam", 60, until)).id.into();
    assert_eq!(world.rejected("bea", hold("sam", 41, until)), exceeded());
    world.ok("sam", PaymentOp::Capture { payment, amount: amount(60) });
    world.ok("sam", limit(Some(50)));
    let refund = |units| PaymentOp::Refund { payment, amount: amount(units) };
    world.ok("sam", refund(20));
    assert_eq!(world.rejected("sam", refund(31)), exceeded());
    world.ok("ann", freeze("sam"));
    assert_eq!(world.rejected("sam", refund(1)), AccountRejection::Frozen.into());
}

#[test]
fn tokens_and_orders_count() {
    let mut world = World::new();
    let (base, quote) = (TokenId::new("SHOP").unwrap(), POP);
    let (name, decimals) = (TokenName::new("Shop").unwrap(), Decimals::new(0).unwrap());
    world.ok("sam", TokenOp::Create { token: base, name, decimals, cap: None });
    world.ok("sam", TokenOp::Mint { token: base, to: address("sam"), amount: amount(100) });
    world.ok("sam", ExchangeOp::OpenMarket { base, quote, tick: amount(1), lot: amount(1) });
    let sell = |units: u64| {
        let (market, side) = (MarketId { base, quote }, OrderSide::Sell);
        let (price, quantity) = (Some(amount(7)), amount(units));
        let (lifetime, self_trade) = (Lifetime::UntilCancelled, SelfTrade::CancelNewest);
        ExchangeOp::Place { order: NewOrder { market, side, price, quantity, lifetime, self_trade } }
    };
    let (asset, per_day) = (AssetId::from(base), amount(50));
    world.ok("sam", AccountOp::SetLimit { asset, per_day: Some(per_day) });
    let give = |units| TokenOp::Transfer { token: base, to: address("bea"), amount: amount(units) };
    world.ok("sam", give(20));
    world.ok("sam", sell(10));
    let exceeded: Rejection = AccountRejection::LimitExceeded { asset }.into();
    assert_eq!(world.rejected("sam", give(21)), exceeded);
    assert_eq!(world.rejected("sam", TokenOp::Burn { token: base, amount: amount(21) }), exceeded);
    assert_eq!(world.rejected("sam", sell(21)), exceeded);
    // Nor may somebody else take it, who was allowed to.
    let spender = address("eve");
    world.ok("sam", TokenOp::Approve { token: base, spender, from: amount(0), to: amount(50) });
    let take = TokenOp::TransferFrom { token: base, owner: address("sam"), to: spender, amount: amount(21) };
    assert_eq!(world.rejected("eve", take), exceeded);
    world.ok("ann", freeze("sam"));
    let frozen: Rejection = AccountRejection::Frozen.into();
    assert_eq!(world.rejected("sam", give(1)), frozen);
    assert_eq!(world.rejected("sam", sell(1)), frozen);
}

#[test]
fn each_day_begins_anew() {
    let mut world = World::new();
    world.ok("bea", limit(Some(1_000)));
    world.ok("bea", paying("sam", 1_000));
    let midnight = (world.now.value() / DAY + 1) * DAY;
    world.now = UnixMillis::new(midnight - 2_000);
    assert_eq!(world.rejected("bea", paying("sam", 1)), exceeded());
    world.ok("bea", paying("sam", 1_000));
    assert_eq!(world.now.value(), midnight);
}

#[test]
fn lowering_holds_at_once_and_raising_after_a_day() {
    let mut world = World::new();
    world.ok("bea", limit(Some(1_000)));
    world.ok("bea", limit(Some(400)));
    assert_eq!(world.rejected("bea", paying("sam", 401)), exceeded());
    let sent = world.ok("bea", limit(Some(600)));
    let from = UnixMillis::new(world.now.value() + DAY);
    let raise = Some(LimitRaise { per_day: Some(amount(600)), at: from });
    let (bea, per_day) = (address("bea"), Some(amount(400)));
    let event = AccountEvent::LimitSet { address: bea, asset: POP, per_day, raise, at: world.now };
    assert_eq!(sent.events, [EventKind::Account(event)]);
    assert_eq!(world.rejected("bea", paying("sam", 500)), exceeded());
    let row = *world.ledger.spending_limit(&bea, POP).unwrap();
    let at = |time: u64| row.at(UnixMillis::new(time));
    assert_eq!((at(from.value() - 1), at(from.value())), (Some(amount(400)), Some(amount(600))));
    world.now = UnixMillis::new(from.value() - 1_000);
    world.ok("bea", paying("sam", 500));
    assert_eq!(world.rejected("bea", paying("sam", 101)), exceeded());
}

#[test]
fn taking_a_limit_away_is_raising_it() {
    let mut world = World::new();
    world.ok("bea", limit(Some(0)));
    assert_eq!(world.rejected("bea", paying("sam", 1)), exceeded());
    world.ok("bea", limit(None));
    assert_eq!(world.rejected("bea", paying("sam", 1)), exceeded());
    // Asking for less than that takes the wish back.
    world.ok("bea", limit(Some(0)));
    let row = world.ledger.spending_limit(&address("bea"), POP).unwrap();
    assert_eq!((row.per_day, row.raise), (Some(amount(0)), None));
    world.ok("bea", limit(None));
    world.now = UnixMillis::new(world.now.value() + DAY);
    world.ok("bea", paying("sam", COINS));
    // It has held since, so any limit is lower.
    world.ok("bea", limit(Some(u64::MAX)));
    let row = world.ledger.spending_limit(&address("bea"), POP).unwrap();
    assert_eq!((row.per_day, row.raise), (Some(Amount::MAX), None));
}

#[test]
fn without_a_limit_nothing_is_counted() {
    let mut world = World::new();
    world.ok("bea", paying("sam", 500));
    assert!(world.ledger.spending_limit(&address("bea"), POP).is_none());
    world.ok("bea", limit(Some(100)));
    world.ok("bea", paying("sam", 100));
}

#[test]
fn a_frozen_account_spends_nothing() {
    let mut world = World::new();
    let listing = world.list("sam", 400);
    let sent = world.ok("ann", freeze("bea"));
    let (address, by) = (address("bea"), address("ann"));
    let reason = Reason::new("looks stolen").unwrap();
    let event = AccountEvent::Frozen { address, by, reason, at: world.now };
    assert_eq!(sent.events, [EventKind::Account(event)]);
    assert_eq!(world.ledger.freeze(&address).unwrap().reason.as_str(), "looks stolen");
    let frozen: Rejection = AccountRejection::Frozen.into();
    assert_eq!(world.rejected("bea", paying("sam", 1)), frozen);
    assert_eq!(world.rejected("bea", withdraw(1)), frozen);
    let buying = world.buying(listing);
    assert_eq!(world.rejected("bea", buying.clone()), frozen);
    world.ok("ben", unfreeze("bea"));
    assert!(world.ledger.freeze(&address).is_none());
    world.ok("bea", buying);
}

/// Keys may be stolen that others trust.
#[test]
fn a_frozen_account_uses_no_trust_of_others() {
    let frozen: Rejection = AccountRejection::Frozen.into();
    let mut world = World::new();
    let (token, to) = (TokenId::new("SHOP").unwrap(), address("eve"));
    world.ok("sam", crate::tokens::create("SHOP", None));
    world.ok("sam", crate::tokens::mint("SHOP", "bea", 10));
    world.ok("bea", TokenOp::Approve { token, spender: to, from: amount(0), to: amount(9) });
    let take = TokenOp::TransferFrom { token, owner: address("bea"), to, amount: amount(1) };
    for who in ["eve", "sam"] {
        world.ok("ann", freeze(who));
    }
    assert_eq!(world.rejected("eve", take.clone()), frozen);
    assert_eq!(world.rejected("sam", crate::tokens::create("MORE", None)), frozen);
    assert_eq!(world.rejected("sam", crate::tokens::mint("SHOP", "eve", 1)), frozen);
    assert_eq!(world.rejected("sam", TokenOp::HandOver { token, to }), frozen);
    let open = ExchangeOp::OpenMarket { base: token, quote: POP, tick: amount(1), lot: amount(1) };
    assert_eq!(world.rejected("sam", open.clone()), frozen);
    world.ok("ben", unfreeze("eve"));
    world.ok("eve", take);
    world.ok("ben", unfreeze("sam"));
    world.ok("sam", open);

    let (mut world, trade) = trade_in("DISPUTED");
    let judge = arbiter(&world, trade);
    world.ok("ann", freeze(judge));
    world.ok("ann", freeze("kit"));
    let advice = world.ledger.check_trade(&address(judge), &action("resolve", trade));
    assert_eq!(advice, Err(AccountRejection::Frozen.into()));
    assert_eq!(world.rejected(judge, action("resolve", trade)), frozen);
    assert_eq!(world.rejected("kit", action("attest", trade)), frozen);
    world.ok("ben", unfreeze(judge));
    world.ok(judge, action("resolve", trade));
}

/// Otherwise a thief would have somebody else take it all as soon as the freeze is over, or the day after.
#[test]
fn a_frozen_account_lets_nobody_take_more() {
    let mut world = World::new();
    let (token, spender) = (TokenId::new("SHOP").unwrap(), address("eve"));
    world.ok("sam", crate::tokens::create("SHOP", None));
    let approve = |from, to| TokenOp::Approve { token, spender, from: amount(from), to: amount(to) };
    world.ok("sam", approve(0, 10));
    world.ok("ann", freeze("sam"));
    let check = |world: &World, op: &TokenOp| world.ledger.check_token(&address("sam"), op);
    assert_eq!(check(&world, &approve(10, 11)), Err(AccountRejection::Frozen.into()));
    assert_eq!(world.rejected("sam", approve(10, 11)), AccountRejection::Frozen.into());
    assert_eq!(world.rejected("sam", approve(9, 11)).code(), "ALLOWANCE_CHANGED");
    // What takes it back stays allowed.
    for (from, to) in [(10, 10), (10, 4), (4, 0)] {
        assert_eq!(check(&world, &approve(from, to)), Ok(()));
        world.ok("sam", approve(from, to));
    }
    assert_eq!(world.rejected("sam", approve(0, 1)), AccountRejection::Frozen.into());
    world.ok("ben", unfreeze("sam"));
    world.ok("sam", approve(0, 1));
}

#[test]
fn an_owner_finds_all_allowances() {
    let mut world = World::new();
    let [one, other] = ["SHOP", "ABC"].map(|symbol| TokenId::new(symbol).unwrap());
    world.ok("sam", crate::tokens::create("SHOP", None));
    world.ok("sam", crate::tokens::create("ABC", None));
    for (owner, spender, token, to) in
        [("sam", "eve", one, 5), ("sam", "eve", other, 6), ("sam", "bea", one, 7), ("bea", "sam", one, 8)]
    {
        let (spender, from, to) = (address(spender), amount(0), amount(to));
        world.ok(owner, TokenOp::Approve { token, spender, from, to });
    }
    world.ok("sam", TokenOp::Approve { token: one, spender: address("bea"), from: amount(7), to: amount(0) });
    let mut all = [("bea", one, 0), ("eve", one, 5), ("eve", other, 6)]
        .map(|(who, token, units)| (address(who), token, amount(units)));
    all.sort_unstable();
    let of = |who: &str, after| world.ledger.allowances_of(&address(who), after).collect::<Vec<_>>();
    assert_eq!(of("sam", None), all);
    for (index, (spender, token, _)) in all.into_iter().enumerate() {
        assert_eq!(of("sam", Some((spender, token))), all[index + 1..]);
    }
    assert_eq!(of("bea", None), [(address("sam"), one, amount(8))]);
    assert_eq!(of("eve", None), []);
}

#[test]
fn no_frozen_arbiter_is_drawn() {
    for frozen in ["art", "abe"] {
        let (mut world, trade) = trade_in("SHIPPED");
        world.ok("ann", freeze(frozen));
        world.ok("bea", action("dispute", trade));
        assert_ne!(arbiter(&world, trade), frozen);
    }
}

/// What is held for one certain person goes to that one: nothing comes of it for whoever is frozen.
#[test]
fn a_frozen_buyer_may_say_that_the_goods_came() {
    for frozen in ["bea", "sam"] {
        let (mut world, trade) = trade_in("SHIPPED");
        let (buyer, seller) = (world.funds("bea").0, world.funds("sam").0);
        world.ok("ann", freeze(frozen));
        world.ok("bea", TradeOp::Confirm { trade });
        assert_eq!((world.funds("bea"), world.funds("sam").0 > seller), ((buyer, 0), true));
    }
}

/// A thief may have been made an admin, or an admin's keys stolen after that.
#[test]
fn a_frozen_admin_decides_nothing() {
    let mut world = World::new();
    world.ok("ann", freeze("eve"));
    let change = RoleOp::Propose { account: address("eve"), role: Role::Admin };
    let change = world.ok("ann", AccountOp::Role(change)).id.into();
    world.ok("ben", AccountOp::Role(RoleOp::Approve { change }));
    assert_eq!(world.rejected("eve", freeze("bea")), AccountRejection::NotAdmin.into());
    assert_eq!(world.rejected("ben", freeze("eve")), AccountRejection::AlreadyFrozen.into());
    // Nor is it one of the two that are always left.
    let demote = |who| AccountOp::Role(RoleOp::Propose { account: address(who), role: Role::Member });
    assert_eq!(world.rejected("ann", demote("ben")).code(), "TOO_FEW_ADMINS");
    world.ok("ann", demote("eve"));
    world.ok("ben", unfreeze("eve"));
    world.ok("eve", freeze("bea"));
}

#[test]
fn for_a_frozen_account_all_else_goes_on() {
    let mut world = World::new();
    let listing = world.list("sam", 400);
    let bought = world.buy("bea", listing);
    world.ok("sam", TradeOp::Accept { trade: bought });
    let listing = world.list("bea", 700);
    let sold = world.buy("eve", listing);
    world.ok("ann", freeze("bea"));
    world.ok("eve", paying("bea", 50));
    world.ok("eve", TradeOp::Confirm { trade: sold });
    assert_eq!(world.funds("bea"), (COINS - 400 + 50 + 700 - 17, 400));
    let due = world.ledger.trade(&bought).unwrap().deadline.unwrap().at;
    world.wait_until(due.value());
    assert_eq!(world.funds("bea"), (COINS + 733, 0), "the seller did not ship in time");
    world.ok("bea", limit(Some(5)));
}

#[test]
fn admins_freeze_others_and_another_one_lifts_it() {
    let mut world = World::new();
    assert_eq!(world.rejected("eve", freeze("bea")), AccountRejection::NotAdmin.into());
    for op in [freeze("nobody"), unfreeze("nobody")] {
        assert_eq!(world.rejected("ann", op), AccountRejection::UnknownAccount.into());
    }
    for admin in ["ann", "ben"] {
        assert_eq!(world.rejected("ann", freeze(admin)), AccountRejection::AdminAccount.into());
    }
    assert_eq!(world.rejected("ann", unfreeze("bea")), AccountRejection::NotFrozen.into());
    world.ok("ann", freeze("bea"));
    for admin in ["ann", "ben"] {
        assert_eq!(world.rejected(admin, freeze("bea")), AccountRejection::AlreadyFrozen.into());
    }
    assert_eq!(world.rejected("bea", unfreeze("bea")), AccountRejection::NotAdmin.into());
    assert_eq!(world.rejected("ann", unfreeze("bea")), AccountRejection::OwnFreeze.into());
    let sent = world.ok("ben", unfreeze("bea"));
    let (address, by) = (address("bea"), address("ben"));
    assert_eq!(sent.events, [EventKind::Account(AccountEvent::Unfrozen { address, by, at: world.now })]);
    assert_eq!(world.rejected("ben", unfreeze("bea")), AccountRejection::NotFrozen.into());
    world.ok("ben", freeze("bea"));
    world.ok("ann", unfreeze("bea"));
}

#[test]
fn whoever_asks_is_told_what_may_be_spent() {
    let mut world = World::new();
    let check = |world: &World, who: &str, units: u64| {
        world.ledger.check_spending(&address(who), POP, amount(units), world.now)
    };
    world.ok("bea", limit(Some(10)));
    assert_eq!(check(&world, "bea", 10), Ok(()));
    assert_eq!(check(&world, "bea", 11).map_err(Rejection::from), Err(exceeded()));
    assert_eq!(check(&world, "sam", u64::MAX), Ok(()));
    world.ok("ann", freeze("sam"));
    assert_eq!(check(&world, "sam", 1), Err(AccountRejection::Frozen));
}
