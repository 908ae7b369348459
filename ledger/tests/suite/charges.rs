use ledger::{
    Approver, AssetId, ChargeEvent, ChargeOp, ChargeRejection, ChargeStatus, EventKind, Memo, MoneyRejection,
    Reason,
};

use crate::world::{COINS, World, address, amount, charge_id, unknown};

fn request(units: u64) -> ChargeOp {
    ChargeOp::Request { amount: amount(units), memo: Memo::new("deposit 17").unwrap() }
}

fn reason() -> Reason {
    Reason::new("no deposit came in").unwrap()
}

#[test]
fn an_approved_charge_is_minted() {
    let mut world = World::new();
    let requested = world.ok("bea", request(500));
    let charge = charge_id(&requested);
    let event = ChargeEvent::Requested {
        charge,
        requester: address("bea"),
        amount: amount(500),
        memo: Memo::new("deposit 17").unwrap(),
        at: world.now,
    };
    assert_eq!(requested.events, [EventKind::Charge(event)]);
    assert_eq!(world.funds("bea"), (COINS, 0));

    let minted = world.ledger.supply(AssetId::Pop).minted;
    let approved = world.ok("ann", ChargeOp::Approve { charge });
    assert_eq!(world.funds("bea"), (COINS + 500, 0));
    assert_eq!(world.ledger.supply(AssetId::Pop).minted.value(), minted.value() + 500);
    assert_eq!(world.ledger.account(&address("bea")).unwrap().charge_count, 1);
    let by = Approver::Admin(address("ann"));
    let status = ChargeStatus::Approved { by, at: world.now };
    assert_eq!(world.ledger.charge(&charge).unwrap().status, status);
    let event = ChargeEvent::Approved {
        charge,
        requester: address("bea"),
        amount: amount(500),
        by,
        charge_count: 1,
        points: 10,
        at: world.now,
    };
    assert_eq!(approved.events.last(), Some(&EventKind::Charge(event)));

    for again in [ChargeOp::Approve { charge }, ChargeOp::Reject { charge, reason: reason() }] {
        assert_eq!(world.rejected("ben", again), ChargeRejection::AlreadyDecided { status }.into());
    }
}

#[test]
fn a_rejected_charge_mints_nothing_for_good() {
    let mut world = World::new();
    let charge = charge_id(&world.ok("bea", request(500)));
    world.ok("ann", ChargeOp::Reject { charge, reason: reason() });
    let status = ChargeStatus::Rejected { by: address("ann"), at: world.now };
    assert_eq!(world.ledger.charge(&charge).unwrap().status, status);
    let approve = ChargeOp::Approve { charge };
    assert_eq!(world.rejected("ben", approve), ChargeRejection::AlreadyDecided { status }.into());
    assert_eq!(world.funds("bea"), (COINS, 0));
    assert_eq!(world.ledger.account(&address("bea")).unwrap().charge_count, 0);
}

#[test]
fn only_another_admin_decides() {
    let mut world = World::new();
    let of_member = charge_id(&world.ok("bea", request(5)));
    let of_admin = charge_id(&world.ok("ann", request(5)));
    for who in ["bea", "eve"] {
        for op in [
            ChargeOp::Approve { charge: of_member },
            ChargeOp::Reject { charge: of_member, reason: reason() },
        ] {
            assert_eq!(world.rejected(who, op), ChargeRejection::NotAdmin.into());
        }
    }
    for op in
        [ChargeOp::Approve { charge: of_admin }, ChargeOp::Reject { charge: of_admin, reason: reason() }]
    {
        assert_eq!(world.rejected("ann", op), ChargeRejection::OwnCharge.into());
    }
    world.ok("ben", ChargeOp::Approve { charge: of_admin });
    assert_eq!(world.funds("ann"), (5, 0));
}

#[test]
fn charges_have_an_amount_and_exist() {
    let mut world = World::new();
    assert_eq!(world.rejected("bea", request(0)), ChargeRejection::ZeroAmount.into());
    let approve = ChargeOp::Approve { charge: unknown() };
    assert_eq!(world.rejected("ann", approve), ChargeRejection::UnknownCharge.into());
}

#[test]
fn the_supply_can_always_be_counted() {
    let mut world = World::new();
    let too_much = charge_id(&world.ok("bea", request(u64::MAX)));
    world.ok("ann", ChargeOp::Approve { charge: too_much });
    let rejection = world.rejected("ben", ChargeOp::Approve { charge: too_much });
    assert_eq!(rejection, MoneyRejection::SupplyExceeded { asset: AssetId::Pop }.into());
    let the_rest = u64::MAX - world.ledger.supply(AssetId::Pop).minted.value();
    let charge = charge_id(&world.ok("bea", request(the_rest)));
    world.ok("ann", ChargeOp::Approve { charge });
    world.ok("ben", ChargeOp::Approve { charge });
    assert_eq!(world.funds("bea"), (COINS + the_rest, 0));
    let one_more = charge_id(&world.ok("bea", request(1)));
    let rejection = world.rejected("ann", ChargeOp::Approve { charge: one_more });
    assert_eq!(rejection.code(), "SUPPLY_EXCEEDED");
}
