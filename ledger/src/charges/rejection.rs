//! Why nothing happens to a charge.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ChargeStatus;

/// Why nothing happens to a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum ChargeRejection {
    /// A charge of nothing.
    #[error("the amount is zero")]
    ZeroAmount,
    /// No such charge.
    #[error("there is no such charge")]
    UnknownCharge,
    /// Only admins decide.
    #[error("only an admin decides on charges")]
    NotAdmin,
    /// Nobody decides on a charge of their own.
    #[error("another admin decides on this charge")]
    OwnCharge,
    /// It is decided.
    #[error("the charge is decided: {}", status.code())]
    AlreadyDecided {
        /// How.
        status: ChargeStatus,
    },
    /// The admin has approved it; it takes another one.
    #[error("this admin has approved it, another one has to as well")]
    AlreadyApproved,
    /// Nobody asks for these terms.
    #[error("nobody asks for these terms")]
    UnknownPolicyProposal,
    /// Nobody decides on terms of their own.
    #[error("another admin decides on these terms")]
    OwnPolicyProposal,
    /// Two admins set terms: who asked is none any more.
    #[error("who asked for it is no admin any more")]
    ProposerNotAdmin,
}

impl ChargeRejection {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::ZeroAmount => "ZERO_AMOUNT",
            Self::UnknownCharge => "UNKNOWN_CHARGE",
            Self::NotAdmin => "NOT_ADMIN",
            Self::OwnCharge => "OWN_CHARGE",
            Self::AlreadyDecided { .. } => "CHARGE_ALREADY_DECIDED",
            Self::AlreadyApproved => "CHARGE_ALREADY_APPROVED",
            Self::UnknownPolicyProposal => "UNKNOWN_POLICY_PROPOSAL",
            Self::OwnPolicyProposal => "OWN_POLICY_PROPOSAL",
            Self::ProposerNotAdmin => "PROPOSER_NOT_ADMIN",
        }
    }
}
