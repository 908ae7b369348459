//! What one admin tries alone: to decide on what is their own, or again, or what would leave something broken.

use ledger::{
    AccountOp, ChargeOp, NewReplica, Operation, Reason, ReplicaEdit, ReplicaId, ReplicaOp, Role, RoleOp,
    WithdrawalOp,
};

use super::Attack;
use crate::adversary::scene::Scene;
use crate::world::{address, replica, unknown};

fn role(who: &str, role: Role) -> Operation {
    AccountOp::Role(RoleOp::Propose { account: address(who), role }).into()
}

fn replicas(edit: ReplicaEdit) -> Operation {
    ReplicaOp::Propose { edit }.into()
}

/// 33 bytes that are no point of the curve.
fn no_point(_: &Scene) -> Operation {
    let public_key = postcard::from_bytes(&[[2; 1].as_slice(), &[0xff; 32]].concat()).unwrap();
    replicas(ReplicaEdit::Add { replica: NewReplica { public_key, ..replica("r8") } })
}

fn key_of_another(_: &Scene) -> Operation {
    let public_key = replica("r1").public_key;
    replicas(ReplicaEdit::Rotate { id: ReplicaId::new(0), public_key })
}

fn address_of_another(_: &Scene) -> Operation {
    replicas(ReplicaEdit::Move { id: ReplicaId::new(0), address: replica("r1").address })
}

/// There are four, and seven at most.
fn four_more(_: &Scene) -> Operation {
    let add = ["r5", "r6", "r7", "r8"].map(replica).to_vec();
    replicas(ReplicaEdit::Replace { remove: Vec::new(), add })
}

const fn nothing() -> ReplicaEdit {
    ReplicaEdit::Replace { remove: Vec::new(), add: Vec::new() }
}

fn turn_down_policy(_: &Scene) -> Operation {
    ChargeOp::RejectPolicy { proposal: unknown(), reason: Reason::new("no").unwrap() }.into()
}

pub(super) const ATTACKS: &[Attack] = &[
    // Charges, their policy, and withdrawals.
    ("ann", |s| ChargeOp::Approve { charge: s.people.large_charge }.into(), "CHARGE_ALREADY_APPROVED"),
    ("ann", |s| ChargeOp::ApprovePolicy { proposal: s.people.policy }.into(), "OWN_POLICY_PROPOSAL"),
    ("eve", |s| ChargeOp::ApprovePolicy { proposal: s.people.policy }.into(), "NOT_ADMIN"),
    ("ben", |_| ChargeOp::ApprovePolicy { proposal: unknown() }.into(), "UNKNOWN_POLICY_PROPOSAL"),
    ("ben", turn_down_policy, "UNKNOWN_POLICY_PROPOSAL"),
    ("ann", |s| WithdrawalOp::Settle { withdrawal: s.people.own_withdrawal }.into(), "OWN_WITHDRAWAL"),
    (
        "ben",
        |s| WithdrawalOp::Settle { withdrawal: s.people.old_withdrawal }.into(),
        "WITHDRAWAL_ALREADY_DECIDED",
    ),
    // Roles.
    ("ann", |_| role("nobody", Role::Admin), "UNKNOWN_MEMBER"),
    ("ann", |_| role("kit", Role::Courier), "SAME_ROLE"),
    ("ann", |_| role("ben", Role::Member), "TOO_FEW_ADMINS"),
    ("ben", |_| AccountOp::Role(RoleOp::Approve { change: unknown() }).into(), "UNKNOWN_ROLE_CHANGE"),
    (
        "ben",
        |s| AccountOp::Role(RoleOp::Approve { change: s.people.old_role_change }).into(),
        "ROLE_CHANGE_ALREADY_DECIDED",
    ),
    // Replicas.
    (
        "ben",
        |s| ReplicaOp::Approve { change: s.people.old_replica_change }.into(),
        "REPLICA_CHANGE_ALREADY_DECIDED",
    ),
    ("ann", |_| replicas(nothing()), "NOTHING_TO_CHANGE"),
    ("ann", |_| replicas(ReplicaEdit::Remove { id: ReplicaId::new(99) }), "UNKNOWN_REPLICA"),
    ("ann", no_point, "BAD_REPLICA_KEY"),
    ("ann", key_of_another, "REPLICA_KEY_USED"),
    ("ann", address_of_another, "REPLICA_ADDRESS_IN_USE"),
    ("ann", |_| replicas(ReplicaEdit::Remove { id: ReplicaId::new(0) }), "TOO_FEW_REPLICAS"),
    ("ann", four_more, "TOO_MANY_REPLICAS"),
];
