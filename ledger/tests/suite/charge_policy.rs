//! Two admins for large charges, automatic approval, and loyalty points.

use ledger::{
    AccountOp, Approver, ChargeEvent, ChargeId, ChargeOp, ChargeParams, ChargePolicy, ChargeRejection,
    ChargeRules, ChargeStatus, EventKind, Memo, PolicyProposalId, Reason, Role, RoleOp,
};

use crate::world::{COINS, DAY, World, address, amount, charge_id, unknown};

const LIMIT: u64 = ChargeParams::STANDARD.two_admins_above.value();
const OF_ONE: u64 = ChargeParams::STANDARD.one_admin_per_day.value();

fn request(units: u64) -> ChargeOp {
    ChargeOp::Request { amount: amount(units), memo: Memo::default() }
}

fn reason() -> Reason {
    Reason::new("too generous").unwrap()
}

fn policy(per_charge: u64, per_day: u64, min_charges: u64) -> ChargePolicy {
    let all_per_day = amount(u64::MAX);
    ChargePolicy { per_charge: amount(per_charge), per_day: amount(per_day), all_per_day, min_charges }
}

fn charge(world: &mut World, who: &str, units: u64) -> ChargeId {
    charge_id(&world.ok(who, request(units)))
}

fn propose(world: &mut World, policy: Option<ChargePolicy>) -> PolicyProposalId {
    PolicyProposalId::from(world.ok("ann", ChargeOp::ProposePolicy { policy }).id)
}

/// Two admins put a policy into force.
fn with_policy(terms: ChargePolicy) -> World {
    let mut world = World::new();
    let proposal = propose(&mut world, Some(terms));
    world.ok("ben", ChargeOp::ApprovePolicy { proposal });
    world
}

fn code(world: &World, charge: ChargeId) -> &'static str {
    world.ledger.charge(&charge).unwrap().status.code()
}

#[test]
fn a_large_charge_takes_two_admins() {
    let mut world = World::new();
    let small = charge(&mut world, "bea", LIMIT);
    world.ok("ann", ChargeOp::Approve { charge: small });
    assert_eq!(world.funds("bea"), (COINS + LIMIT, 0));

    let large = charge(&mut world, "bea", LIMIT + 1);
    let sent = world.ok("ann", ChargeOp::Approve { charge: large });
    let event = ChargeEvent::ApprovedOnce {
        charge: large,
        requester: address("bea"),
        amount: amount(LIMIT + 1),
        by: address("ann"),
        at: world.now,
    };
    assert_eq!(sent.events, [EventKind::Charge(event)]);
    assert_eq!((code(&world, large), world.funds("bea")), ("REQUESTED", (COINS + LIMIT, 0)));
    let again = world.rejected("ann", ChargeOp::Approve { charge: large });
    assert_eq!(again, ChargeRejection::AlreadyApproved.into());
    world.ok("ben", ChargeOp::Approve { charge: large });
    assert_eq!(world.funds("bea"), (COINS + 2 * LIMIT + 1, 0));
    let row = world.ledger.charge(&large).unwrap();
    assert_eq!(row.first_approval, Some(address("ann")));
    let by = Approver::Admin(address("ben"));
    assert_eq!(row.status, ChargeStatus::Approved { by, at: world.now });
}

#[test]
fn one_admin_turns_a_large_charge_down_even_after_approving_it() {
    let mut world = World::new();
    for (first, then) in [("ann", "ben"), ("ann", "ann")] {
        let large = charge(&mut world, "bea", LIMIT + 1);
        world.ok(first, ChargeOp::Approve { charge: large });
        world.ok(then, ChargeOp::Reject { charge: large, reason: reason() });
        let rejection = world.rejected("ben", ChargeOp::Approve { charge: large });
        assert_eq!(rejection.code(), "CHARGE_ALREADY_DECIDED");
    }
    assert_eq!(world.funds("bea"), (COINS, 0));
}

/// Just before the next day, UTC.
fn at_the_end_of_the_day(world: &mut World) {
    let midnight = (world.now.value() / DAY + 1) * DAY;
    world.now = ledger::UnixMillis::new(midnight - 1_000);
}

/// Asks, and says what comes of it if one admin approves.
fn approved_by(world: &mut World, admin: &str, who: &str, units: u64) -> &'static str {
    let asked = charge(world, who, units);
    world.ok(admin, ChargeOp::Approve { charge: asked });
    code(world, asked)
}

#[test]
fn many_small_charges_are_worth_a_large_one() {
    let mut world = World::new();
    for (admin, units) in [("ann", LIMIT - 10), ("ben", 7), ("ann", 3)] {
        assert_eq!(approved_by(&mut world, admin, "bea", units), "APPROVED");
    }
    let half = charge(&mut world, "bea", 1);
    world.ok("ann", ChargeOp::Approve { charge: half });
    assert_eq!(code(&world, half), "REQUESTED", "whichever admin approved the others");
    world.ok("ben", ChargeOp::Approve { charge: half });
    assert_eq!(world.funds("bea"), (COINS + LIMIT + 1, 0));
    // What two have approved does not count, and others have sums of their own.
    let row = world.ledger.sole_approvals(&address("bea"));
    assert_eq!((row.received.amount, row.given.amount), (amount(LIMIT), amount(0)));
    assert_eq!(world.ledger.sole_approvals(&address("ben")).given.amount, amount(7));
    assert_eq!(approved_by(&mut world, "ann", "sam", LIMIT), "APPROVED");
    at_the_end_of_the_day(&mut world);
    let next_day = charge(&mut world, "bea", LIMIT);
    world.ok("ann", ChargeOp::Approve { charge: next_day });
    assert_eq!(code(&world, next_day), "APPROVED");
}

#[test]
fn one_admin_does_not_charge_many_accounts_alone_without_end() {
    let mut world = World::new();
    for n in 0..OF_ONE / LIMIT {
        let who = format!("member{n}");
        world.register(&who);
        assert_eq!(approved_by(&mut world, "ann", &who, LIMIT), "APPROVED");
    }
    let next = charge(&mut world, "sam", 1);
    world.ok("ann", ChargeOp::Approve { charge: next });
    assert_eq!(code(&world, next), "REQUESTED");
    assert_eq!(approved_by(&mut world, "ben", "eve", 1), "APPROVED", "the other one has approved nothing");
    at_the_end_of_the_day(&mut world);
    world.ok("eve", request(1));
    assert_eq!(approved_by(&mut world, "ann", "eve", 1), "APPROVED");
}

#[test]
fn what_is_not_minted_is_not_counted() {
    let mut world = World::new();
    let the_rest = u64::MAX - world.ledger.supply(ledger::AssetId::Pop).minted.value();
    let all = charge(&mut world, "sam", the_rest);
    let none_left = charge(&mut world, "bea", 1);
    world.ok("ann", ChargeOp::Approve { charge: all });
    world.ok("ben", ChargeOp::Approve { charge: all });
    let rejection = world.rejected("ann", ChargeOp::Approve { charge: none_left });
    assert_eq!(rejection.code(), "SUPPLY_EXCEEDED");
    assert_eq!(world.ledger.sole_approvals(&address("ann")), ledger::SoleApprovals::default());
}

/// The first of two approvals is worth as much as the role of who gave it.
#[test]
fn who_is_no_admin_any_more_has_not_approved() {
    let mut world = World::new();
    let change_role = |world: &mut World, role| {
        let change = RoleOp::Propose { account: address("eve"), role };
        let change = world.ok("ann", AccountOp::Role(change)).id.into();
        world.ok("ben", AccountOp::Role(RoleOp::Approve { change }));
    };
    change_role(&mut world, Role::Admin);
    let large = charge(&mut world, "bea", LIMIT + 1);
    let small = charge(&mut world, "sam", LIMIT);
    world.ok("eve", ChargeOp::Approve { charge: large });
    change_role(&mut world, Role::Member);
    world.ok("ann", ChargeOp::Approve { charge: large });
    assert_eq!(code(&world, large), "REQUESTED", "the second is the first now");
    assert_eq!(world.ledger.charge(&large).unwrap().first_approval, Some(address("ann")));
    let again = world.rejected("ann", ChargeOp::Approve { charge: large });
    assert_eq!(again, ChargeRejection::AlreadyApproved.into());
    world.ok("ben", ChargeOp::Approve { charge: large });
    world.ok("ben", ChargeOp::Approve { charge: small });
    assert_eq!((code(&world, large), code(&world, small)), ("APPROVED", "APPROVED"));
}

#[test]
fn an_admins_own_large_charge_needs_two_others() {
    let mut world = World::new();
    let large = charge(&mut world, "ann", LIMIT + 1);
    world.ok("ben", ChargeOp::Approve { charge: large });
    let own = world.rejected("ann", ChargeOp::Approve { charge: large });
    assert_eq!(own, ChargeRejection::OwnCharge.into());
    let twice = world.rejected("ben", ChargeOp::Approve { charge: large });
    assert_eq!(twice, ChargeRejection::AlreadyApproved.into());
}

#[test]
fn two_admins_set_the_policy() {
    let mut world = World::new();
    let terms = policy(500, 800, 0);
    let member = world.rejected("bea", ChargeOp::ProposePolicy { policy: Some(terms) });
    assert_eq!(member, ChargeRejection::NotAdmin.into());
    let proposal = propose(&mut world, Some(terms));
    let open = world.ledger.charge_rules();
    assert_eq!((open.policy, open.proposal.unwrap().policy), (None, Some(terms)));
    let asked = charge(&mut world, "bea", 5);
    assert_eq!(code(&world, asked), "REQUESTED", "not yet in force");

    let decisions =
        [ChargeOp::ApprovePolicy { proposal }, ChargeOp::RejectPolicy { proposal, reason: reason() }];
    for op in decisions.clone() {
        assert_eq!(world.rejected("ann", op.clone()), ChargeRejection::OwnPolicyProposal.into());
        assert_eq!(world.rejected("eve", op), ChargeRejection::NotAdmin.into());
    }
    let sent = world.ok("ben", ChargeOp::ApprovePolicy { proposal });
    let event = ChargeEvent::PolicySet {
        proposal,
        proposer: address("ann"),
        by: address("ben"),
        policy: Some(terms),
        at: world.now,
    };
    assert_eq!(sent.events, [EventKind::Charge(event)]);
    assert_eq!(world.ledger.charge_rules(), ChargeRules { policy: Some(terms), ..ChargeRules::default() });
    for op in decisions {
        assert_eq!(world.rejected("ben", op), ChargeRejection::UnknownPolicyProposal.into());
    }
}

#[test]
fn terms_that_are_turned_down_or_replaced_never_come_into_force() {
    let mut world = with_policy(policy(5, 5, 0));
    let proposal = propose(&mut world, Some(policy(500, 500, 0)));
    world.ok("ben", ChargeOp::RejectPolicy { proposal, reason: reason() });
    let first = propose(&mut world, Some(policy(900, 900, 0)));
    let second = propose(&mut world, None);
    let replaced = world.rejected("ben", ChargeOp::ApprovePolicy { proposal: first });
    assert_eq!(replaced, ChargeRejection::UnknownPolicyProposal.into());
    let nothing = world.rejected("ben", ChargeOp::ApprovePolicy { proposal: unknown() });
    assert_eq!(nothing, ChargeRejection::UnknownPolicyProposal.into());
    assert_eq!(world.ledger.charge_rules().policy, Some(policy(5, 5, 0)));
    world.ok("ben", ChargeOp::ApprovePolicy { proposal: second });
    let asked = charge(&mut world, "bea", 5);
    assert_eq!(code(&world, asked), "REQUESTED");
}

#[test]
fn what_the_policy_covers_is_minted_at_once() {
    let mut world = with_policy(policy(500, 800, 0));
    let sent = world.ok("bea", request(500));
    let by = Approver::Policy;
    let event = ChargeEvent::Approved {
        charge: charge_id(&sent),
        requester: address("bea"),
        amount: amount(500),
        by,
        charge_count: 1,
        points: 10,
        at: world.now,
    };
    assert_eq!(sent.events.len(), 3, "requested, balance changed, approved");
    assert_eq!(sent.events.last(), Some(&EventKind::Charge(event)));
    let status = world.ledger.charge(&charge_id(&sent)).unwrap().status;
    assert_eq!(status, ChargeStatus::Approved { by, at: world.now });
    assert_eq!(world.funds("bea"), (COINS + 500, 0));
}

#[test]
fn the_policy_ends_at_its_amounts() {
    let mut world = with_policy(policy(500, 800, 0));
    let too_large = charge(&mut world, "bea", 501);
    assert_eq!(code(&world, too_large), "REQUESTED");
    for (units, expected) in [(500, "APPROVED"), (301, "REQUESTED"), (300, "APPROVED"), (1, "REQUESTED")] {
        let asked = charge(&mut world, "bea", units);
        assert_eq!(code(&world, asked), expected, "{units}");
    }
    // Each account has its own sum, and each day begins anew, UTC.
    let other = charge(&mut world, "sam", 500);
    assert_eq!(code(&world, other), "APPROVED");
    let midnight = (world.now.value() / DAY + 1) * DAY;
    world.now = ledger::UnixMillis::new(midnight - 2_000);
    let before = charge(&mut world, "bea", 1);
    assert_eq!((world.now.value(), code(&world, before)), (midnight - 1_000, "REQUESTED"));
    let after = charge(&mut world, "bea", 500);
    assert_eq!((world.now.value(), code(&world, after)), (midnight, "APPROVED"));
    assert_eq!(world.funds("bea"), (COINS + 1_300, 0));
}

#[test]
fn the_policy_ends_at_what_all_get_together() {
    let mut world = with_policy(ChargePolicy { all_per_day: amount(900), ..policy(500, 800, 0) });
    for (who, units, expected) in [
        ("bea", 500, "APPROVED"),
        ("sam", 401, "REQUESTED"),
        ("sam", 400, "APPROVED"),
        ("eve", 1, "REQUESTED"),
    ] {
        let asked = charge(&mut world, who, units);
        assert_eq!(code(&world, asked), expected, "{who} {units}");
    }
    // Other terms do not begin the day anew.
    let proposal =
        propose(&mut world, Some(ChargePolicy { all_per_day: amount(901), ..policy(500, 800, 0) }));
    world.ok("ben", ChargeOp::ApprovePolicy { proposal });
    for expected in ["APPROVED", "REQUESTED"] {
        let asked = charge(&mut world, "eve", 1);
        assert_eq!(code(&world, asked), expected);
    }
    at_the_end_of_the_day(&mut world);
    let asked = charge(&mut world, "eve", 500);
    assert_eq!(code(&world, asked), "APPROVED");
}

#[test]
fn the_policy_is_for_those_that_have_been_charged_before() {
    let mut world = with_policy(policy(500, 500, 2));
    for _ in 0..2 {
        let asked = charge(&mut world, "bea", 5);
        assert_eq!(code(&world, asked), "REQUESTED");
        world.ok("ann", ChargeOp::Approve { charge: asked });
    }
    let asked = charge(&mut world, "bea", 5);
    assert_eq!(code(&world, asked), "APPROVED");
    assert_eq!(world.ledger.account(&address("bea")).unwrap().charge_count, 3);
}

#[test]
fn no_policy_approves_what_takes_two_admins_or_cannot_be_minted_or_is_for_the_frozen() {
    let mut world = with_policy(policy(u64::MAX, u64::MAX, 0));
    let large = charge(&mut world, "bea", LIMIT + 1);
    assert_eq!(code(&world, large), "REQUESTED");
    let freeze = ledger::AccountOp::Freeze { account: address("eve"), reason: reason() };
    world.ok("ann", freeze);
    let frozen = charge(&mut world, "eve", 5);
    assert_eq!(code(&world, frozen), "REQUESTED");

    let the_rest = u64::MAX - world.ledger.supply(ledger::AssetId::Pop).minted.value();
    let most = charge(&mut world, "sam", the_rest - 5);
    world.ok("ann", ChargeOp::Approve { charge: most });
    world.ok("ben", ChargeOp::Approve { charge: most });
    let too_much = charge(&mut world, "bea", 6);
    assert_eq!(code(&world, too_much), "REQUESTED", "there would be more than can be counted");
    let fits = charge(&mut world, "bea", 5);
    assert_eq!(code(&world, fits), "APPROVED");
}

#[test]
fn points_come_with_each_approved_charge() {
    let mut world = World::new();
    let mut told = Vec::new();
    for _ in 0..11 {
        let asked = charge(&mut world, "bea", 1);
        let sent = world.ok("ann", ChargeOp::Approve { charge: asked });
        let Some(EventKind::Charge(ChargeEvent::Approved { points, .. })) = sent.events.last() else {
            panic!("not approved: {:?}", sent.events);
        };
        told.push(*points);
    }
    assert_eq!(told, [10, 20, 30, 40, 50, 60, 70, 80, 90, 110, 130]);
    let rejected = charge(&mut world, "bea", 1);
    world.ok("ann", ChargeOp::Reject { charge: rejected, reason: reason() });
    let count = world.ledger.account(&address("bea")).unwrap().charge_count;
    assert_eq!((count, world.ledger.params().charges.points(count)), (11, 130));
}
