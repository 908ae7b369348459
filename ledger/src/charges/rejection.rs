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

codes_of! {
    pub(crate) ChargeRejection {
        ZeroAmount => "ZERO_AMOUNT",
        UnknownCharge => "UNKNOWN_CHARGE",
        NotAdmin => "NOT_ADMIN",
        OwnCharge => "OWN_CHARGE",
        AlreadyDecided => "CHARGE_ALREADY_DECIDED",
        AlreadyApproved => "CHARGE_ALREADY_APPROVED",
        UnknownPolicyProposal => "UNKNOWN_POLICY_PROPOSAL",
        OwnPolicyProposal => "OWN_POLICY_PROPOSAL",
        ProposerNotAdmin => "PROPOSER_NOT_ADMIN",
    }
}
