use ledger::{Amount, AssetId, Memo, Name, Reason, WithdrawalId, WithdrawalStatus};
use pbft_crypto::Address;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{coin, no_memo, only_coin};
use crate::http::timestamp::rfc3339;
use crate::read_model::WithdrawalRecord;

/// Money to be taken out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWithdrawal {
    /// How much, in minor units.
    #[schema(value_type = String, example = "50000", pattern = "^[0-9]{1,20}$")]
    pub amount: Amount,
    /// Of what.
    #[serde(default = "coin", deserialize_with = "only_coin")]
    #[schema(value_type = String, example = "POP", default = "POP")]
    pub asset: AssetId,
    /// What an admin needs to pay it out.
    #[serde(default = "no_memo")]
    #[schema(value_type = String, max_length = 256)]
    pub memo: Memo,
}

/// Why nothing comes of a withdrawal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Voiding {
    /// For the others.
    #[schema(value_type = String, max_length = 200, example = "no such bank account")]
    pub reason: Reason,
}

/// A request to take money out, as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub struct WithdrawalView {
    /// What names it.
    #[schema(value_type = String)]
    pub id: WithdrawalId,
    /// Whose money it is.
    #[schema(value_type = String)]
    pub owner: Address,
    /// The name of the owner.
    #[schema(value_type = String)]
    pub owner_name: Name,
    /// How much.
    #[schema(value_type = String, example = "50000")]
    pub amount: Amount,
    /// Of what.
    #[schema(value_type = String, example = "POP")]
    pub asset: AssetId,
    /// What an admin needs to pay it out.
    #[schema(value_type = String)]
    pub memo: Memo,
    /// `REQUESTED` (the money is held), `SETTLED` (it is burned and paid out) or `VOIDED` (the owner has it back).
    #[schema(example = "REQUESTED")]
    pub status: &'static str,
    /// Who decided.
    #[schema(value_type = Option<String>)]
    pub decided_by: Option<Address>,
    /// When that was.
    #[schema(format = DateTime)]
    pub decided_at: Option<String>,
    /// Why it was voided.
    #[schema(value_type = Option<String>)]
    pub reason: Option<Reason>,
    /// When it was asked for.
    #[schema(format = DateTime)]
    pub requested_at: String,
}

impl From<WithdrawalRecord> for WithdrawalView {
    fn from(record: WithdrawalRecord) -> Self {
        let WithdrawalRecord { id, owner, owner_name, amount, memo, status, reason, requested_at } = record;
        let decided = match status {
            WithdrawalStatus::Requested => None,
            WithdrawalStatus::Settled { by, at } | WithdrawalStatus::Voided { by, at } => Some((by, at)),
        };
        Self {
            id,
            owner,
            owner_name,
            amount,
            asset: AssetId::Pop,
            memo,
            status: status.code(),
            decided_by: decided.map(|(by, _)| by),
            decided_at: decided.map(|(_, at)| rfc3339(at)),
            reason,
            requested_at: rfc3339(requested_at),
        }
    }
}

/// Withdrawals, newest first.
pub type WithdrawalList = super::List<WithdrawalView>;
