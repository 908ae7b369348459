//! Two admins give and take roles.

use ledger::{
    AccountEvent, AccountOp, ChargeOp, ChargeRejection, EventKind, Operation, PolicyProposalId,
    ReplicaChangeId, ReplicaEdit, ReplicaOp, ReplicaRejection, Role, RoleChangeId, RoleEvent, RoleOp,
    RoleRejection,
};

use crate::stage::{action, arbiter, trade_in};
use crate::world::{World, address, replica, unknown};

fn propose(who: &str, role: Role) -> Operation {
    AccountOp::Role(RoleOp::Propose { account: address(who), role }).into()
}

fn approve(change: RoleChangeId) -> Operation {
    AccountOp::Role(RoleOp::Approve { change }).into()
}

fn reject(change: RoleChangeId) -> Operation {
    AccountOp::Role(RoleOp::Reject { change, reason: "no".parse().unwrap() }).into()
}

fn code(rejection: RoleRejection) -> ledger::Rejection {
    ledger::AccountRejection::Role(rejection).into()
}

fn change_role(world: &mut World, who: &str, role: Role) {
    let change = RoleChangeId::from(world.ok("ann", propose(who, role)).id);
    world.ok("ben", approve(change));
}

fn role(world: &World, who: &str) -> Role {
    world.ledger.account(&address(who)).unwrap().role
}

#[test]
fn one_admin_asks_and_another_one_decides() {
    let mut world = World::new();
    assert_eq!(world.rejected("eve", propose("eve", Role::Admin)), code(RoleRejection::NotAdmin));
    let sent = world.ok("ann", propose("eve", Role::Arbiter));
    let change = RoleChangeId::from(sent.id);
    for bad in [approve(change), reject(change)] {
        assert_eq!(world.rejected("ann", bad.clone()), code(RoleRejection::OwnChange));
        assert_eq!(world.rejected("eve", bad), code(RoleRejection::NotAdmin));
    }
    assert_eq!(role(&world, "eve"), Role::Member);
    let sent = world.ok("ben", approve(change));
    assert_eq!(role(&world, "eve"), Role::Arbiter);
    let (account, from, to) = (address("eve"), Role::Member, Role::Arbiter);
    let event = RoleEvent::Approved { change, account, from, to, by: address("ben"), at: world.now };
    assert_eq!(sent.events, [EventKind::from(AccountEvent::Role(event))]);
    let status = world.ledger.role_change(&change).unwrap().status;
    for late in [approve(change), reject(change)] {
        assert_eq!(world.rejected("ben", late), code(RoleRejection::AlreadyDecided { status }));
    }
}

#[test]
fn a_change_that_is_turned_down_changes_nothing() {
    let mut world = World::new();
    let change = RoleChangeId::from(world.ok("ann", propose("eve", Role::Courier)).id);
    world.ok("ben", reject(change));
    assert_eq!(role(&world, "eve"), Role::Member);
    assert_eq!(world.ledger.role_change(&change).unwrap().status.code(), "REJECTED");
    assert_eq!(world.rejected("ben", approve(unknown())), code(RoleRejection::UnknownChange));
    assert_eq!(world.rejected("ann", propose("nobody", Role::Courier)), code(RoleRejection::UnknownMember));
    assert_eq!(world.rejected("ann", propose("eve", Role::Member)), code(RoleRejection::SameRole));
}

/// What is decided is looked at again when it is carried out.
#[test]
fn two_admins_are_always_left() {
    let mut world = World::new();
    assert_eq!(world.rejected("ann", propose("ben", Role::Member)), code(RoleRejection::TooFewAdmins));
    change_role(&mut world, "eve", Role::Admin);
    let mut admins = ["ann", "ben", "eve"].map(address);
    admins.sort_unstable();
    assert_eq!(world.ledger.admins().copied().collect::<Vec<_>>(), admins);
    let first = RoleChangeId::from(world.ok("ann", propose("ben", Role::Member)).id);
    let second = RoleChangeId::from(world.ok("ann", propose("eve", Role::Member)).id);
    world.ok("eve", approve(first));
    assert_eq!(role(&world, "ben"), Role::Member);
    assert_eq!(world.rejected("eve", approve(second)), code(RoleRejection::TooFewAdmins));
    assert_eq!(world.rejected("ben", propose("eve", Role::Member)), code(RoleRejection::NotAdmin));
}

/// Whoever was found out and lost the role has left nothing behind that takes one more admin only.
#[test]
fn what_somebody_asked_for_who_is_no_admin_any_more_is_not_approved() {
    let mut world = World::new();
    change_role(&mut world, "eve", Role::Admin);
    let of_role = RoleChangeId::from(world.ok("eve", propose("bea", Role::Admin)).id);
    let edit = ReplicaEdit::Add { replica: replica("r4") };
    let of_replicas = ReplicaChangeId::from(world.ok("eve", ReplicaOp::Propose { edit }).id);
    let of_policy = PolicyProposalId::from(world.ok("eve", ChargeOp::ProposePolicy { policy: None }).id);
    change_role(&mut world, "eve", Role::Member);
    let approve_replicas = ReplicaOp::Approve { change: of_replicas };
    let approve_policy = ChargeOp::ApprovePolicy { proposal: of_policy };
    assert_eq!(world.rejected("ben", approve(of_role)), code(RoleRejection::ProposerNotAdmin));
    assert_eq!(world.rejected("ben", approve_replicas.clone()), ReplicaRejection::ProposerNotAdmin.into());
    assert_eq!(world.rejected("ben", approve_policy.clone()), ChargeRejection::ProposerNotAdmin.into());
    // It can be cleared away, or counts again should the role come back.
    world.ok("ben", reject(of_role));
    change_role(&mut world, "eve", Role::Admin);
    world.ok("ben", approve_replicas);
    world.ok("ben", approve_policy);
}

#[test]
fn who_becomes_an_arbiter_is_drawn_and_who_was_is_not() {
    let mut world = World::new();
    for who in ["art", "abe"] {
        change_role(&mut world, who, Role::Member);
    }
    change_role(&mut world, "eve", Role::Arbiter);
    let listing = world.list("sam", 100);
    let trade = world.buy("bea", listing);
    world.ok("sam", action("ship", trade));
    world.ok("bea", action("dispute", trade));
    assert_eq!(world.ledger.trade(&trade).unwrap().dispute.unwrap().arbiter, Some(address("eve")));
    let restored =
        ledger::Ledger::restore(&crate::world::genesis(), world.ledger.tip().clone(), world.ledger.entries());
    restored.unwrap().check_invariants().unwrap();
}

#[test]
fn a_dispute_stays_with_who_was_drawn() {
    let (mut world, trade) = trade_in("DISPUTED");
    let judge = arbiter(&world, trade);
    change_role(&mut world, judge, Role::Courier);
    assert_eq!(world.rejected(judge, action("attest", trade)).code(), "NOT_COURIER");
    world.ok(judge, action("resolve", trade));
}
