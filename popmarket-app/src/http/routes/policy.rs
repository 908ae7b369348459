//! The terms of automatic approval: an admin asks for them, another one decides. Everybody sees them.

use axum::Json;
use axum::extract::State;
use ledger::{ChargeOp, PolicyProposalId};

use crate::http::extract::{Id, JsonBody, Nothing, OptionalBody};
use crate::http::model::{Kind, NewPolicy, PolicyView, Rejecting, Reply};
use crate::http::once::Settled;
use crate::http::problem::Answer;
use crate::http::state::AppState;
use crate::http::submit::{Intent, Subject};

/// How charges are decided on: what is approved automatically, and what takes two admins.
#[utoipa::path(get, path = "/v1/charges/policy", tag = "charges", responses(
    (status = 200, description = "The terms, and what an admin asks for instead.", body = PolicyView),
))]
pub(super) async fn show(State(state): State<AppState>) -> Json<PolicyView> {
    Json(state.gateway.view().read(|ledger| PolicyView::new(ledger.charge_rules(), ledger.params())))
}

/// Ask for other terms of automatic approval, in the place of what is asked for already. Another admin decides.
#[utoipa::path(post, path = "/v1/charges/policy", tag = "charges", request_body = NewPolicy, responses(
    (status = 201, description = "The wish is recorded.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn propose(
    State(state): State<AppState>,
    intent: Intent,
    body: JsonBody<NewPolicy>,
) -> Answer<Settled> {
    let operation = ChargeOp::ProposePolicy { policy: body.value.policy.map(Into::into) };
    intent.carry_out(&state, body.fingerprint, operation, Subject::New(Kind::ChargePolicy)).await
}

/// Put terms of automatic approval into force. By an admin other than who asked for them.
#[utoipa::path(post, path = "/v1/charges/policy/{id}/approve", tag = "charges", params(("id" = String, Path, description = "The proposal.")), responses(
    (status = 201, description = "They are in force.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn approve(
    State(state): State<AppState>,
    intent: Intent,
    Id(proposal): Id<PolicyProposalId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    let subject = Subject::Old(Kind::ChargePolicy, proposal.to_string());
    intent.carry_out(&state, body.fingerprint, ChargeOp::ApprovePolicy { proposal }, subject).await
}

/// Turn terms of automatic approval down. By an admin other than who asked for them.
#[utoipa::path(post, path = "/v1/charges/policy/{id}/reject", tag = "charges", params(("id" = String, Path, description = "The proposal.")), request_body = Rejecting, responses(
    (status = 201, description = "They are turned down.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn reject(
    State(state): State<AppState>,
    intent: Intent,
    Id(proposal): Id<PolicyProposalId>,
    body: JsonBody<Rejecting>,
) -> Answer<Settled> {
    let subject = Subject::Old(Kind::ChargePolicy, proposal.to_string());
    let operation = ChargeOp::RejectPolicy { proposal, reason: body.value.reason };
    intent.carry_out(&state, body.fingerprint, operation, subject).await
}
