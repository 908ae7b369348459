//! Roles: an admin asks for a change, another one approves it.

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Accounts, Role};
use crate::event::{EventKind, event_names};
use crate::ids::RoleChangeId;
use crate::state::Context;
use crate::table::{Row, TableId};
use crate::text::Reason;
use crate::time::UnixMillis;

/// As many as decide on anything that takes two.
const MIN_ADMINS: usize = 2;

/// Transactions about roles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleOp {
    /// Asks for another role for an account. By an admin.
    Propose {
        /// Whose.
        account: Address,
        /// Which.
        role: Role,
    },
    /// Carries it out. By an admin other than who asked.
    Approve {
        /// Which.
        change: RoleChangeId,
    },
    /// Turns it down. By an admin other than who asked.
    Reject {
        /// Which.
        change: RoleChangeId,
        /// Why.
        reason: Reason,
    },
}

/// A change of somebody's role that an admin asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleChange {
    /// Who asks.
    pub proposer: Address,
    /// Whose role.
    pub account: Address,
    /// The new one.
    pub role: Role,
    /// How far it is.
    pub status: RoleChangeStatus,
    /// When it was asked for.
    pub proposed_at: UnixMillis,
}

impl Row for RoleChange {
    type Key = RoleChangeId;
    const TABLE: TableId = TableId::RoleChanges;
}

/// How far a change of somebody's role is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleChangeStatus {
    /// Nobody has decided.
    Proposed,
    /// It was carried out.
    Approved {
        /// Who decided.
        by: Address,
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

impl RoleChangeStatus {
    /// A name that never changes.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Proposed => "PROPOSED",
            Self::Approved { .. } => "APPROVED",
            Self::Rejected { .. } => "REJECTED",
        }
    }
}

/// Why nobody's role changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum RoleRejection {
    /// Only admins ask and decide.
    #[error("only an admin changes roles")]
    NotAdmin,
    /// Nobody has the address.
    #[error("there is no such member")]
    UnknownMember,
    /// It would change nothing.
    #[error("the member has this role")]
    SameRole,
    /// Nothing that takes two admins could be decided any more.
    #[error("too few admins would be left")]
    TooFewAdmins,
    /// No such change.
    #[error("nobody asked for such a change of a role")]
    UnknownChange,
    /// Nobody decides on a change of their own.
    #[error("another admin decides on this change of a role")]
    OwnChange,
    /// It is decided.
    #[error("the change of a role is decided: {}", status.code())]
    AlreadyDecided {
        /// How.
        status: RoleChangeStatus,
    },
    /// Two admins change a role: who asked is none any more.
    #[error("who asked for it is no admin any more")]
    ProposerNotAdmin,
}

codes_of! {
    pub(crate) RoleRejection {
        NotAdmin => "NOT_ADMIN",
        UnknownMember => "UNKNOWN_MEMBER",
        SameRole => "SAME_ROLE",
        TooFewAdmins => "TOO_FEW_ADMINS",
        UnknownChange => "UNKNOWN_ROLE_CHANGE",
        OwnChange => "OWN_ROLE_CHANGE",
        AlreadyDecided => "ROLE_CHANGE_ALREADY_DECIDED",
        ProposerNotAdmin => "PROPOSER_NOT_ADMIN",
    }
}

/// What happens to roles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleEvent {
    /// An admin asks for a change.
    Proposed {
        /// Which.
        change: RoleChangeId,
        /// Who asks.
        proposer: Address,
        /// Whose role.
        account: Address,
        /// The new one.
        role: Role,
        /// When.
        at: UnixMillis,
    },
    /// The account has another role.
    Approved {
        /// Which change.
        change: RoleChangeId,
        /// Whose role.
        account: Address,
        /// What it was.
        from: Role,
        /// What it is.
        to: Role,
        /// Who decided.
        by: Address,
        /// When.
        at: UnixMillis,
    },
    /// It was turned down.
    Rejected {
        /// Which change.
        change: RoleChangeId,
        /// Whose role.
        account: Address,
        /// Who decided.
        by: Address,
        /// Why.
        reason: Reason,
        /// When.
        at: UnixMillis,
    },
}

event_names! {
    RoleEvent {
        Self::Proposed { .. } => "role.change_proposed",
        Self::Approved { .. } => "role.changed",
        Self::Rejected { .. } => "role.change_rejected",
    }
}

impl RoleEvent {
    /// Whose role it is about.
    pub const fn account(&self) -> &Address {
        match self {
            Self::Proposed { account, .. }
            | Self::Approved { account, .. }
            | Self::Rejected { account, .. } => account,
        }
    }
}

impl Accounts {
    /// Whether an account's role can be changed now. Shows the present one.
    pub(crate) fn check_role(&self, account: &Address, role: Role) -> Result<Role, RoleRejection> {
        let present = self.find(account).ok_or(RoleRejection::UnknownMember)?.role;
        if present == role {
            return Err(RoleRejection::SameRole);
        }
        let admins = self.admins().filter(|who| self.is_admin(who)).count();
        if self.is_admin(account) && admins <= MIN_ADMINS {
            return Err(RoleRejection::TooFewAdmins);
        }
        Ok(present)
    }
}

pub(super) fn apply(
    accounts: &mut Accounts,
    context: &Context,
    op: &RoleOp,
    events: &mut Vec<EventKind>,
) -> Result<(), RoleRejection> {
    let event = match op {
        RoleOp::Propose { account, role } => propose(accounts, context, *account, *role)?,
        RoleOp::Approve { change } => approve(accounts, context, *change)?,
        RoleOp::Reject { change, reason } => reject(accounts, context, *change, reason)?,
    };
    events.push(super::AccountEvent::Role(event).into());
    Ok(())
}

fn propose(
    accounts: &mut Accounts,
    context: &Context,
    account: Address,
    role: Role,
) -> Result<RoleEvent, RoleRejection> {
    if !accounts.is_admin(&context.sender) {
        return Err(RoleRejection::NotAdmin);
    }
    // What could not be carried out now is not worth a decision.
    accounts.check_role(&account, role)?;
    let (proposer, at) = (context.sender, context.now);
    let change = RoleChangeId::from(context.tx);
    let status = RoleChangeStatus::Proposed;
    accounts.role_changes.put(change, RoleChange { proposer, account, role, status, proposed_at: at });
    Ok(RoleEvent::Proposed { change, proposer, account, role, at })
}

fn approve(accounts: &mut Accounts, context: &Context, id: RoleChangeId) -> Result<RoleEvent, RoleRejection> {
    let change = decidable(accounts, context, id)?;
    let RoleChange { proposer, account, role: to, .. } = change;
    if !accounts.is_admin(&proposer) {
        return Err(RoleRejection::ProposerNotAdmin);
    }
    // The roles may be others than when it was asked for.
    let from = accounts.check_role(&account, to)?;
    let (by, at) = (context.sender, context.now);
    let status = RoleChangeStatus::Approved { by, at };
    accounts.role_changes.put(id, RoleChange { status, ..change });
    accounts.set_role(account, to);
    Ok(RoleEvent::Approved { change: id, account, from, to, by, at })
}

fn reject(
    accounts: &mut Accounts,
    context: &Context,
    id: RoleChangeId,
    reason: &Reason,
) -> Result<RoleEvent, RoleRejection> {
    let change = decidable(accounts, context, id)?;
    let (by, at) = (context.sender, context.now);
    let status = RoleChangeStatus::Rejected { by, at };
    accounts.role_changes.put(id, RoleChange { status, ..change });
    Ok(RoleEvent::Rejected { change: id, account: change.account, by, reason: reason.clone(), at })
}

/// The change, if the sender may decide on it now.
fn decidable(accounts: &Accounts, context: &Context, id: RoleChangeId) -> Result<RoleChange, RoleRejection> {
    let change = *accounts.role_changes.find(&id).ok_or(RoleRejection::UnknownChange)?;
    if !accounts.is_admin(&context.sender) {
        return Err(RoleRejection::NotAdmin);
    }
    if change.proposer == context.sender {
        return Err(RoleRejection::OwnChange);
    }
    match change.status {
        RoleChangeStatus::Proposed => Ok(change),
        status => Err(RoleRejection::AlreadyDecided { status }),
    }
}
