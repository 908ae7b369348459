//! The rules about charges and withdrawals once more, as naively as possible: what can be summed up is.

use std::collections::BTreeMap;

use ledger::{AssetId, ChargeOp, ChargePolicy, Genesis, WithdrawalOp};
use pbft_crypto::{Address, Digest};

use crate::model::{Model, Outcome, ensure};

#[derive(Clone, Debug)]
pub(crate) struct MCharge {
    pub(crate) who: Address,
    pub(crate) amount: u64,
    pub(crate) state: &'static str,
    pub(crate) first: Option<Address>,
    /// When the policy approved it.
    automatic: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct MWithdrawal {
    pub(crate) who: Address,
    pub(crate) amount: u64,
    pub(crate) state: &'static str,
}

pub(crate) struct Treasury {
    two_admins_above: u64,
    one_admin_per_day: u64,
    /// What one admin approved alone: when, who, for whom, how much.
    alone: Vec<(u64, Address, Address, u64)>,
    pub(crate) charges: BTreeMap<Digest, MCharge>,
    pub(crate) withdrawals: BTreeMap<Digest, MWithdrawal>,
    pub(crate) policy: Option<ChargePolicy>,
    /// Who asks for which.
    pub(crate) proposal: Option<(Digest, Address, Option<ChargePolicy>)>,
}

impl Treasury {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        Self {
            two_admins_above: genesis.params.charges.two_admins_above.value(),
            one_admin_per_day: genesis.params.charges.one_admin_per_day.value(),
            alone: Vec::new(),
            charges: BTreeMap::new(),
            withdrawals: BTreeMap::new(),
            policy: None,
            proposal: None,
        }
    }

    pub(crate) fn held(&self, who: &Address) -> i128 {
        let live = self.withdrawals.values().filter(|row| row.who == *who && row.state == "REQUESTED");
        live.map(|row| i128::from(row.amount)).sum()
    }

    pub(crate) fn burned(&self) -> u128 {
        let settled = self.withdrawals.values().filter(|row| row.state == "SETTLED");
        settled.map(|row| u128::from(row.amount)).sum()
    }

    fn may_approve_alone(&self, time: u64, admin: Address, charge: &MCharge) -> bool {
        let amount = u128::from(charge.amount);
        amount <= u128::from(self.two_admins_above)
            && amount + self.got_alone(time, &charge.who) <= u128::from(self.two_admins_above)
            && amount + self.gave_alone(time, &admin) <= u128::from(self.one_admin_per_day)
    }

    /// What an account got on the day of a time by the word of one admin.
    pub(crate) fn got_alone(&self, time: u64, who: &Address) -> u128 {
        self.sum_alone(time, |_, requester| requester == who)
    }

    /// What an admin approved on the day of a time without another one.
    pub(crate) fn gave_alone(&self, time: u64, who: &Address) -> u128 {
        self.sum_alone(time, |admin, _| admin == who)
    }

    fn sum_alone(&self, time: u64, is_it: impl Fn(&Address, &Address) -> bool) -> u128 {
        let today = self.alone.iter().filter(|(at, ..)| day(*at) == day(time));
        today.filter(|(_, admin, who, _)| is_it(admin, who)).map(|(.., amount)| u128::from(*amount)).sum()
    }

    /// What the policy approved on the day of a time.
    pub(crate) fn automatic(&self, time: u64) -> u128 {
        let today = self.charges.values().filter(|row| row.automatic.map(day) == Some(day(time)));
        today.map(|row| u128::from(row.amount)).sum()
    }
}

const fn day(time: u64) -> u64 {
    time / 86_400_000
}

impl Model {
    pub(crate) fn charge(&mut self, who: Address, id: Digest, time: u64, op: &ChargeOp) -> Outcome {
        match op {
            ChargeOp::Request { amount, .. } => {
                ensure(amount.value() > 0, "ZERO_AMOUNT")?;
                let covered = self.is_covered(&who, amount.value(), time);
                let (amount, state) = (amount.value(), "REQUESTED");
                let row = MCharge { who, amount, state, first: None, automatic: None };
                self.treasury.charges.insert(id, row);
                if covered && self.mint(id).is_ok() {
                    self.treasury.charges.get_mut(&id).unwrap().automatic = Some(time);
                }
                Ok(())
            }
            ChargeOp::Approve { charge } => {
                let row = self.decidable(&who, charge.digest())?.clone();
                let first = row.first.filter(|first| self.is_admin(first));
                ensure(first != Some(who), "CHARGE_ALREADY_APPROVED")?;
                if first.is_none() && !self.treasury.may_approve_alone(time, who, &row) {
                    self.treasury.charges.get_mut(charge.digest()).unwrap().first = Some(who);
                    return Ok(());
                }
                self.mint(*charge.digest())?;
                if first.is_none() {
                    self.treasury.alone.push((time, who, row.who, row.amount));
                }
                Ok(())
            }
            ChargeOp::Reject { charge, .. } => {
                self.decidable(&who, charge.digest())?;
                self.treasury.charges.get_mut(charge.digest()).unwrap().state = "REJECTED";
                Ok(())
            }
            ChargeOp::ProposePolicy { policy } => {
                ensure(self.is_admin(&who), "NOT_ADMIN")?;
                self.treasury.proposal = Some((id, who, *policy));
                Ok(())
            }
            ChargeOp::ApprovePolicy { proposal } => {
                let policy = self.proposed(&who, proposal.digest())?;
                let proposer = self.treasury.proposal.unwrap().1;
                ensure(self.is_admin(&proposer), "PROPOSER_NOT_ADMIN")?;
                self.treasury.policy = policy;
                self.treasury.proposal = None;
                Ok(())
            }
            ChargeOp::RejectPolicy { proposal, .. } => {
                self.proposed(&who, proposal.digest())?;
                self.treasury.proposal = None;
                Ok(())
            }
        }
    }

    pub(crate) fn withdrawal(&mut self, who: Address, id: Digest, time: u64, op: &WithdrawalOp) -> Outcome {
        let (withdrawal, settle) = match op {
            WithdrawalOp::Request { amount, .. } => {
                ensure(amount.value() > 0, "ZERO_AMOUNT")?;
                self.spend(who, AssetId::Pop, amount.value(), time)?;
                let row = MWithdrawal { who, amount: amount.value(), state: "REQUESTED" };
                self.treasury.withdrawals.insert(id, row);
                return Ok(());
            }
            WithdrawalOp::Settle { withdrawal } => (withdrawal.digest(), true),
            WithdrawalOp::Void { withdrawal, .. } => (withdrawal.digest(), false),
        };
        let admin = self.is_admin(&who);
        let row = self.treasury.withdrawals.get_mut(withdrawal).ok_or("UNKNOWN_WITHDRAWAL")?;
        if settle {
            ensure(admin, "NOT_ADMIN")?;
            ensure(row.who != who, "OWN_WITHDRAWAL")?;
        } else {
            ensure(admin || row.who == who, "NOT_WITHDRAWAL_OWNER")?;
        }
        ensure(row.state == "REQUESTED", "WITHDRAWAL_ALREADY_DECIDED")?;
        if settle {
            ensure(!self.identity.frozen.contains_key(&row.who), "ACCOUNT_FROZEN")?;
            *self.wealth.entry(row.who).or_default() -= i128::from(row.amount);
        }
        row.state = if settle { "SETTLED" } else { "VOIDED" };
        Ok(())
    }

    fn is_covered(&self, who: &Address, amount: u64, time: u64) -> bool {
        let Some(policy) = self.treasury.policy else { return false };
        let today = |row: &&MCharge| row.who == *who && row.automatic.map(day) == Some(day(time));
        let so_far = self.treasury.charges.values().filter(today).map(|row| u128::from(row.amount));
        amount <= policy.per_charge.value().min(self.treasury.two_admins_above)
            && so_far.sum::<u128>() + u128::from(amount) <= u128::from(policy.per_day.value())
            && self.treasury.automatic(time) + u128::from(amount) <= u128::from(policy.all_per_day.value())
            && self.accounts[who].charges >= policy.min_charges
            && !self.identity.frozen.contains_key(who)
    }

    fn mint(&mut self, id: Digest) -> Outcome {
        let row = self.treasury.charges.get_mut(&id).unwrap();
        let minted = self.minted + u128::from(row.amount);
        ensure(minted <= u128::from(u64::MAX), "SUPPLY_EXCEEDED")?;
        self.minted = minted;
        *self.wealth.entry(row.who).or_default() += i128::from(row.amount);
        self.accounts.get_mut(&row.who).unwrap().charges += 1;
        row.state = "APPROVED";
        Ok(())
    }

    fn decidable(&self, who: &Address, charge: &Digest) -> Result<&MCharge, &'static str> {
        let row = self.treasury.charges.get(charge).ok_or("UNKNOWN_CHARGE")?;
        ensure(self.is_admin(who), "NOT_ADMIN")?;
        ensure(row.who != *who, "OWN_CHARGE")?;
        ensure(row.state == "REQUESTED", "CHARGE_ALREADY_DECIDED")?;
        Ok(row)
    }

    fn proposed(&self, who: &Address, id: &Digest) -> Result<Option<ChargePolicy>, &'static str> {
        let open = self.treasury.proposal.filter(|(open, ..)| open == id);
        let (_, proposer, policy) = open.ok_or("UNKNOWN_POLICY_PROPOSAL")?;
        ensure(self.is_admin(who), "NOT_ADMIN")?;
        ensure(proposer != *who, "OWN_POLICY_PROPOSAL")?;
        Ok(policy)
    }
}
