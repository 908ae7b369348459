use ledger::{Amount, ChargePolicy, ChargeRules, Params, PolicyProposal, PolicyProposalId};
use pbft_crypto::Address;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::timestamp::rfc3339;

/// Which charges are approved as soon as they are asked for. All of it must hold.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyTerms {
    /// The most that one charge may be, in minor units. Never more than one admin alone may approve.
    #[schema(value_type = String, example = "10000")]
    pub per_charge: Amount,
    /// The most that an account may get in this way in a day, UTC.
    #[schema(value_type = String, example = "20000")]
    pub per_day: Amount,
    /// The most that all accounts together may get in this way in a day, UTC.
    #[schema(value_type = String, example = "1000000")]
    pub all_per_day: Amount,
    /// How many charges of the account were approved before, at least.
    #[schema(example = 3)]
    pub min_charges: u64,
}

impl From<ChargePolicy> for PolicyTerms {
    fn from(policy: ChargePolicy) -> Self {
        let ChargePolicy { per_charge, per_day, all_per_day, min_charges } = policy;
        Self { per_charge, per_day, all_per_day, min_charges }
    }
}

impl From<PolicyTerms> for ChargePolicy {
    fn from(terms: PolicyTerms) -> Self {
        let PolicyTerms { per_charge, per_day, all_per_day, min_charges } = terms;
        Self { per_charge, per_day, all_per_day, min_charges }
    }
}

/// Terms of automatic approval that an admin asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPolicy {
    /// The terms; null has admins decide on every charge. Left out by mistake it must not mean that.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    pub policy: Option<PolicyTerms>,
}

/// Terms that an admin asks for. Another admin decides.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyProposalView {
    /// What names it.
    #[schema(value_type = String)]
    pub id: PolicyProposalId,
    /// Who asks.
    #[schema(value_type = String)]
    pub proposer: Address,
    /// For what; null has admins decide on every charge.
    pub policy: Option<PolicyTerms>,
    /// Since when.
    #[schema(format = DateTime)]
    pub proposed_at: String,
}

impl From<PolicyProposal> for PolicyProposalView {
    fn from(proposal: PolicyProposal) -> Self {
        let PolicyProposal { id, proposer, policy, at } = proposal;
        Self { id, proposer, policy: policy.map(PolicyTerms::from), proposed_at: rfc3339(at) }
    }
}

/// How charges are decided on.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyView {
    /// What is approved automatically; null is nothing.
    pub policy: Option<PolicyTerms>,
    /// What an admin asks for instead.
    pub proposal: Option<PolicyProposalView>,
    /// A charge of more than this takes two admins, and so does what an account would get beyond it in a day, UTC, with the approval
    /// of one.
    #[schema(value_type = String, example = "1000000")]
    pub two_admins_above: Amount,
    /// The most that one admin approves alone in a day, UTC, for all accounts together.
    #[schema(value_type = String, example = "10000000")]
    pub one_admin_per_day: Amount,
}

impl PolicyView {
    /// What the chain says now.
    pub fn new(rules: ChargeRules, params: &Params) -> Self {
        let ChargeRules { policy, proposal, .. } = rules;
        Self {
            policy: policy.map(PolicyTerms::from),
            proposal: proposal.map(Into::into),
            two_admins_above: params.charges.two_admins_above,
            one_admin_per_day: params.charges.one_admin_per_day,
        }
    }
}
