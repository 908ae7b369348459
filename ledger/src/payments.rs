//! Payments: money from one account to another, at once or in two steps, and back.
//!
//! | from | to | who |
//! | --- | --- | --- |
//! | - | PAID | the payer, at once |
//! | - | AUTHORIZED | the payer, whose money is held for the payee from now on |
//! | AUTHORIZED | PAID | the payee takes some or all of it; the rest goes back |
//! | AUTHORIZED | VOIDED | the payee; the `until` deadline |
//!
//! Of what was paid the payee can give back some or all, as often as it likes, but never more than was paid.
//!
//! A reference is used up by the first payment under it, whoever makes it. It is free again when all went back, so that a payee can
//! undo what a stranger paid under a reference that was meant for somebody else.

mod event;
mod rejection;
mod rules;

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};

use crate::amount::{Amount, AssetId};
use crate::deadlines::{Deadlines, ObjectId};
use crate::ids::{PaymentId, TxId};
use crate::table::{EntryError, Row, Table, TableId};
use crate::text::{Memo, Reference};
use crate::time::{Millis, UnixMillis};

pub use event::{PaymentEvent, VoidedBy};
pub use rejection::PaymentRejection;
pub(crate) use rules::{apply, expire};

/// What operators choose about payments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentParams {
    /// How long money may be held for a payee.
    pub longest_hold: Millis,
}

impl PaymentParams {
    /// 30 days.
    pub const STANDARD: Self = Self { longest_hold: Millis::days(30) };
}

/// Transactions about payments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentOp {
    /// Pays.
    Pay {
        /// Whom.
        to: Address,
        /// In what.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// The payee's own number for it, which can be paid once only, unless all goes back.
        reference: Option<Reference>,
        /// A note to the payee. May be empty.
        memo: Memo,
    },
    /// Sets money aside that the payee can take until a deadline.
    Authorize {
        /// For whom.
        to: Address,
        /// In what.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// The payee's own number for it, as in a payment at once.
        reference: Option<Reference>,
        /// A note to the payee. May be empty.
        memo: Memo,
        /// When it goes back by itself.
        until: UnixMillis,
    },
    /// The payee takes some or all of what was set aside; the rest goes back.
    Capture {
        /// Which.
        payment: PaymentId,
        /// How much.
        amount: Amount,
    },
    /// The payee does not want what was set aside: all goes back.
    Void {
        /// Which.
        payment: PaymentId,
    },
    /// The payee gives back some or all of what was paid.
    Refund {
        /// Which.
        payment: PaymentId,
        /// How much.
        amount: Amount,
    },
}

impl PaymentOp {
    /// The existing payment that it is about.
    pub const fn payment(&self) -> Option<PaymentId> {
        match self {
            Self::Pay { .. } | Self::Authorize { .. } => None,
            Self::Capture { payment, .. } | Self::Void { payment } | Self::Refund { payment, .. } => {
                Some(*payment)
            }
        }
    }

    /// The reference that it uses up, and whose.
    const fn reference(&self) -> Option<(Address, &Reference)> {
        match self {
            Self::Pay { to, reference: Some(reference), .. }
            | Self::Authorize { to, reference: Some(reference), .. } => Some((*to, reference)),
            _ => None,
        }
    }
}

/// How far a payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// The payee can take it.
    Authorized {
        /// When it goes back by itself.
        until: UnixMillis,
    },
    /// The payee has it.
    Paid {
        /// How much of it. The rest went back at once.
        paid: Amount,
        /// How much of that went back since.
        refunded: Amount,
    },
    /// All went back. Final.
    Voided,
}

impl PaymentStatus {
    /// A name that never changes.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Authorized { .. } => "AUTHORIZED",
            Self::Paid { .. } => "PAID",
            Self::Voided => "VOIDED",
        }
    }
}

/// A payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Who pays.
    pub payer: Address,
    /// Who is paid.
    pub payee: Address,
    /// In what.
    pub asset: AssetId,
    /// What was paid at once, or set aside.
    pub amount: Amount,
    /// How far it is.
    pub status: PaymentStatus,
    /// When it began.
    pub created_at: UnixMillis,
    /// When something happened to it last.
    pub updated_at: UnixMillis,
}

impl Payment {
    /// What is held of the payer's money.
    pub const fn held(&self) -> Amount {
        if matches!(self.status, PaymentStatus::Authorized { .. }) { self.amount } else { Amount::ZERO }
    }

    /// What could be given back still.
    pub fn refundable(&self) -> Amount {
        match self.status {
            PaymentStatus::Paid { paid, refunded } => paid.checked_sub(refunded).unwrap_or(Amount::ZERO),
            PaymentStatus::Authorized { .. } | PaymentStatus::Voided => Amount::ZERO,
        }
    }

    /// Whether the payee has anything of it, or could take it. Otherwise its reference is free.
    pub fn is_worth_something(&self) -> bool {
        matches!(self.status, PaymentStatus::Authorized { .. }) || !self.refundable().is_zero()
    }

    /// When it is voided by itself.
    pub(crate) const fn due(&self) -> Option<UnixMillis> {
        match self.status {
            PaymentStatus::Authorized { until } => Some(until),
            PaymentStatus::Paid { .. } | PaymentStatus::Voided => None,
        }
    }

    /// Nothing is paid out or given back that was not there.
    pub(crate) fn is_sound(&self) -> bool {
        let bounded = match self.status {
            PaymentStatus::Paid { paid, refunded } => {
                !paid.is_zero() && paid <= self.amount && refunded <= paid
            }
            PaymentStatus::Authorized { .. } | PaymentStatus::Voided => true,
        };
        bounded && !self.amount.is_zero() && self.payer != self.payee
    }
}

impl Row for Payment {
    type Key = PaymentId;
    const TABLE: TableId = TableId::Payments;
}

/// The payment that used up one of a payee's references.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferencedPayment {
    /// The payment.
    pub tx: TxId,
}

impl Row for ReferencedPayment {
    type Key = (Address, Reference);
    const TABLE: TableId = TableId::References;
}

/// The payments, and with each change the index of deadlines kept up to date.
#[derive(Default)]
pub(crate) struct Payments {
    pub(crate) rows: Table<Payment>,
    pub(crate) references: Table<ReferencedPayment>,
}

impl Payments {
    pub(crate) fn find(&self, id: &PaymentId) -> Option<&Payment> {
        self.rows.find(id)
    }

    /// When the payment is voided by itself.
    pub(crate) fn due(&self, id: &PaymentId) -> Option<UnixMillis> {
        self.find(id)?.due()
    }

    /// The payment that has the reference which an operation wants to use up.
    pub(crate) fn in_the_way_of(&self, op: &PaymentOp) -> Option<PaymentId> {
        let (payee, reference) = op.reference()?;
        Some(self.references.find(&(payee, reference.clone()))?.tx.into())
    }

    /// What is held, for whom, of what.
    pub(crate) fn holds(&self) -> impl Iterator<Item = (Address, AssetId, Amount)> {
        self.rows.iter().map(|(_, row)| (row.payer, row.asset, row.held()))
    }

    fn put(&mut self, deadlines: &mut Deadlines, id: PaymentId, payment: Payment) {
        deadlines.replace(ObjectId::Payment(id), self.due(&id), payment.due());
        self.rows.put(id, payment);
    }

    pub(crate) fn load(
        &mut self,
        deadlines: &mut Deadlines,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), EntryError> {
        let (id, payment) = self.rows.load(key, value)?;
        deadlines.replace(ObjectId::Payment(id), None, payment.due());
        Ok(())
    }
}
