use ledger::{
    AccountOp, AccountRejection, AssetId, EventKind, Memo, Reason, WithdrawalEvent, WithdrawalId,
    WithdrawalOp, WithdrawalRejection, WithdrawalStatus,
};

use crate::world::{COINS, Sent, World, address, amount, unknown};

fn request(units: u64) -> WithdrawalOp {
    WithdrawalOp::Request { amount: amount(units), memo: Memo::new("account 12-34").unwrap() }
}

fn void(withdrawal: WithdrawalId) -> WithdrawalOp {
    WithdrawalOp::Void { withdrawal, reason: Reason::new("no such account").unwrap() }
}

fn take_out(world: &mut World, who: &str, units: u64) -> WithdrawalId {
    WithdrawalId::from(world.ok(who, request(units)).id)
}

fn last(sent: &Sent) -> &EventKind {
    sent.events.last().unwrap()
}

#[test]
fn the_money_is_held_and_burned_when_it_is_settled() {
    let mut world = World::new();
    let sent = world.ok("bea", request(300));
    let withdrawal = WithdrawalId::from(sent.id);
    let (owner, units) = (address("bea"), amount(300));
    let memo = Memo::new("account 12-34").unwrap();
    let event = WithdrawalEvent::Requested { withdrawal, owner, amount: units, memo, at: world.now };
    assert_eq!(last(&sent), &EventKind::Withdrawal(event));
    assert_eq!(world.funds("bea"), (COINS - 300, 300));

    let burned = world.ledger.supply(AssetId::Pop).burned.value();
    let sent = world.ok("ann", WithdrawalOp::Settle { withdrawal });
    let (by, at) = (address("ann"), world.now);
    let event = WithdrawalEvent::Settled { withdrawal, owner, amount: units, by, at };
    assert_eq!(last(&sent), &EventKind::Withdrawal(event));
    assert_eq!(world.funds("bea"), (COINS - 300, 0));
    assert_eq!(world.ledger.supply(AssetId::Pop).burned.value(), burned + 300);
    let status = WithdrawalStatus::Settled { by, at };
    assert_eq!(world.ledger.withdrawal(&withdrawal).unwrap().status, status);
    for (who, op) in [("ben", WithdrawalOp::Settle { withdrawal }), ("bea", void(withdrawal))] {
        assert_eq!(world.rejected(who, op), WithdrawalRejection::AlreadyDecided { status }.into());
    }
}

#[test]
fn the_owner_or_an_admin_voids_it_and_the_money_is_back() {
    let mut world = World::new();
    for who in ["bea", "ann"] {
        let withdrawal = take_out(&mut world, "bea", 300);
        let sent = world.ok(who, void(withdrawal));
        let WithdrawalOp::Void { reason, .. } = void(withdrawal) else { unreachable!() };
        let (by, at) = (address(who), world.now);
        let (owner, amount) = (address("bea"), amount(300));
        let event = WithdrawalEvent::Voided { withdrawal, owner, amount, by, reason, at };
        assert_eq!(last(&sent), &EventKind::Withdrawal(event));
        assert_eq!(world.funds("bea"), (COINS, 0));
        let settle = world.rejected("ben", WithdrawalOp::Settle { withdrawal });
        assert_eq!(settle.code(), "WITHDRAWAL_ALREADY_DECIDED");
    }
    assert_eq!(world.ledger.supply(AssetId::Pop).burned.value(), 0);
}

#[test]
fn only_another_admin_settles_and_no_stranger_voids() {
    let mut world = World::new();
    let withdrawal = take_out(&mut world, "bea", 300);
    for who in ["bea", "eve"] {
        let rejection = world.rejected(who, WithdrawalOp::Settle { withdrawal });
        assert_eq!(rejection, WithdrawalRejection::NotAdmin.into());
    }
    assert_eq!(world.rejected("eve", void(withdrawal)), WithdrawalRejection::NotOwner.into());
    world.ok("bea", crate::world::paying("ann", 50));
    let own = take_out(&mut world, "ann", 50);
    let rejection = world.rejected("ann", WithdrawalOp::Settle { withdrawal: own });
    assert_eq!(rejection, WithdrawalRejection::OwnWithdrawal.into());
    world.ok("ben", WithdrawalOp::Settle { withdrawal: own });
}

#[test]
fn only_what_is_available_is_taken_out() {
    let mut world = World::new();
    assert_eq!(world.rejected("bea", request(0)), WithdrawalRejection::ZeroAmount.into());
    assert_eq!(world.rejected("bea", request(COINS + 1)).code(), "INSUFFICIENT_FUNDS");
    take_out(&mut world, "bea", COINS);
    assert_eq!(world.rejected("bea", request(1)).code(), "INSUFFICIENT_FUNDS");
    let settle = world.rejected("ann", WithdrawalOp::Settle { withdrawal: unknown() });
    assert_eq!(settle, WithdrawalRejection::UnknownWithdrawal.into());
    assert_eq!(world.rejected("ann", void(unknown())), WithdrawalRejection::UnknownWithdrawal.into());
}

#[test]
fn nothing_is_paid_out_of_a_frozen_account() {
    let mut world = World::new();
    let withdrawal = take_out(&mut world, "bea", 300);
    let reason = Reason::new("stolen key").unwrap();
    world.ok("ann", AccountOp::Freeze { account: address("bea"), reason });
    let settle = world.rejected("ben", WithdrawalOp::Settle { withdrawal });
    assert_eq!(settle, AccountRejection::Frozen.into());
    world.ok("ben", void(withdrawal));
    assert_eq!(world.rejected("bea", request(1)), AccountRejection::Frozen.into());
    assert_eq!(world.funds("bea"), (COINS, 0));
}
