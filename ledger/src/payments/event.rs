//! What happens to payments.

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};

use crate::amount::{Amount, AssetId};
use crate::event::event_names;
use crate::ids::{PaymentId, TxId};
use crate::text::{Memo, Reference};
use crate::time::UnixMillis;

/// Who or what voids a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoidedBy {
    /// The payee.
    Payee,
    /// Time.
    Deadline,
}

/// What happens to payments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentEvent {
    /// Money went from one account to another.
    Paid {
        /// The payment.
        tx: TxId,
        /// Who pays.
        from: Address,
        /// Who is paid.
        to: Address,
        /// In what.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// The payee's own number for it.
        reference: Option<Reference>,
        /// A note to the payee.
        memo: Memo,
        /// When.
        at: UnixMillis,
    },
    /// Money is held for the payee.
    Authorized {
        /// The payment.
        payment: PaymentId,
        /// Who pays.
        from: Address,
        /// For whom it is held.
        to: Address,
        /// In what.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// The payee's own number for it.
        reference: Option<Reference>,
        /// A note to the payee.
        memo: Memo,
        /// When it goes back by itself.
        until: UnixMillis,
        /// When.
        at: UnixMillis,
    },
    /// The payee took what was held, or some of it.
    Captured {
        /// The payment.
        payment: PaymentId,
        /// Who pays.
        from: Address,
        /// Who is paid.
        to: Address,
        /// In what.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// What went back to the payer.
        returned: Amount,
        /// When.
        at: UnixMillis,
    },
    /// What was held went back to the payer.
    Voided {
        /// The payment.
        payment: PaymentId,
        /// Who gets it back.
        from: Address,
        /// For whom it was held.
        to: Address,
        /// In what.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// Who or what voids it.
        by: VoidedBy,
        /// When.
        at: UnixMillis,
    },
    /// The payee gave something back.
    Refunded {
        /// The payment.
        payment: PaymentId,
        /// Who gets it back.
        from: Address,
        /// Who gives it back.
        to: Address,
        /// In what.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// How much in all, with this.
        refunded: Amount,
        /// When.
        at: UnixMillis,
    },
}

event_names! {
    PaymentEvent {
        Self::Paid { .. } => "payment.paid",
        Self::Authorized { .. } => "payment.authorized",
        Self::Captured { .. } => "payment.captured",
        Self::Voided { .. } => "payment.voided",
        Self::Refunded { .. } => "payment.refunded",
    }
}

impl PaymentEvent {
    /// Payer and payee.
    pub const fn parties(&self) -> [&Address; 2] {
        match self {
            Self::Paid { from, to, .. }
            | Self::Authorized { from, to, .. }
            | Self::Captured { from, to, .. }
            | Self::Voided { from, to, .. }
            | Self::Refunded { from, to, .. } => [from, to],
        }
    }
}
