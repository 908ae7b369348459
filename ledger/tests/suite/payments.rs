use ledger::{
    AssetId, Balance, EventKind, Memo, MoneyEvent, MoneyRejection, PaymentEvent, PaymentOp, PaymentRejection,
    Reference,
};
use pbft_crypto::Address;

use crate::world::{COINS, World, address, amount};

fn pay(to: Address, units: u64, reference: Option<&str>) -> PaymentOp {
    PaymentOp::Pay {
        to,
        asset: AssetId::Pop,
        amount: amount(units),
        reference: reference.map(|text| Reference::new(text).unwrap()),
        memo: Memo::new("감사합니다").unwrap(),
    }
}

#[test]
fn a_payment_moves_money_at_once() {
    let mut world = World::new();
    let sent = world.ok("bea", pay(address("sam"), 300, None));
    assert_eq!((world.funds("bea"), world.funds("sam")), ((COINS - 300, 0), (COINS + 300, 0)));
    let balance = |available| Balance { available: amount(available), held: amount(0) };
    let moved = |who, after| {
        let (account, before, after) = (address(who), balance(COINS), balance(after));
        EventKind::Money(MoneyEvent::BalanceChanged { account, asset: AssetId::Pop, before, after })
    };
    for expected in [moved("bea", COINS - 300), moved("sam", COINS + 300)] {
        assert!(sent.events.contains(&expected), "{expected:?}");
    }
    let paid = PaymentEvent::Paid {
        tx: sent.id,
        from: address("bea"),
        to: address("sam"),
        asset: AssetId::Pop,
        amount: amount(300),
        reference: None,
        memo: Memo::new("감사합니다").unwrap(),
        at: world.now,
    };
    assert_eq!(sent.events.last(), Some(&EventKind::Payment(paid)));
    assert_eq!(sent.events.len(), 3);
    let all: Vec<_> = world.ledger.balances(&address("sam"), None).collect();
    assert_eq!(all, [(AssetId::Pop, balance(COINS + 300))]);
}

#[test]
fn the_last_coin_can_be_paid_and_not_one_more() {
    let mut world = World::new();
    world.ok("bea", pay(address("sam"), COINS, None));
    let rejection = world.rejected("bea", pay(address("sam"), 1, None));
    assert_eq!(rejection, MoneyRejection::InsufficientFunds { asset: AssetId::Pop }.into());
    assert_eq!(world.rejected("sam", pay(address("bea"), u64::MAX, None)).code(), "INSUFFICIENT_FUNDS");
}

#[test]
fn a_reference_is_paid_once_for_each_payee() {
    let mut world = World::new();
    let first = world.ok("bea", pay(address("sam"), 5, Some("INV-1")));
    let used = PaymentRejection::ReferenceUsed { tx: first.id };
    for who in ["bea", "eve"] {
        assert_eq!(world.rejected(who, pay(address("sam"), 5, Some("INV-1"))), used.into());
    }
    world.ok("bea", pay(address("eve"), 5, Some("INV-1")));
    world.ok("bea", pay(address("sam"), 5, Some("INV-2")));
    let reference = Reference::new("INV-1").unwrap();
    assert_eq!(world.ledger.payment_by_reference(&address("sam"), &reference), Some(first.id));
    assert_eq!(world.ledger.payment_by_reference(&address("bea"), &reference), None);
}

#[test]
fn a_failed_payment_leaves_the_reference_free() {
    let mut world = World::new();
    assert_eq!(world.rejected("bea", pay(address("sam"), COINS + 1, Some("X"))).code(), "INSUFFICIENT_FUNDS");
    world.ok("bea", pay(address("sam"), COINS, Some("X")));
}

#[test]
fn payments_need_an_amount_and_another_account() {
    let mut world = World::new();
    assert_eq!(world.rejected("bea", pay(address("sam"), 0, None)), PaymentRejection::ZeroAmount.into());
    assert_eq!(world.rejected("bea", pay(address("bea"), 1, None)), PaymentRejection::SelfPayment.into());
    assert_eq!(world.rejected("bea", pay(address("nobody"), 1, None)), PaymentRejection::UnknownPayee.into());
}

#[test]
fn money_in_escrow_cannot_be_paid() {
    let mut world = World::new();
    let listing = world.list("sam", COINS - 10);
    world.buy("bea", listing);
    assert_eq!(world.rejected("bea", pay(address("sam"), 11, None)).code(), "INSUFFICIENT_FUNDS");
    world.ok("bea", pay(address("sam"), 10, None));
}
