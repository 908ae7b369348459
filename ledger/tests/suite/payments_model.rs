//! The rules about payments once more, as naively as possible: a list of all that were ever made.

use ledger::PaymentOp;
use pbft_crypto::{Address, Digest};

use crate::model::{Model, Outcome, ensure};

#[derive(Clone, Debug)]
pub(crate) struct MPayment {
    pub(crate) payer: Address,
    pub(crate) payee: Address,
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
            PaymentOp::Pay { to, amount, reference, .. } => {
                let reference = reference.as_ref().map(|text| text.as_str().to_owned());
                self.begin(id, (who, *to, amount.value()), reference, None)
            }
            PaymentOp::Authorize { to, amount, reference, until, .. } => {
                let reference = reference.as_ref().map(|text| text.as_str().to_owned());
                self.begin(id, (who, *to, amount.value()), reference, Some((time, until.value())))
            }
            PaymentOp::Capture { payment, amount } => self.capture(who, payment.digest(), amount.value()),
            PaymentOp::Void { payment } => {
                self.of_payee(who, payment.digest(), "AUTHORIZED")?;
                self.void(*payment.digest());
                Ok(())
            }
            PaymentOp::Refund { payment, amount } => self.refund(who, payment.digest(), amount.value()),
        }
    }

    pub(crate) fn held_for_payees(&self, who: &Address) -> i128 {
        let of_them = self.payments.iter().filter(|(_, row)| row.state == "AUTHORIZED" && row.payer == *who);
        of_them.map(|(_, row)| i128::from(row.amount)).sum()
    }

    pub(crate) fn void(&mut self, id: Digest) {
        self.row(&id).unwrap().state = "VOIDED";
    }

    fn begin(
        &mut self,
        id: Digest,
        (payer, payee, amount): (Address, Address, u64),
        reference: Option<String>,
        hold: Option<(u64, u64)>,
    ) -> Outcome {
        ensure(amount > 0, "ZERO_AMOUNT")?;
        ensure(payer != payee, "SELF_PAYMENT")?;
        ensure(self.accounts.contains_key(&payee), "UNKNOWN_PAYEE")?;
        let uses = |row: &MPayment| row.payee == payee && row.reference == reference && row.state != "VOIDED";
        let is_used = reference.is_some() && self.payments.iter().any(|(_, row)| uses(row));
        ensure(!is_used, "REFERENCE_USED")?;
        if let Some((now, until)) = hold {
            ensure(until > now, "DEADLINE_PASSED")?;
            ensure(until - now <= self.longest_hold, "HOLD_TOO_LONG")?;
        }
        ensure(self.available(&payer) >= i128::from(amount), "INSUFFICIENT_FUNDS")?;
        let (state, until) = hold.map_or(("PAID", 0), |(_, until)| ("AUTHORIZED", until));
        let paid = if hold.is_none() { amount } else { 0 };
        self.give(payer, payee, paid);
        let row = MPayment { payer, payee, amount, reference, state, until, paid, refunds: Vec::new() };
        self.payments.push((id, row));
        Ok(())
    }

    fn capture(&mut self, who: Address, id: &Digest, amount: u64) -> Outcome {
        let row = self.of_payee(who, id, "AUTHORIZED")?;
        ensure(amount > 0, "ZERO_AMOUNT")?;
        ensure(amount <= row.amount, "CAPTURE_TOO_LARGE")?;
        (row.state, row.paid) = ("PAID", amount);
        let (payer, payee) = (row.payer, row.payee);
        self.give(payer, payee, amount);
        Ok(())
    }

    fn refund(&mut self, who: Address, id: &Digest, amount: u64) -> Outcome {
        let row = self.of_payee(who, id, "PAID")?.clone();
        ensure(amount > 0, "ZERO_AMOUNT")?;
        ensure(row.refunded() + u128::from(amount) <= u128::from(row.paid), "REFUND_TOO_LARGE")?;
        ensure(self.available(&who) >= i128::from(amount), "INSUFFICIENT_FUNDS")?;
        self.give(row.payee, row.payer, amount);
        self.row(id).unwrap().refunds.push(amount);
        Ok(())
    }

    fn give(&mut self, from: Address, to: Address, amount: u64) {
        *self.wealth.entry(from).or_default() -= i128::from(amount);
        *self.wealth.entry(to).or_default() += i128::from(amount);
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
