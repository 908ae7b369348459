//! Charges and withdrawals.

use ledger::{
    AccountRejection, AssetId, ChargeOp, ChargeRejection, ChargeStatus, Ledger, Rejection, WithdrawalOp,
    WithdrawalRejection, WithdrawalStatus,
};
use pbft_crypto::Address;

pub(super) fn charge(ledger: &Ledger, sender: &Address, op: &ChargeOp) -> Result<(), ChargeRejection> {
    let (id, approves) = match op {
        ChargeOp::Request { amount, .. } if amount.is_zero() => return Err(ChargeRejection::ZeroAmount),
        ChargeOp::Request { .. } | ChargeOp::ProposePolicy { .. } => return Ok(()),
        ChargeOp::ApprovePolicy { proposal } | ChargeOp::RejectPolicy { proposal, .. } => {
            let open = ledger.charge_rules().proposal.filter(|open| open.id == *proposal);
            let open = open.ok_or(ChargeRejection::UnknownPolicyProposal)?;
            if open.proposer == *sender {
                return Err(ChargeRejection::OwnPolicyProposal);
            }
            let approves = matches!(op, ChargeOp::ApprovePolicy { .. });
            let counts = !approves || ledger.is_admin(&open.proposer);
            return if counts { Ok(()) } else { Err(ChargeRejection::ProposerNotAdmin) };
        }
        ChargeOp::Approve { charge } => (charge, true),
        ChargeOp::Reject { charge, .. } => (charge, false),
    };
    let charge = ledger.charge(id).ok_or(ChargeRejection::UnknownCharge)?;
    if charge.requester == *sender {
        return Err(ChargeRejection::OwnCharge);
    }
    match charge.status {
        ChargeStatus::Requested if approves && charge.first_approval == Some(*sender) => {
            Err(ChargeRejection::AlreadyApproved)
        }
        ChargeStatus::Requested => Ok(()),
        status => Err(ChargeRejection::AlreadyDecided { status }),
    }
}

pub(super) fn withdrawal(ledger: &Ledger, sender: &Address, op: &WithdrawalOp) -> Result<(), Rejection> {
    let (id, settles) = match op {
        WithdrawalOp::Request { amount, .. } if amount.is_zero() => {
            return Err(WithdrawalRejection::ZeroAmount.into());
        }
        WithdrawalOp::Request { amount, .. } => return super::has(ledger, sender, AssetId::Pop, *amount),
        WithdrawalOp::Settle { withdrawal } => (withdrawal, true),
        WithdrawalOp::Void { withdrawal, .. } => (withdrawal, false),
    };
    let row = ledger.withdrawal(id).ok_or(WithdrawalRejection::UnknownWithdrawal)?;
    let is_own = row.owner == *sender;
    if settles && is_own {
        return Err(WithdrawalRejection::OwnWithdrawal.into());
    }
    if !settles && !is_own && !ledger.is_admin(sender) {
        return Err(WithdrawalRejection::NotOwner.into());
    }
    if row.status != WithdrawalStatus::Requested {
        return Err(WithdrawalRejection::AlreadyDecided { status: row.status }.into());
    }
    if settles && ledger.freeze(&row.owner).is_some() {
        return Err(AccountRejection::Frozen.into());
    }
    Ok(())
}
