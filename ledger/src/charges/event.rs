//! What happens to charges.

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};

use super::{Approver, ChargePolicy};
use crate::amount::Amount;
use crate::event::event_names;
use crate::ids::{ChargeId, PolicyProposalId};
use crate::text::{Memo, Reason};
use crate::time::UnixMillis;

/// What happens to charges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeEvent {
    /// Someone asks.
    Requested {
        /// Which charge.
        charge: ChargeId,
        /// Who asks.
        requester: Address,
        /// For how much.
        amount: Amount,
        /// What an admin needs to find the deposit.
        memo: Memo,
        /// When.
        at: UnixMillis,
    },
    /// The amount was minted.
    Approved {
        /// Which charge.
        charge: ChargeId,
        /// Who asked.
        requester: Address,
        /// For how much.
        amount: Amount,
        /// Who decided.
        by: Approver,
        /// How many charges of the requester were approved, with this one.
        charge_count: u64,
        /// The requester's loyalty points, with those for this one.
        points: u64,
        /// When.
        at: UnixMillis,
    },
    /// It was turned down.
    Rejected {
        /// Which charge.
        charge: ChargeId,
        /// Who asked.
        requester: Address,
        /// For how much.
        amount: Amount,
        /// Who decided.
        by: Address,
        /// Why.
        reason: Reason,
        /// When.
        at: UnixMillis,
    },
    /// One admin approved it, and it takes another one.
    ApprovedOnce {
        /// Which charge.
        charge: ChargeId,
        /// Who asked.
        requester: Address,
        /// For how much.
        amount: Amount,
        /// Who approved it.
        by: Address,
        /// When.
        at: UnixMillis,
    },
    /// An admin asks for terms of automatic approval.
    PolicyProposed {
        /// Which proposal.
        proposal: PolicyProposalId,
        /// Who asks.
        proposer: Address,
        /// For what.
        policy: Option<ChargePolicy>,
        /// When.
        at: UnixMillis,
    },
    /// They are in force.
    PolicySet {
        /// Which proposal.
        proposal: PolicyProposalId,
        /// Who asked.
        proposer: Address,
        /// Who decided.
        by: Address,
        /// The terms.
        policy: Option<ChargePolicy>,
        /// When.
        at: UnixMillis,
    },
    /// They were turned down.
    PolicyRejected {
        /// Which proposal.
        proposal: PolicyProposalId,
        /// Who asked.
        proposer: Address,
        /// Who decided.
        by: Address,
        /// Why.
        reason: Reason,
        /// When.
        at: UnixMillis,
    },
}

event_names! {
    ChargeEvent {
        Self::Requested { .. } => "charge.requested",
        Self::Approved { .. } => "charge.approved",
        Self::Rejected { .. } => "charge.rejected",
        Self::ApprovedOnce { .. } => "charge.approved_once",
        Self::PolicyProposed { .. } => "charge.policy_proposed",
        Self::PolicySet { .. } => "charge.policy_set",
        Self::PolicyRejected { .. } => "charge.policy_rejected",
    }
}
