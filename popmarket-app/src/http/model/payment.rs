use ledger::{Amount, AssetId, Height, Memo, PaymentStatus, Reference, TxId};
use pbft_crypto::Address;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Viewer, coin, no_memo};
use crate::http::timestamp::{Moment, rfc3339};
use crate::read_model::PaymentRecord;

/// Money for someone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPayment {
    /// Whom to pay.
    #[schema(value_type = String)]
    pub to: Address,
    /// How much, in minor units.
    #[schema(value_type = String, example = "1000", pattern = "^[0-9]{1,20}$")]
    pub amount: Amount,
    /// Of what.
    #[serde(default = "coin")]
    #[schema(value_type = String, example = "POP", default = "POP")]
    pub asset: AssetId,
    /// The payee's own number for it, which can be paid once only.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    pub reference: Option<Reference>,
    /// A note to the payee.
    #[serde(default = "no_memo")]
    #[schema(value_type = String, max_length = 256)]
    pub memo: Memo,
    /// Does not pay at once: the money is held until the payee captures it, and goes back at this time.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub hold_until: Option<Moment>,
}

/// How much of a payment.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentPart {
    /// How much, in minor units. All that there is, if nothing is said.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "1000", pattern = "^[0-9]{1,20}$")]
    pub amount: Option<Amount>,
}

/// A payment that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentView {
    /// The transaction.
    #[schema(value_type = String)]
    pub tx_id: TxId,
    /// Its block.
    #[schema(value_type = u64)]
    pub height: Height,
    /// Who pays.
    #[schema(value_type = String)]
    pub from: Address,
    /// Who is paid.
    #[schema(value_type = String)]
    pub to: Address,
    /// How much.
    #[schema(value_type = String, example = "1000")]
    pub amount: Amount,
    /// Of what.
    #[schema(value_type = String, example = "POP")]
    pub asset: AssetId,
    /// The payee's own number for it. Only payer, payee and admins see it here.
    #[schema(value_type = Option<String>)]
    pub reference: Option<Reference>,
    /// A note to the payee. Only payer, payee and admins see it here.
    #[schema(value_type = Option<String>)]
    pub memo: Option<Memo>,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// `AUTHORIZED`: the money is held. `PAID`: the payee has it. `VOIDED`: it went back.
    #[schema(example = "PAID")]
    pub status: &'static str,
    /// When it goes back by itself, while it is held.
    #[schema(format = DateTime)]
    pub hold_until: Option<String>,
    /// What the payee got: less than `amount` if only a part was captured.
    #[schema(value_type = String, example = "1000")]
    pub paid: Amount,
    /// What the payee gave back since.
    #[schema(value_type = String, example = "0")]
    pub refunded: Amount,
    /// When something happened to it last.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

impl PaymentView {
    /// As someone sees it.
    pub fn new(record: PaymentRecord, viewer: &Viewer) -> Self {
        let PaymentRecord { tx, height, from, to, asset, amount, reference, memo, at, status, updated_at } =
            record;
        let concerned = viewer.may_see(&[&from, &to]);
        let (reference, memo) = (reference.filter(|_| concerned), concerned.then_some(memo));
        let (hold_until, paid, refunded) = match status {
            PaymentStatus::Authorized { until } => (Some(rfc3339(until)), Amount::ZERO, Amount::ZERO),
            PaymentStatus::Paid { paid, refunded } => (None, paid, refunded),
            PaymentStatus::Voided => (None, Amount::ZERO, Amount::ZERO),
        };
        Self {
            tx_id: tx,
            height,
            from,
            to,
            amount,
            asset,
            reference,
            memo,
            at: rfc3339(at),
            status: status.code(),
            hold_until,
            paid,
            refunded,
            updated_at: rfc3339(updated_at),
        }
    }
}

/// Payments, newest first.
pub type PaymentList = super::List<PaymentView>;
