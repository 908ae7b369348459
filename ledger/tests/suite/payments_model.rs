//! The rules about payments once more, as naively as possible: a list of all that were ever made.

use ledger::{AssetId, PaymentOp};
use pbft_crypto::{Address, Digest};

use crate::model::{Model, Outcome, ensure};

#[derive(Clone, Debug)]
pub(crate) struct MPayment {
    pub(crate) payer: Address,
    pub(crate) payee: Address,
    pub(crate) asset: AssetId,
    pub(crate) amount: u64,
    pub(crate) reference: Option<String>,
    pub(crate) state: &'static str,
    pub(crate) until: u64,
    pub(crate) paid: u64,
    pub(crate) refunds: Vec<u64>,
}

impl MPayment {
    pub(crate) fn due(&self) -> Option<u64> {
        (self.state == "AUTHORIZED").then_some(self.until)
    }

    pub(crate) fn refunded(&self) -> u128 {
        self.refunds.iter().map(|amount| u128::from(*amount)).sum()
    }
}

impl Model {
    pub(crate) fn payment(&mut self, who: Address, id: Digest, time: u64, op: &PaymentOp) -> Outcome {
        match op {
            PaymentOp::Pay { to, asset, amount, reference, .. } => {
                let reference = reference.as_ref().map(|text| text.as_str().to_owned());
                self.begin((id, time), (who, *to), (*asset, amount.value()), reference, None)
            }
            PaymentOp::Authorize { to, asset, amount, reference, until, .. } => {
                let reference = reference.as_ref().map(|text| text.as_str().to_owned());
                let until = Some(until.value());
                self.begin((id, time), (who, *to), (*asset, amount.value()), reference, until)
            }
            PaymentOp::Capture { payment, amount } => self.capture(who, payment.digest(), amount.value()),
            PaymentOp::Void { payment } => {
                self.of_payee(who, payment.digest(), "AUTHORIZED")?;
                self.void(*payment.digest());
                Ok(())
            }
            PaymentOp::Refund { payment, amount } => self.refund(who, payment.digest(), amount.value(), time),
        }
    }

    pub(crate) fn held_for_payees(&self, who: &Address, asset: AssetId) -> i128 {
        let is_of_them =
            |row: &MPayment| row.state == "AUTHORIZED" && row.payer == *who && row.asset == asset;
        let of_them = self.payments.iter().filter(|(_, row)| is_of_them(row));
        of_them.map(|(_, row)| i128::from(row.amount)).sum()
    }

    pub(crate) fn void(&mut self, id: Digest) {
        self.row(&id).unwrap().state = "VOIDED";
    }

    fn begin(
        &mut self,
        (id, now): (Digest, u64),
        (payer, payee): (Address, Address),
        (asset, amount): (AssetId, u64),
        reference: Option<String>,
        hold: Option<u64>,
    ) -> Outcome {
        ensure(amount > 0, "ZERO_AMOUNT")?;
        ensure(payer != payee, "SELF_PAYMENT")?;
        ensure(self.accounts.contains_key(&payee), "UNKNOWN_PAYEE")?;
        let went_back = |row: &MPayment| row.state == "PAID" && row.refunded() == u128::from(row.paid);
        let uses = |row: &MPayment| {
            let is_it = row.payee == payee && row.reference == reference;
            is_it && row.state != "VOIDED" && !went_back(row)
        };
        let is_used = reference.is_some() && self.payments.iter().any(|(_, row)| uses(row));
        ensure(!is_used, "REFERENCE_USED")?;
        if let Some(until) = hold {
            ensure(until > now, "DEADLINE_PASSED")?;
            ensure(until - now <= self.longest_hold, "HOLD_TOO_LONG")?;
        }
        self.spend(payer, asset, amount, now)?;
        let (state, until) = hold.map_or(("PAID", 0), |until| ("AUTHORIZED", until));
        let paid = if hold.is_none() { amount } else { 0 };
        self.hand(asset, payer, payee, paid);
        let refunds = Vec::new();
        let row = MPayment { payer, payee, asset, amount, reference, state, until, paid, refunds };
        self.payments.push((id, row));
        Ok(())
    }

    fn capture(&mut self, who: Address, id: &Digest, amount: u64) -> Outcome {
        let row = self.of_payee(who, id, "AUTHORIZED")?;
        ensure(amount > 0, "ZERO_AMOUNT")?;
        ensure(amount <= row.amount, "CAPTURE_TOO_LARGE")?;
        (row.state, row.paid) = ("PAID", amount);
        let (asset, payer, payee) = (row.asset, row.payer, row.payee);
        self.hand(asset, payer, payee, amount);
        Ok(())
    }

    fn refund(&mut self, who: Address, id: &Digest, amount: u64, time: u64) -> Outcome {
        let row = self.of_payee(who, id, "PAID")?.clone();
        ensure(amount > 0, "ZERO_AMOUNT")?;
        ensure(row.refunded() + u128::from(amount) <= u128::from(row.paid), "REFUND_TOO_LARGE")?;
        self.spend(who, row.asset, amount, time)?;
        self.hand(row.asset, row.payee, row.payer, amount);
        self.row(id).unwrap().refunds.push(amount);
        Ok(())
    }

    fn hand(&mut self, asset: AssetId, from: Address, to: Address, amount: u64) {
        *self.wealth_of(from, asset) -= i128::from(amount);
        *self.wealth_of(to, asset) += i128::from(amount);
    }

    fn row(&mut self, id: &Digest) -> Option<&mut MPayment> {
        self.payments.iter_mut().find(|(other, _)| other == id).map(|(_, row)| row)
    }

    fn of_payee(&mut self, who: Address, id: &Digest, state: &str) -> Result<&mut MPayment, &'static str> {
        let row = self.row(id).ok_or("UNKNOWN_PAYMENT")?;
        ensure(row.payee == who, "NOT_PAYEE")?;
        ensure(row.state == state, "WRONG_PAYMENT_STATUS")?;
        Ok(row)
    }
}
