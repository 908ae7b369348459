use ledger::{Amount, Approver, AssetId, ChargeId, ChargeStatus, Memo, Name, Reason};
use pbft_crypto::Address;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{coin, no_memo, only_coin};
use crate::http::timestamp::rfc3339;
use crate::read_model::ChargeRecord;

/// A request to be topped up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCharge {
    /// For how much, in minor units.
    #[schema(value_type = String, example = "50000", pattern = "^[0-9]{1,20}$")]
    pub amount: Amount,
    /// Of what.
    #[serde(default = "coin", deserialize_with = "only_coin")]
    #[schema(value_type = String, example = "POP", default = "POP")]
    pub asset: AssetId,
    /// What an admin needs to find the deposit.
    #[serde(default = "no_memo")]
    #[schema(value_type = String, max_length = 256)]
    pub memo: Memo,
}

/// Why a charge is turned down.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rejecting {
    /// For the one who asked.
    #[schema(value_type = String, max_length = 200, example = "no deposit found")]
    pub reason: Reason,
}

/// A request to be topped up, as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChargeView {
    /// What names it.
    #[schema(value_type = String)]
    pub id: ChargeId,
    /// Who asks.
    #[schema(value_type = String)]
    pub requester: Address,
    /// The name of who asks.
    #[schema(value_type = String)]
    pub requester_name: Name,
    /// For how much.
    #[schema(value_type = String, example = "50000")]
    pub amount: Amount,
    /// Of what.
    #[schema(value_type = String, example = "POP")]
    pub asset: AssetId,
    /// What an admin needs to find the deposit.
    #[schema(value_type = String)]
    pub memo: Memo,
    /// `REQUESTED`, `APPROVED` or `REJECTED`.
    #[schema(example = "REQUESTED")]
    pub status: &'static str,
    /// The first of the two admins that it takes, who has approved it.
    #[schema(value_type = Option<String>)]
    pub first_approval: Option<Address>,
    /// Whether the policy approved it: see `/v1/charges/policy`.
    pub by_policy: bool,
    /// Who decided, unless it was the policy.
    #[schema(value_type = Option<String>)]
    pub decided_by: Option<Address>,
    /// When that was.
    #[schema(format = DateTime)]
    pub decided_at: Option<String>,
    /// Why it was turned down.
    #[schema(value_type = Option<String>)]
    pub reason: Option<Reason>,
    /// When it was asked for.
    #[schema(format = DateTime)]
    pub requested_at: String,
}

impl From<ChargeRecord> for ChargeView {
    fn from(record: ChargeRecord) -> Self {
        let ChargeRecord { id, requester, requester_name, amount, memo, status, .. } = record;
        let (by, at) = match status {
            ChargeStatus::Requested => (None, None),
            ChargeStatus::Approved { by, at } => (Some(by), Some(at)),
            ChargeStatus::Rejected { by, at } => (Some(Approver::Admin(by)), Some(at)),
        };
        let decided_by = match by {
            Some(Approver::Admin(by)) => Some(by),
            _ => None,
        };
        Self {
            id,
            requester,
            requester_name,
            amount,
            asset: AssetId::Pop,
            memo,
            status: status.code(),
            first_approval: record.first_approval,
            by_policy: by == Some(Approver::Policy),
            decided_by,
            decided_at: at.map(rfc3339),
            reason: record.reason,
            requested_at: rfc3339(record.requested_at),
        }
    }
}

impl ChargeView {
    /// Whether this admin is the first of the two that it takes.
    pub fn was_approved_by(&self, admin: &Address) -> bool {
        self.first_approval.as_ref() == Some(admin)
    }
}
