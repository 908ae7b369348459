//! Payments: at once, in two steps, and back.

use ledger::{Memo, Operation, PaymentId, PaymentOp, Reference, UnixMillis};
use pbft_crypto::{Address, Digest};

use super::Run;
use crate::world::{DAY, HOUR, address, amount};

impl Run {
    pub(super) fn payment(&mut self, who: Address) -> (Address, Operation) {
        match self.dice.below(10) {
            0..=3 => (who, self.pay()),
            4 | 5 => (who, self.authorize()),
            _ => self.move_payment(who),
        }
    }

    fn payee(&mut self) -> Address {
        if self.dice.percent(3) { address("nobody") } else { self.anyone() }
    }

    fn reference(&mut self) -> Option<Reference> {
        let reference = self.dice.percent(30).then(|| format!("R{}", self.dice.below(40)));
        reference.map(|text| Reference::new(text).unwrap())
    }

    fn pay(&mut self) -> Operation {
        let (to, reference) = (self.payee(), self.reference());
        let (asset, memo) = (self.asset(), Memo::default());
        PaymentOp::Pay { to, asset, amount: amount(self.units()), reference, memo }.into()
    }

    fn authorize(&mut self) -> Operation {
        let (to, reference) = (self.payee(), self.reference());
        let (asset, memo) = (self.asset(), Memo::default());
        let until = UnixMillis::new(match self.dice.below(12) {
            0 => self.now - self.dice.below(1_000),
            1 => self.now + 31 * DAY,
            2 => u64::MAX,
            _ => self.now + 1 + self.dice.below(2 * HOUR),
        });
        PaymentOp::Authorize { to, asset, amount: amount(self.units()), reference, memo, until }.into()
    }

    /// Mostly by the payee, and mostly what is possible.
    fn move_payment(&mut self, who: Address) -> (Address, Operation) {
        let held: Vec<Digest> = {
            let held = self.model.payments.iter().filter(|(_, row)| row.state == "AUTHORIZED");
            held.map(|(id, _)| *id).collect()
        };
        let all: Vec<Digest> = self.model.payments.iter().map(|(id, _)| *id).collect();
        let refund = self.dice.percent(45);
        let of = if refund || held.is_empty() { all } else { held };
        let Some(id) = self.dice.pick(&of).copied().filter(|_| !self.dice.percent(3)) else {
            return (who, PaymentOp::Void { payment: PaymentId::new(Digest::ZERO) }.into());
        };
        let row = self.model.payments.iter().find(|(other, _)| *other == id).unwrap().1.clone();
        let who = if self.dice.percent(10) { who } else { row.payee };
        let payment = PaymentId::new(id);
        let most = if refund { row.paid } else { row.amount };
        let part = match self.dice.below(10) {
            0 => 0,
            1 => most.saturating_add(1),
            2..=4 => most,
            _ => self.dice.below(most.max(1)),
        };
        let op = match refund {
            true => PaymentOp::Refund { payment, amount: amount(part) },
            false if self.dice.percent(30) => PaymentOp::Void { payment },
            false => PaymentOp::Capture { payment, amount: amount(part) },
        };
        (who, op.into())
    }
}
