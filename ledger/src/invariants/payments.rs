//! Payments, and the references that they used up.

use std::collections::BTreeSet;

use super::InvariantViolation;
use crate::ids::PaymentId;
use crate::state::State;

pub(super) fn check(state: &State) -> Result<(), InvariantViolation> {
    if let Some((id, _)) = state.payments.rows.iter().find(|(_, payment)| !payment.is_sound()) {
        return Err(InvariantViolation::Payment(*id));
    }
    references(state)
}

/// Each leads to a payment of its payee, and no two to the same one.
fn references(state: &State) -> Result<(), InvariantViolation> {
    let mut found = BTreeSet::new();
    for ((payee, _), used) in state.payments.references.iter() {
        let payment = PaymentId::from(used.tx);
        let is_of_payee = state.payments.find(&payment).is_some_and(|row| row.payee == *payee);
        if !is_of_payee || !found.insert(payment) {
            return Err(InvariantViolation::Reference { payee: *payee, payment });
        }
    }
    Ok(())
}
