//! Keys, guardians, limits, freezes and roles.

use ledger::{
    AccountKey, AccountOp, AccountRejection, Ledger, MAX_GUARDIANS, RecoveryId, RecoveryStatus,
    RoleChangeStatus, RoleOp, RoleRejection, key_binding,
};
use pbft_crypto::{Address, PublicKey, Signature, verify};

type Checked = Result<(), AccountRejection>;

pub(super) fn check(ledger: &Ledger, sender: &Address, op: &AccountOp) -> Checked {
    match op {
        // Opening an account is checked where members are made. Any limit may be asked for.
        AccountOp::Register { .. } | AccountOp::SetLimit { .. } => Ok(()),
        AccountOp::AddKey { public_key, proof, .. } | AccountOp::RotateKey { public_key, proof, .. } => {
            new_key(ledger, sender, public_key, proof)
        }
        AccountOp::RevokeKey { public_key } => {
            own_key(ledger, sender, public_key)?;
            let live = ledger.keys(sender).filter(|(_, row)| row.is_live()).count();
            if live < 2 { Err(AccountRejection::LastKey) } else { Ok(()) }
        }
        AccountOp::LabelKey { public_key, .. } => own_key(ledger, sender, public_key),
        AccountOp::SetGuardians { guardians, threshold, .. } => {
            set_guardians(ledger, sender, guardians, *threshold)
        }
        AccountOp::ProposeRecovery { account, public_key, proof } => {
            ledger.check_recovery(sender, account, public_key)?;
            new_key(ledger, account, public_key, proof)
        }
        AccountOp::AgreeToRecovery { recovery } => ledger.check_agreement(sender, recovery),
        AccountOp::CancelRecovery { recovery } => cancel(ledger, sender, recovery),
        AccountOp::Freeze { account, .. } => {
            exists(ledger, account)?;
            if ledger.is_admin(account) {
                return Err(AccountRejection::AdminAccount);
            }
            if ledger.freeze(account).is_some() { Err(AccountRejection::AlreadyFrozen) } else { Ok(()) }
        }
        AccountOp::Unfreeze { account } => {
            exists(ledger, account)?;
            let freeze = ledger.freeze(account).ok_or(AccountRejection::NotFrozen)?;
            if freeze.by == *sender { Err(AccountRejection::OwnFreeze) } else { Ok(()) }
        }
        AccountOp::Role(op) => Ok(role(ledger, sender, op)?),
    }
}

fn exists(ledger: &Ledger, account: &Address) -> Checked {
    ledger.account(account).map(drop).ok_or(AccountRejection::UnknownAccount)
}

fn own_key(ledger: &Ledger, sender: &Address, key: &PublicKey) -> Checked {
    let is_own = |row: &&AccountKey| row.account == *sender && row.is_live();
    ledger.key(key).filter(is_own).map(drop).ok_or(AccountRejection::UnknownKey)
}

fn new_key(ledger: &Ledger, account: &Address, key: &PublicKey, proof: &Signature) -> Checked {
    if ledger.key(key).is_some() {
        return Err(AccountRejection::KeyUsed);
    }
    let binding = key_binding(ledger.chain_id(), account);
    verify(key, &binding, proof).map_err(|_| AccountRejection::BadKeyProof)
}

fn set_guardians(ledger: &Ledger, sender: &Address, guardians: &[Address], threshold: u8) -> Checked {
    if ledger.freeze(sender).is_some() {
        return Err(AccountRejection::Frozen);
    }
    let is_other = |guardian: &Address| guardian != sender && ledger.account(guardian).is_some();
    if !guardians.iter().all(is_other) || guardians.len() > usize::from(MAX_GUARDIANS) {
        return Err(AccountRejection::BadGuardians { max: MAX_GUARDIANS });
    }
    let least = usize::from(!guardians.is_empty());
    let fits = (least..=guardians.len()).contains(&usize::from(threshold));
    if fits { Ok(()) } else { Err(AccountRejection::BadThreshold) }
}

fn cancel(ledger: &Ledger, sender: &Address, id: &RecoveryId) -> Checked {
    let row = ledger.recovery(id).ok_or(AccountRejection::UnknownRecovery)?;
    if row.account != *sender {
        return Err(AccountRejection::NotOwner);
    }
    match row.status {
        RecoveryStatus::Proposed | RecoveryStatus::Ready { .. } => Ok(()),
        status => Err(AccountRejection::RecoveryOver { status }),
    }
}

fn role(ledger: &Ledger, sender: &Address, op: &RoleOp) -> Result<(), RoleRejection> {
    let (id, approves) = match op {
        RoleOp::Propose { account, role } => return ledger.check_role(account, *role).map(drop),
        RoleOp::Approve { change } => (change, true),
        RoleOp::Reject { change, .. } => (change, false),
    };
    let change = ledger.role_change(id).ok_or(RoleRejection::UnknownChange)?;
    if change.proposer == *sender {
        return Err(RoleRejection::OwnChange);
    }
    match change.status {
        RoleChangeStatus::Proposed if approves && !ledger.is_admin(&change.proposer) => {
            Err(RoleRejection::ProposerNotAdmin)
        }
        RoleChangeStatus::Proposed if approves => ledger.check_role(&change.account, change.role).map(drop),
        RoleChangeStatus::Proposed => Ok(()),
        status => Err(RoleRejection::AlreadyDecided { status }),
    }
}
