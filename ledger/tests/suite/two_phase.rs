//! Payments in two steps: held, then taken, given up or given back.

use ledger::{
    AssetId, Cause, EventKind, Memo, ObjectId, Outcome, PaymentEvent, PaymentId, PaymentOp, PaymentRejection,
    PaymentStatus, Reference, TxOutcome, UnixMillis, VoidedBy,
};

use crate::world::{COINS, DAY, HOUR, Sent, World, address, amount, unknown};

fn authorize(units: u64, until: UnixMillis) -> PaymentOp {
    PaymentOp::Authorize {
        to: address("sam"),
        asset: AssetId::Pop,
        amount: amount(units),
        reference: None,
        memo: Memo::default(),
        until,
    }
}

fn later(world: &World, span: u64) -> UnixMillis {
    UnixMillis::new(world.now.value() + span)
}

/// Bea's 1,000 are held for sam, for an hour.
fn held() -> (World, PaymentId) {
    let mut world = World::new();
    let until = later(&world, HOUR);
    let payment = world.ok("bea", authorize(1_000, until)).id.into();
    (world, payment)
}

fn capture(payment: PaymentId, units: u64) -> PaymentOp {
    PaymentOp::Capture { payment, amount: amount(units) }
}

fn refund(payment: PaymentId, units: u64) -> PaymentOp {
    PaymentOp::Refund { payment, amount: amount(units) }
}

fn status(world: &World, payment: PaymentId) -> PaymentStatus {
    world.ledger.payment(&payment).unwrap().status
}

fn paid(paid: u64, refunded: u64) -> PaymentStatus {
    PaymentStatus::Paid { paid: amount(paid), refunded: amount(refunded) }
}

fn last_event(sent: &Sent) -> &PaymentEvent {
    match sent.events.last() {
        Some(EventKind::Payment(event)) => event,
        other => panic!("not about a payment: {other:?}"),
    }
}

#[test]
fn authorized_money_is_held_and_nobody_has_it() {
    let (world, payment) = held();
    assert_eq!((world.funds("bea"), world.funds("sam")), ((COINS - 1_000, 1_000), (COINS, 0)));
    let row = world.ledger.payment(&payment).unwrap();
    assert_eq!((row.payer, row.payee, row.amount), (address("bea"), address("sam"), amount(1_000)));
    let until = UnixMillis::new(crate::world::START.value() + HOUR);
    assert_eq!(row.status, PaymentStatus::Authorized { until });
    assert_eq!(world.ledger.next_deadline(), Some(until));
}

#[test]
fn the_payee_takes_all_of_it() {
    let (mut world, payment) = held();
    world.ok("sam", capture(payment, 1_000));
    assert_eq!((world.funds("bea"), world.funds("sam")), ((COINS - 1_000, 0), (COINS + 1_000, 0)));
    assert_eq!((status(&world, payment), world.ledger.next_deadline()), (paid(1_000, 0), None));
}

#[test]
fn the_rest_of_what_is_taken_goes_back_at_once() {
    let (mut world, payment) = held();
    let sent = world.ok("sam", capture(payment, 300));
    assert_eq!((world.funds("bea"), world.funds("sam")), ((COINS - 300, 0), (COINS + 300, 0)));
    let expected = PaymentEvent::Captured {
        payment,
        from: address("bea"),
        to: address("sam"),
        asset: AssetId::Pop,
        amount: amount(300),
        returned: amount(700),
        at: world.now,
    };
    assert_eq!(*last_event(&sent), expected);
    let again = world.rejected("sam", capture(payment, 300));
    assert_eq!(again, PaymentRejection::WrongStatus { status: paid(300, 0) }.into());
}

#[test]
fn the_payee_takes_no_more_than_is_held_and_not_nothing() {
    let (mut world, payment) = held();
    let too_large = PaymentRejection::CaptureTooLarge { authorized: amount(1_000) };
    assert_eq!(world.rejected("sam", capture(payment, 1_001)), too_large.into());
    assert_eq!(world.rejected("sam", capture(payment, u64::MAX)), too_large.into());
    assert_eq!(world.rejected("sam", capture(payment, 0)), PaymentRejection::ZeroAmount.into());
}

#[test]
fn only_the_payee_moves_a_payment() {
    let (mut world, payment) = held();
    for who in ["bea", "eve", "ann"] {
        for op in [capture(payment, 1), PaymentOp::Void { payment }, refund(payment, 1)] {
            assert_eq!(world.rejected(who, op), PaymentRejection::NotPayee.into());
        }
    }
}

#[test]
fn the_payee_gives_it_up() {
    let (mut world, payment) = held();
    let sent = world.ok("sam", PaymentOp::Void { payment });
    assert_eq!((world.funds("bea"), world.funds("sam")), ((COINS, 0), (COINS, 0)));
    assert!(matches!(last_event(&sent), PaymentEvent::Voided { by: VoidedBy::Payee, .. }));
    assert_eq!(world.ledger.next_deadline(), None);
    for op in [capture(payment, 1), PaymentOp::Void { payment }, refund(payment, 1)] {
        let voided = PaymentRejection::WrongStatus { status: PaymentStatus::Voided };
        assert_eq!(world.rejected("sam", op), voided.into());
    }
}

#[test]
fn it_goes_back_by_itself() {
    let (mut world, payment) = held();
    let until = world.ledger.next_deadline().unwrap();
    assert_eq!(world.wait_until(until.value() - 1).block, None);
    let block = world.wait_until(until.value()).block.unwrap();
    let object = ObjectId::Payment(payment);
    assert_eq!(block.receipts[0].cause, Cause::Deadline { object, due: until });
    assert_eq!((world.funds("bea"), status(&world, payment)), ((COINS, 0), PaymentStatus::Voided));
}

#[test]
fn the_payee_is_too_late_in_the_block_of_the_deadline() {
    let (mut world, payment) = held();
    let until = world.ledger.next_deadline().unwrap();
    let late = world.tx("sam", capture(payment, 1_000));
    let applied = world.apply_at(until, &[late]);
    let TxOutcome::Included { receipt, .. } = &applied.outcomes[0] else { panic!("refused") };
    let Outcome::Rejected(rejection) = &receipt.outcome else { panic!("applied") };
    assert_eq!(rejection.code(), "WRONG_PAYMENT_STATUS");
    assert_eq!(world.funds("sam"), (COINS, 0));
}

#[test]
fn money_is_held_for_some_time_only() {
    let mut world = World::new();
    // A transaction is recorded a second after the block before.
    let now = later(&world, 1_000);
    assert_eq!(world.rejected("bea", authorize(1, now)), PaymentRejection::DeadlinePassed.into());
    let latest = later(&world, 1_000 + 30 * DAY);
    let too_long = PaymentRejection::HoldTooLong { latest };
    assert_eq!(world.rejected("bea", authorize(1, latest.next())), too_long.into());
    assert_eq!(world.rejected("bea", authorize(1, UnixMillis::MAX)).code(), "HOLD_TOO_LONG");
    let latest = later(&world, 1_000 + 30 * DAY);
    world.ok("bea", authorize(1, latest));
}

#[test]
fn held_money_cannot_be_spent_twice() {
    let mut world = World::new();
    let until = later(&world, HOUR);
    world.ok("bea", authorize(COINS - 10, until));
    assert_eq!(world.rejected("bea", authorize(11, until)).code(), "INSUFFICIENT_FUNDS");
    world.ok("bea", authorize(10, until));
    assert_eq!(world.funds("bea"), (0, COINS));
}

fn pay(units: u64) -> PaymentOp {
    let (to, asset, memo) = (address("sam"), AssetId::Pop, Memo::default());
    PaymentOp::Pay { to, asset, amount: amount(units), reference: None, memo }
}

#[test]
fn refunds_never_exceed_what_was_paid() {
    let (mut world, captured) = held();
    world.ok("sam", capture(captured, 300));
    let at_once = world.ok("bea", pay(300)).id.into();
    for payment in [captured, at_once] {
        let before = world.funds("bea").0;
        assert_eq!(world.rejected("sam", refund(payment, 301)).code(), "REFUND_TOO_LARGE");
        assert_eq!(world.rejected("sam", refund(payment, 0)), PaymentRejection::ZeroAmount.into());
        world.ok("sam", refund(payment, 100));
        let sent = world.ok("sam", refund(payment, 150));
        let PaymentEvent::Refunded { amount: given, refunded, .. } = last_event(&sent) else { panic!() };
        assert_eq!((*given, *refunded), (amount(150), amount(250)));
        let too_large = PaymentRejection::RefundTooLarge { refundable: amount(50) };
        assert_eq!(world.rejected("sam", refund(payment, 51)), too_large.into());
        assert_eq!(world.rejected("sam", refund(payment, u64::MAX)), too_large.into());
        world.ok("sam", refund(payment, 50));
        assert_eq!(world.rejected("sam", refund(payment, 1)).code(), "REFUND_TOO_LARGE");
        assert_eq!((world.funds("bea").0, status(&world, payment)), (before + 300, paid(300, 300)));
    }
}

#[test]
fn who_gives_back_must_have_it() {
    let mut world = World::new();
    let payment = world.ok("bea", pay(500)).id.into();
    let to = address("eve");
    let all = PaymentOp::Pay {
        to,
        asset: AssetId::Pop,
        amount: amount(COINS + 400),
        reference: None,
        memo: Memo::default(),
    };
    world.ok("sam", all);
    assert_eq!(world.rejected("sam", refund(payment, 101)).code(), "INSUFFICIENT_FUNDS");
    world.ok("sam", refund(payment, 100));
    assert_eq!(status(&world, payment), paid(500, 100));
}

#[test]
fn a_payment_that_went_back_leaves_its_reference_free() {
    let mut world = World::new();
    let until = later(&world, HOUR);
    let with_reference = || {
        let PaymentOp::Authorize { to, asset, amount, memo, .. } = authorize(7, until) else { panic!() };
        let reference = Some(Reference::new("INV-1").unwrap());
        PaymentOp::Authorize { to, asset, amount, reference, memo, until }
    };
    let first = world.ok("bea", with_reference()).id;
    let used = PaymentRejection::ReferenceUsed { tx: first };
    assert_eq!(world.rejected("eve", with_reference()), used.into());
    world.ok("sam", PaymentOp::Void { payment: first.into() });
    let second = world.ok("eve", with_reference()).id;
    let reference = Reference::new("INV-1").unwrap();
    assert_eq!(world.ledger.payment_by_reference(&address("sam"), &reference), Some(second));
    world.ok("sam", capture(second.into(), 7));
    world.ok("sam", refund(second.into(), 6));
    assert_eq!(world.rejected("bea", with_reference()).code(), "REFERENCE_USED");
    // The payee undoes what somebody else paid under it.
    world.ok("sam", refund(second.into(), 1));
    let third = world.ok("bea", with_reference()).id;
    assert_eq!(world.ledger.payment_by_reference(&address("sam"), &reference), Some(third));
}

#[test]
fn what_does_not_exist_is_not_moved() {
    let mut world = World::new();
    for op in [capture(unknown(), 1), PaymentOp::Void { payment: unknown() }, refund(unknown(), 1)] {
        assert_eq!(world.rejected("sam", op), PaymentRejection::UnknownPayment.into());
    }
}
