use ledger::{Role, RoleChange, RoleChangeId, RoleChangeStatus};
use pbft_crypto::Address;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::timestamp::rfc3339;

/// Another role for an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    /// `member`, `admin`, `arbiter` or `courier`.
    #[schema(value_type = String, example = "arbiter")]
    pub role: Role,
}

/// A change of somebody's role that an admin asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoleChangeView {
    /// What names it.
    #[schema(value_type = String)]
    pub id: RoleChangeId,
    /// Who asks.
    #[schema(value_type = String)]
    pub proposer: Address,
    /// Whose role.
    #[schema(value_type = String)]
    pub account: Address,
    /// The new one.
    #[schema(value_type = String, example = "arbiter")]
    pub role: Role,
    /// `PROPOSED`, `APPROVED` or `REJECTED`.
    #[schema(example = "PROPOSED")]
    pub status: &'static str,
    /// Who decided.
    #[schema(value_type = Option<String>)]
    pub decided_by: Option<Address>,
    /// When that was.
    #[schema(format = DateTime)]
    pub decided_at: Option<String>,
    /// When it was asked for.
    #[schema(format = DateTime)]
    pub proposed_at: String,
}

impl RoleChangeView {
    /// As the ledger has it.
    pub fn new(id: RoleChangeId, change: &RoleChange) -> Self {
        let RoleChange { proposer, account, role, status, proposed_at } = *change;
        let decided = match status {
            RoleChangeStatus::Proposed => None,
            RoleChangeStatus::Approved { by, at } | RoleChangeStatus::Rejected { by, at } => Some((by, at)),
        };
        Self {
            id,
            proposer,
            account,
            role,
            status: status.code(),
            decided_by: decided.map(|(by, _)| by),
            decided_at: decided.map(|(_, at)| rfc3339(at)),
            proposed_at: rfc3339(proposed_at),
        }
    }
}

/// Changes of roles, newest first.
pub type RoleChangeList = super::List<RoleChangeView>;
