//! Charges, their policy, and withdrawals.

use ledger::{
    AssetId, ChargeId, ChargeOp, ChargePolicy, Memo, Operation, PolicyProposalId, Reason, UnixMillis,
    WithdrawalId, WithdrawalOp,
};
use pbft_crypto::{Address, Digest};

use super::Run;
use crate::world::{address, amount};

impl Run {
    fn admin(&mut self) -> Address {
        if self.dice.percent(50) { address("ann") } else { address("ben") }
    }

    pub(super) fn charge(&mut self, who: Address) -> (Address, Operation) {
        if self.dice.percent(40) {
            return (who, ChargeOp::Request { amount: amount(self.units()), memo: Memo::default() }.into());
        }
        let admin = self.admin();
        let who = if self.dice.percent(15) { who } else { admin };
        if self.dice.percent(15) {
            return (who, self.policy_op().into());
        }
        let charge = ChargeId::new(self.charge_id());
        let reason = Reason::new("no").unwrap();
        let approve = self.dice.percent(80);
        (who, if approve { ChargeOp::Approve { charge } } else { ChargeOp::Reject { charge, reason } }.into())
    }

    /// Any, or one that lacks a second approval.
    fn charge_id(&mut self) -> Digest {
        let rows = self.model.treasury.charges.iter();
        let half = rows.filter(|(_, row)| row.state == "REQUESTED" && row.first.is_some());
        let half: Vec<Digest> = half.map(|(id, _)| *id).collect();
        let any = self.known(|model| &model.treasury.charges);
        if self.dice.percent(70) { any } else { self.dice.pick(&half).copied().unwrap_or(any) }
    }

    fn policy_op(&mut self) -> ChargeOp {
        let open = self.model.treasury.proposal.map(|(id, ..)| id);
        let unknown = Digest::from_bytes([0xee; 32]);
        let proposal = PolicyProposalId::new(open.filter(|_| self.dice.percent(90)).unwrap_or(unknown));
        match self.dice.below(5) {
            0 | 1 => ChargeOp::ProposePolicy { policy: self.policy() },
            2 => ChargeOp::RejectPolicy { proposal, reason: Reason::new("no").unwrap() },
            _ => ChargeOp::ApprovePolicy { proposal },
        }
    }

    fn policy(&mut self) -> Option<ChargePolicy> {
        let per_charge = amount(self.units());
        let per_day = amount(self.dice.below(20_000));
        let all_per_day = amount(self.dice.below(60_000));
        let min_charges = self.dice.below(4);
        let terms = ChargePolicy { per_charge, per_day, all_per_day, min_charges };
        self.dice.percent(80).then_some(terms)
    }

    pub(super) fn withdrawal(&mut self, who: Address) -> (Address, Operation) {
        if self.dice.percent(50) {
            return (
                who,
                WithdrawalOp::Request { amount: amount(self.units()), memo: Memo::default() }.into(),
            );
        }
        let rows = self.model.treasury.withdrawals.iter();
        let open = rows.filter(|(_, row)| row.state == "REQUESTED").map(|(id, row)| (*id, row.who));
        let open: Vec<(Digest, Address)> = open.collect();
        let any = self.known(|model| &model.treasury.withdrawals);
        let (id, owner) = self.dice.pick(&open).copied().unwrap_or((any, who));
        let id = if self.dice.percent(10) { any } else { id };
        let (withdrawal, admin) = (WithdrawalId::new(id), self.admin());
        let who = if self.dice.percent(15) { who } else { admin };
        if self.dice.percent(60) {
            return (who, WithdrawalOp::Settle { withdrawal }.into());
        }
        let who = if self.dice.percent(50) { owner } else { who };
        (who, WithdrawalOp::Void { withdrawal, reason: Reason::new("no").unwrap() }.into())
    }

    pub(super) fn compare_treasury(&self) {
        let (ledger, treasury, at) = (&self.ledger, &self.model.treasury, (self.seed, self.seq));
        for (id, charge) in &treasury.charges {
            let row = ledger.charge(&ChargeId::new(*id)).unwrap();
            let got = (row.requester, row.amount.value(), row.status.code(), row.first_approval);
            assert_eq!(got, (charge.who, charge.amount, charge.state, charge.first), "{at:?}");
        }
        let rules = ledger.charge_rules();
        let proposal = rules.proposal.map(|open| (*open.id.digest(), open.proposer, open.policy));
        assert_eq!((rules.policy, proposal), (treasury.policy, treasury.proposal), "{at:?}");
        let now = UnixMillis::new(self.now);
        let got = u128::from(rules.automatic.on(now).value());
        assert_eq!(got, treasury.automatic(self.now), "{at:?}");
        for who in self.model.accounts.keys() {
            let row = ledger.sole_approvals(who);
            let got = [row.given, row.received].map(|total| u128::from(total.on(now).value()));
            let expected = [treasury.gave_alone(self.now, who), treasury.got_alone(self.now, who)];
            assert_eq!(got, expected, "{at:?}");
        }
        for (id, withdrawal) in &treasury.withdrawals {
            let row = ledger.withdrawal(&WithdrawalId::new(*id)).unwrap();
            let got = (row.owner, row.amount.value(), row.status.code());
            assert_eq!(got, (withdrawal.who, withdrawal.amount, withdrawal.state), "{at:?}");
        }
        let burned = u128::from(ledger.supply(AssetId::Pop).burned.value());
        assert_eq!(burned, treasury.burned(), "{at:?}");
    }
}
