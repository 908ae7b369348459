use ledger::{
    Amount, AssetId, Decimals, EventKind, Memo, MoneyRejection, PaymentOp, Supply, TokenEvent, TokenId,
    TokenName, TokenOp, TokenRejection,
};

use crate::world::{World, address, amount};

pub(crate) fn token(symbol: &str) -> TokenId {
    TokenId::new(symbol).unwrap()
}

pub(crate) fn create(symbol: &str, cap: Option<u64>) -> TokenOp {
    TokenOp::Create {
        token: token(symbol),
        name: TokenName::new("Shop shares").unwrap(),
        decimals: Decimals::new(0).unwrap(),
        cap: cap.map(Amount::new),
    }
}

pub(crate) fn mint(symbol: &str, to: &str, units: u64) -> TokenOp {
    TokenOp::Mint { token: token(symbol), to: address(to), amount: amount(units) }
}

fn burn(symbol: &str, units: u64) -> TokenOp {
    TokenOp::Burn { token: token(symbol), amount: amount(units) }
}

fn transfer(symbol: &str, to: &str, units: u64) -> TokenOp {
    TokenOp::Transfer { token: token(symbol), to: address(to), amount: amount(units) }
}

fn approve(symbol: &str, spender: &str, from: u64, to: u64) -> TokenOp {
    TokenOp::Approve { token: token(symbol), spender: address(spender), from: amount(from), to: amount(to) }
}

fn transfer_from(symbol: &str, owner: &str, to: &str, units: u64) -> TokenOp {
    let (owner, to) = (address(owner), address(to));
    TokenOp::TransferFrom { token: token(symbol), owner, to, amount: amount(units) }
}

fn hand_over(symbol: &str, to: &str) -> TokenOp {
    TokenOp::HandOver { token: token(symbol), to: address(to) }
}

/// A world in which sam has issued 100 shares to himself.
fn with_shares() -> World {
    let mut world = World::new();
    world.ok("sam", create("SHOP", None));
    world.ok("sam", mint("SHOP", "sam", 100));
    world
}

#[test]
fn a_symbol_is_given_once() {
    let mut world = World::new();
    let sent = world.ok("sam", create("SHOP", Some(7)));
    let created = TokenEvent::Created {
        token: token("SHOP"),
        issuer: address("sam"),
        name: TokenName::new("Shop shares").unwrap(),
        decimals: Decimals::new(0).unwrap(),
        cap: Some(amount(7)),
        at: world.now,
    };
    assert_eq!(sent.events, [EventKind::Token(created)]);
    let row = world.ledger.token(&token("SHOP")).unwrap();
    assert_eq!((row.issuer, row.cap, row.created_at), (address("sam"), Some(amount(7)), world.now));
    for who in ["sam", "eve"] {
        assert_eq!(world.rejected(who, create("SHOP", None)), TokenRejection::SymbolTaken.into());
    }
    assert_eq!(world.ledger.supply(token("SHOP").into()), Supply::default());
}

#[test]
fn only_the_issuer_makes_more_and_only_up_to_the_cap() {
    let mut world = World::new();
    assert_eq!(world.rejected("sam", mint("SHOP", "sam", 1)), TokenRejection::UnknownToken.into());
    world.ok("sam", create("SHOP", Some(100)));
    assert_eq!(world.rejected("eve", mint("SHOP", "eve", 1)), TokenRejection::NotIssuer.into());
    assert_eq!(world.rejected("ann", mint("SHOP", "ann", 1)), TokenRejection::NotIssuer.into());
    assert_eq!(world.rejected("sam", mint("SHOP", "sam", 0)), TokenRejection::ZeroAmount.into());
    assert_eq!(world.rejected("sam", mint("SHOP", "nobody", 1)), TokenRejection::UnknownAccount.into());
    world.ok("sam", mint("SHOP", "bea", 60));
    let too_much = TokenRejection::CapExceeded { cap: amount(100), supply: amount(60) };
    assert_eq!(world.rejected("sam", mint("SHOP", "sam", 41)), too_much.into());
    assert_eq!(world.rejected("sam", mint("SHOP", "sam", u64::MAX)), too_much.into());
    world.ok("sam", mint("SHOP", "sam", 40));
    // What is destroyed can be made again: the cap is of what there is at one time.
    world.ok("bea", burn("SHOP", 10));
    world.ok("sam", mint("SHOP", "sam", 10));
    assert_eq!(world.rejected("sam", mint("SHOP", "sam", 1)).code(), "CAP_EXCEEDED");
    let supply = world.ledger.supply(token("SHOP").into());
    assert_eq!((supply.minted, supply.burned, supply.circulating()), (amount(110), amount(10), amount(100)));
    assert_eq!((world.tokens("bea", token("SHOP")), world.tokens("sam", token("SHOP"))), ((50, 0), (50, 0)));
}

#[test]
fn there_is_never_more_than_can_be_counted() {
    let mut world = World::new();
    world.ok("sam", create("SHOP", None));
    world.ok("sam", mint("SHOP", "sam", u64::MAX));
    let too_much = MoneyRejection::SupplyExceeded { asset: token("SHOP").into() };
    assert_eq!(world.rejected("sam", mint("SHOP", "bea", 1)), too_much.into());
    // Another asset has nothing to do with it.
    world.ok("sam", create("OTHER", None));
    world.ok("sam", mint("OTHER", "sam", u64::MAX));
}

#[test]
fn only_what_one_has_is_destroyed_or_given() {
    let mut world = with_shares();
    let too_little = MoneyRejection::InsufficientFunds { asset: token("SHOP").into() };
    assert_eq!(world.rejected("bea", burn("SHOP", 1)), too_little.into());
    assert_eq!(world.rejected("sam", transfer("SHOP", "bea", 101)), too_little.into());
    for op in [burn("NONE", 1), transfer("NONE", "bea", 1)] {
        assert_eq!(world.rejected("sam", op), TokenRejection::UnknownToken.into());
    }
    for op in [burn("SHOP", 0), transfer("SHOP", "bea", 0)] {
        assert_eq!(world.rejected("sam", op), TokenRejection::ZeroAmount.into());
    }
    assert_eq!(world.rejected("sam", transfer("SHOP", "sam", 1)), TokenRejection::SameAccount.into());
    assert_eq!(world.rejected("sam", transfer("SHOP", "nobody", 1)), TokenRejection::UnknownAccount.into());
    let sent = world.ok("sam", transfer("SHOP", "bea", 100));
    let moved = TokenEvent::Transferred {
        token: token("SHOP"),
        from: address("sam"),
        to: address("bea"),
        amount: amount(100),
        spender: None,
        at: world.now,
    };
    assert_eq!(sent.events.last(), Some(&EventKind::Token(moved)));
    assert_eq!((world.tokens("sam", token("SHOP")), world.tokens("bea", token("SHOP"))), ((0, 0), (100, 0)));
}

#[test]
fn an_allowance_changes_only_if_it_is_what_the_owner_takes_it_for() {
    let mut world = with_shares();
    world.ok("sam", approve("SHOP", "bea", 0, 30));
    world.ok("bea", transfer_from("SHOP", "sam", "eve", 30));
    // The owner wanted to lower it to 10 and was too late: bea cannot have 30 and 10.
    let changed = TokenRejection::AllowanceChanged { current: amount(0) };
    assert_eq!(world.rejected("sam", approve("SHOP", "bea", 30, 10)), changed.into());
    let too_small = TokenRejection::AllowanceTooSmall { allowed: amount(0) };
    assert_eq!(world.rejected("bea", transfer_from("SHOP", "sam", "bea", 1)), too_small.into());
    world.ok("sam", approve("SHOP", "bea", 0, 10));
    let sent = world.ok("bea", transfer_from("SHOP", "sam", "bea", 4));
    let spent = TokenEvent::Transferred {
        token: token("SHOP"),
        from: address("sam"),
        to: address("bea"),
        amount: amount(4),
        spender: Some(address("bea")),
        at: world.now,
    };
    assert_eq!(sent.events.last(), Some(&EventKind::Token(spent)));
    let allowance = |who| world.ledger.allowance(&address("sam"), &address(who), token("SHOP"));
    assert_eq!((allowance("bea"), allowance("eve")), (amount(6), amount(0)));
    let have = ["sam", "bea", "eve"].map(|who| world.tokens(who, token("SHOP")).0);
    assert_eq!(have, [66, 4, 30]);
}

#[test]
fn an_allowance_is_no_money() {
    let mut world = with_shares();
    world.ok("sam", approve("SHOP", "bea", 0, u64::MAX));
    let rejection = world.rejected("bea", transfer_from("SHOP", "sam", "bea", 101));
    assert_eq!(rejection.code(), "INSUFFICIENT_FUNDS");
    let allowance = world.ledger.allowance(&address("sam"), &address("bea"), token("SHOP"));
    assert_eq!(allowance, Amount::MAX, "a transfer that failed costs nothing");
    assert_eq!(world.rejected("sam", approve("SHOP", "sam", 0, 1)), TokenRejection::SameAccount.into());
    assert_eq!(world.rejected("sam", approve("SHOP", "nobody", 0, 1)), TokenRejection::UnknownAccount.into());
    assert_eq!(world.rejected("sam", approve("NONE", "bea", 0, 1)), TokenRejection::UnknownToken.into());
}

#[test]
fn the_issuer_hands_over_for_good() {
    let mut world = with_shares();
    assert_eq!(world.rejected("eve", hand_over("SHOP", "eve")), TokenRejection::NotIssuer.into());
    assert_eq!(world.rejected("sam", hand_over("SHOP", "sam")), TokenRejection::SameAccount.into());
    assert_eq!(world.rejected("sam", hand_over("SHOP", "nobody")), TokenRejection::UnknownAccount.into());
    world.ok("sam", hand_over("SHOP", "bea"));
    assert_eq!(world.rejected("sam", mint("SHOP", "sam", 1)), TokenRejection::NotIssuer.into());
    world.ok("bea", mint("SHOP", "eve", 1));
    assert_eq!(world.tokens("sam", token("SHOP")), (100, 0), "what the old issuer has stays");
}

#[test]
fn payments_are_made_in_tokens_too() {
    let mut world = with_shares();
    let asset = AssetId::from(token("SHOP"));
    let memo = Memo::new("").unwrap();
    let pay = |units| PaymentOp::Pay {
        to: address("bea"),
        asset,
        amount: amount(units),
        reference: None,
        memo: memo.clone(),
    };
    world.ok("sam", pay(40));
    assert_eq!(world.tokens("bea", token("SHOP")), (40, 0));
    assert_eq!(world.rejected("sam", pay(61)).code(), "INSUFFICIENT_FUNDS");
    let of_sam = |after| -> Vec<AssetId> {
        world.ledger.balances(&address("sam"), after).map(|(asset, _)| asset).collect()
    };
    let all = of_sam(None);
    for (place, asset) in all.iter().enumerate() {
        assert_eq!(of_sam(Some(*asset)), all[place + 1..], "after {asset}");
    }
    assert_eq!(all, [AssetId::Pop, asset]);
}
