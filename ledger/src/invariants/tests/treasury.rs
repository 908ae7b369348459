//! Damage to charges, and to the index of references.

use super::*;
use crate::{Approver, Charge, ChargeParams, ChargeStatus, Reference, ReferencedPayment};

const CHARGE: TxId = TxId::new(Digest::from_bytes([0x44; 32]));

/// One admin is enough for so much, and for one more it takes two.
const LARGE: u64 = ChargeParams::STANDARD.two_admins_above.value();

fn charge(state: &mut State, amount: u64, status: ChargeStatus, first_approval: Option<u8>) {
    let (requester, amount, requested_at) = (address(BUYER), Amount::new(amount), UnixMillis::new(1));
    let first_approval = first_approval.map(address);
    let row = Charge { requester, amount, status, requested_at, first_approval };
    state.charges.rows.put(CHARGE.into(), row);
}

const fn approved(by: Approver) -> ChargeStatus {
    ChargeStatus::Approved { by, at: UnixMillis::new(1) }
}

fn by_admin(byte: u8) -> ChargeStatus {
    approved(Approver::Admin(address(byte)))
}

fn found_for(amount: u64, status: ChargeStatus, first: Option<u8>) -> InvariantViolation {
    let mut state = sound();
    charge(&mut state, amount, status, first);
    check(&state, &tree_of(&state)).unwrap_err()
}

#[test]
fn charges_that_were_not_counted_are_found() {
    let uncounted = InvariantViolation::ChargeCount { account: address(BUYER), counted: 0, approved: 1 };
    // These are as they should be but for the count.
    let good = [
        (LARGE, approved(Approver::Policy), None),
        (LARGE, by_admin(SELLER), None),
        (LARGE, by_admin(SELLER), Some(9)),
        (LARGE + 1, by_admin(SELLER), Some(9)),
    ];
    for (amount, status, first) in good {
        assert_eq!(found_for(amount, status, first), uncounted);
    }
}

#[test]
fn charges_that_the_wrong_ones_decided_on_are_found() {
    let rejected = ChargeStatus::Rejected { by: address(BUYER), at: UnixMillis::new(1) };
    let bad = [
        (5, by_admin(BUYER), None),
        (5, rejected, None),
        (LARGE + 1, ChargeStatus::Requested, Some(BUYER)),
        (LARGE + 1, by_admin(SELLER), Some(SELLER)),
        // One admin, or the policy, where it takes two; an admin before the policy.
        (LARGE + 1, by_admin(SELLER), None),
        (LARGE + 1, approved(Approver::Policy), None),
        (LARGE + 1, approved(Approver::Policy), Some(SELLER)),
        (LARGE, approved(Approver::Policy), Some(SELLER)),
        (0, ChargeStatus::Requested, None),
    ];
    for (amount, status, first) in bad {
        assert_eq!(found_for(amount, status, first), InvariantViolation::Charge(CHARGE.into()));
    }
}

fn refer(state: &mut State, payee: u8, reference: &str, tx: TxId) {
    let reference = Reference::new(reference).unwrap();
    state.payments.references.put((address(payee), reference), ReferencedPayment { tx });
}

#[test]
fn references_that_lead_elsewhere_are_found() {
    let mut state = with_votes_and_holds();
    refer(&mut state, SELLER, "R1", PAYMENT);
    assert_eq!(check(&state, &tree_of(&state)), Ok(()));

    let broken = |payee: u8, tx: TxId| InvariantViolation::Reference {
        payee: address(payee),
        payment: PaymentId::from(tx),
    };
    let to_nothing = found_among_votes(|state| refer(state, SELLER, "R1", TRADE));
    assert_eq!(to_nothing, broken(SELLER, TRADE));
    let of_the_payer = found_among_votes(|state| refer(state, BUYER, "R1", PAYMENT));
    assert_eq!(of_the_payer, broken(BUYER, PAYMENT));
    let two_to_one = found_among_votes(|state| {
        refer(state, SELLER, "R1", PAYMENT);
        refer(state, SELLER, "R2", PAYMENT);
    });
    assert_eq!(two_to_one, broken(SELLER, PAYMENT));
}
