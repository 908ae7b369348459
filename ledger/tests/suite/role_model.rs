//! The rules about roles once more, as naively as possible.

use ledger::{Role, RoleOp};
use pbft_crypto::{Address, Digest};

use crate::model::{Model, Outcome, ensure};

#[derive(Clone, Debug)]
pub(crate) struct MRoleChange {
    pub(crate) who: Address,
    pub(crate) account: Address,
    pub(crate) role: Role,
    pub(crate) state: &'static str,
}

impl Model {
    pub(crate) fn change_role(&mut self, who: Address, id: Digest, op: &RoleOp) -> Outcome {
        let admin = self.is_admin(&who);
        let (change, approve) = match op {
            RoleOp::Propose { account, role } => {
                ensure(admin, "NOT_ADMIN")?;
                self.may_become(account, *role)?;
                let row = MRoleChange { who, account: *account, role: *role, state: "PROPOSED" };
                self.role_changes.insert(id, row);
                return Ok(());
            }
            RoleOp::Approve { change } => (change.digest(), true),
            RoleOp::Reject { change, .. } => (change.digest(), false),
        };
        let row = self.role_changes.get(change).ok_or("UNKNOWN_ROLE_CHANGE")?.clone();
        ensure(admin, "NOT_ADMIN")?;
        ensure(row.who != who, "OWN_ROLE_CHANGE")?;
        ensure(row.state == "PROPOSED", "ROLE_CHANGE_ALREADY_DECIDED")?;
        if approve {
            ensure(self.is_admin(&row.who), "PROPOSER_NOT_ADMIN")?;
            self.may_become(&row.account, row.role)?;
            self.accounts.get_mut(&row.account).unwrap().role = row.role;
        }
        let state = if approve { "APPROVED" } else { "REJECTED" };
        self.role_changes.get_mut(change).unwrap().state = state;
        Ok(())
    }

    fn may_become(&self, account: &Address, role: Role) -> Outcome {
        let present = self.accounts.get(account).ok_or("UNKNOWN_MEMBER")?.role;
        ensure(present != role, "SAME_ROLE")?;
        let admins = self.accounts.keys().filter(|who| self.is_admin(who)).count();
        ensure(!self.is_admin(account) || admins > 2, "TOO_FEW_ADMINS")
    }
}
