//! Who may act for whom, who may not, and what admins have decided or not.

use ledger::{
    AccountOp, AssetId, ChargeId, ChargeOp, Label, MAX_ACCOUNT_KEYS, Memo, Millis, PolicyProposalId, Reason,
    RecoveryId, ReplicaChangeId, ReplicaEdit, ReplicaOp, Role, RoleChangeId, RoleOp, Transaction,
    WithdrawalId, WithdrawalOp,
};

use super::request;
use crate::keys::proof;
use crate::world::{World, address, amount, key, paying, replica};

/// Of what art lets go out in a day.
pub(in crate::adversary) const LIMIT: u64 = 5;

pub(in crate::adversary) struct People {
    /// Another key for kit, who has had as many as anyone can.
    pub(in crate::adversary) one_key_more: AccountOp,
    /// For bea, whose guardians are sam, kit and abe: sam has asked for it, and kit agrees; and one that she has stopped.
    pub(in crate::adversary) recovery: RecoveryId,
    pub(in crate::adversary) stopped: RecoveryId,
    /// Asked for by ann, and turned down by ben.
    pub(in crate::adversary) old_role_change: RoleChangeId,
    pub(in crate::adversary) old_replica_change: ReplicaChangeId,
    /// Of bea's, so large that it takes two: ann has approved it.
    pub(in crate::adversary) large_charge: ChargeId,
    /// Proposed by ann.
    pub(in crate::adversary) policy: PolicyProposalId,
    /// Ann's; and bea's, who has thought better of it.
    pub(in crate::adversary) own_withdrawal: WithdrawalId,
    pub(in crate::adversary) old_withdrawal: WithdrawalId,
}

fn no() -> Reason {
    Reason::new("no").unwrap()
}

impl People {
    pub(super) fn set(world: &mut World) -> Self {
        let guardians = vec![address("sam"), address("kit"), address("abe")];
        let (threshold, delay) = (2, Millis::days(2));
        world.ok("bea", AccountOp::SetGuardians { guardians, threshold, delay });
        let stopped = recovery(world);
        world.ok("bea", AccountOp::CancelRecovery { recovery: stopped });
        let running = recovery(world);
        world.ok("kit", AccountOp::AgreeToRecovery { recovery: running });
        let (old_role_change, old_replica_change) = turned_down(world);
        let own_large = ledger::Params::STANDARD.charges.two_admins_above.value() + 1;
        let large_charge = ChargeId::from(world.ok("bea", request(own_large)).id);
        world.ok("ann", ChargeOp::Approve { charge: large_charge });
        world.ok("sam", paying("ann", 100));
        let old_withdrawal = withdraw(world, "bea");
        world.ok("bea", WithdrawalOp::Void { withdrawal: old_withdrawal, reason: no() });
        let per_day = Some(amount(LIMIT));
        world.ok("art", AccountOp::SetLimit { asset: AssetId::Pop, per_day });
        Self {
            one_key_more: many_keys(world),
            recovery: running,
            stopped,
            old_role_change,
            old_replica_change,
            large_charge,
            policy: world.ok("ann", ChargeOp::ProposePolicy { policy: None }).id.into(),
            own_withdrawal: withdraw(world, "ann"),
            old_withdrawal,
        }
    }
}

fn recovery(world: &mut World) -> RecoveryId {
    let (account, public_key) = (address("bea"), key("bea's new phone").public_key());
    let proof = proof(world, "bea", "bea's new phone");
    world.ok("sam", AccountOp::ProposeRecovery { account, public_key, proof }).id.into()
}

fn turned_down(world: &mut World) -> (RoleChangeId, ReplicaChangeId) {
    let wish = AccountOp::Role(RoleOp::Propose { account: address("eve"), role: Role::Arbiter });
    let role = RoleChangeId::from(world.ok("ann", wish).id);
    world.ok("ben", AccountOp::Role(RoleOp::Reject { change: role, reason: no() }));
    let edit = ReplicaEdit::Add { replica: replica("r9") };
    let change = ReplicaChangeId::from(world.ok("ann", ReplicaOp::Propose { edit }).id);
    world.ok("ben", ReplicaOp::Reject { change, reason: no() });
    (role, change)
}

fn withdraw(world: &mut World, who: &str) -> WithdrawalId {
    let op = WithdrawalOp::Request { amount: amount(50), memo: Memo::default() };
    world.ok(who, op).id.into()
}

/// Kit gets all keys that there is room for, and here is one more.
fn many_keys(world: &mut World) -> AccountOp {
    let add = |world: &World, n: u16| {
        let name = format!("kit's phone {n}");
        let (public_key, proof) = (key(&name).public_key(), proof(world, "kit", &name));
        AccountOp::AddKey { public_key, proof, label: Label::default() }
    };
    let keys: Vec<Transaction> = (1..MAX_ACCOUNT_KEYS)
        .map(|n| {
            let op = add(world, n);
            world.tx("kit", op)
        })
        .collect();
    super::all(world, &keys);
    add(world, MAX_ACCOUNT_KEYS)
}
