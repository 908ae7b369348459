//! Charges: a member asks to be topped up, an admin who saw the money come in mints it.
//!
//! * Nobody decides on a charge of their own. Above [`ChargeParams::two_admins_above`] it takes two admins, and also when what one
//!   admin alone approves in a day would be too much: see [`SoleApprovals`].
//! * A first approval counts as long as whoever gave it is an admin.
//! * Two admins may set a [`ChargePolicy`]: what it covers is approved in the transaction that asks for it.
//! * Approved charges are counted, and earn [loyalty points](ChargeParams::points).

mod alone;
mod event;
mod params;
mod policy;
mod rejection;
mod rules;

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::ids::{ChargeId, PolicyProposalId};
use crate::table::{Row, Table, TableId};
use crate::text::{Memo, Reason};
use crate::time::UnixMillis;

pub use alone::SoleApprovals;
pub use event::ChargeEvent;
pub use params::{ChargeParams, LoyaltyTier};
pub use policy::{AutoCharges, ChargePolicy, ChargeRules, PolicyProposal};
pub use rejection::ChargeRejection;
pub(crate) use rules::apply;

/// Transactions about charges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeOp {
    /// Asks to be topped up.
    Request {
        /// By how much.
        amount: Amount,
        /// What an admin needs to find the deposit. May be empty.
        memo: Memo,
    },
    /// Mints the amount for who asked. By an admin other than that one.
    Approve {
        /// Which.
        charge: ChargeId,
    },
    /// Turns it down. By an admin other than who asked.
    Reject {
        /// Which.
        charge: ChargeId,
        /// Why.
        reason: Reason,
    },
    /// Asks for other terms of automatic approval, in the place of what is asked for already. By an admin.
    ProposePolicy {
        /// The terms; `None` has admins decide on every charge.
        policy: Option<ChargePolicy>,
    },
    /// Puts them into force. By an admin other than who asked.
    ApprovePolicy {
        /// Which.
        proposal: PolicyProposalId,
    },
    /// Turns them down. By an admin other than who asked.
    RejectPolicy {
        /// Which.
        proposal: PolicyProposalId,
        /// Why.
        reason: Reason,
    },
}

/// Who had a charge approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approver {
    /// An admin, the second one where it takes two.
    Admin(Address),
    /// The policy, which two admins have set.
    Policy,
}

/// How far a charge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeStatus {
    /// Nobody has decided.
    Requested,
    /// The amount was minted.
    Approved {
        /// Who decided.
        by: Approver,
        /// When.
        at: UnixMillis,
    },
    /// Turned down.
    Rejected {
        /// Who decided.
        by: Address,
        /// When.
        at: UnixMillis,
    },
}

impl ChargeStatus {
    /// A name that never changes.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Approved { .. } => "APPROVED",
            Self::Rejected { .. } => "REJECTED",
        }
    }
}

/// A request to be topped up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Who asks.
    pub requester: Address,
    /// For how much.
    pub amount: Amount,
    /// How far it is.
    pub status: ChargeStatus,
    /// When it was asked for.
    pub requested_at: UnixMillis,
    /// The first of the two admins that it takes, who has approved it. It counts as long as that is an admin.
    pub first_approval: Option<Address>,
}

impl Row for Charge {
    type Key = ChargeId;
    const TABLE: TableId = TableId::Charges;
}

#[derive(Default)]
pub(crate) struct Charges {
    pub(crate) rows: Table<Charge>,
    pub(crate) rules: Table<ChargeRules>,
    pub(crate) automatic: Table<AutoCharges>,
    pub(crate) alone: Table<SoleApprovals>,
}

impl Charges {
    pub(crate) fn find(&self, id: &ChargeId) -> Option<&Charge> {
        self.rows.find(id)
    }

    pub(crate) fn alone_of(&self, account: &Address) -> SoleApprovals {
        self.alone.find(account).copied().unwrap_or_default()
    }

    pub(crate) fn automatic_of(&self, account: &Address) -> AutoCharges {
        self.automatic.find(account).copied().unwrap_or_default()
    }

    pub(crate) fn rules(&self) -> ChargeRules {
        self.rules.find(&()).copied().unwrap_or_default()
    }
}
