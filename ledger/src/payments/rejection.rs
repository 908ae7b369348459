//! Why nothing is paid.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::PaymentStatus;
use crate::amount::Amount;
use crate::ids::TxId;
use crate::time::UnixMillis;

/// Why nothing is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum PaymentRejection {
    /// A payment of nothing.
    #[error("the amount is zero")]
    ZeroAmount,
    /// A payment to oneself.
    #[error("payer and payee are the same")]
    SelfPayment,
    /// The payee has no account.
    #[error("the payee has no account")]
    UnknownPayee,
    /// The reference was paid.
    #[error("the reference was paid by transaction {tx}")]
    ReferenceUsed {
        /// By which transaction.
        tx: TxId,
    },
    /// No such payment.
    #[error("there is no such payment")]
    UnknownPayment,
    /// Only the payee does this.
    #[error("only the payee may do this")]
    NotPayee,
    /// Not possible in this state.
    #[error("not possible: the payment is {}", status.code())]
    WrongStatus {
        /// The state.
        status: PaymentStatus,
    },
    /// The money would go back before anyone could take it.
    #[error("the deadline has passed already")]
    DeadlinePassed,
    /// The money would be held for too long.
    #[error("money is held until {latest} at most")]
    HoldTooLong {
        /// The latest deadline.
        latest: UnixMillis,
    },
    /// More than was set aside.
    #[error("{authorized} can be taken at most")]
    CaptureTooLarge {
        /// What was set aside.
        authorized: Amount,
    },
    /// More than was paid, what went back already counted in.
    #[error("{refundable} can be given back at most")]
    RefundTooLarge {
        /// What could be given back.
        refundable: Amount,
    },
}

codes_of! {
    pub(crate) PaymentRejection {
        ZeroAmount => "ZERO_AMOUNT",
        SelfPayment => "SELF_PAYMENT",
        UnknownPayee => "UNKNOWN_PAYEE",
        ReferenceUsed => "REFERENCE_USED",
        UnknownPayment => "UNKNOWN_PAYMENT",
        NotPayee => "NOT_PAYEE",
        WrongStatus => "WRONG_PAYMENT_STATUS",
        DeadlinePassed => "DEADLINE_PASSED",
        HoldTooLong => "HOLD_TOO_LONG",
        CaptureTooLarge => "CAPTURE_TOO_LARGE",
        RefundTooLarge => "REFUND_TOO_LARGE",
    }
}
