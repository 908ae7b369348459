use ledger::{Amount, AssetId, Height, Memo, Reference, TxId};
use pbft_crypto::Address;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Viewer, coin, no_memo};
use crate::http::timestamp::rfc3339;
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
    #[schema(value_type = Option<String>, max_length = 64)]
    pub reference: Option<Reference>,
    /// A note to the payee.
    #[serde(default = "no_memo")]
    #[schema(value_type = Option<String>, max_length = 256)]
    pub memo: Memo,
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
}

impl PaymentView {
    /// As someone sees it.
    pub fn new(record: PaymentRecord, viewer: &Viewer) -> Self {
        let PaymentRecord { tx, height, from, to, asset, amount, reference, memo, at } = record;
        let concerned = viewer.may_see(&[&from, &to]);
        let (reference, memo) = (reference.filter(|_| concerned), concerned.then_some(memo));
        Self { tx_id: tx, height, from, to, amount, asset, reference, memo, at: rfc3339(at) }
    }
}
