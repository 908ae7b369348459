//! Guardians and recoveries; and freezes, by which admins stop an account.

use axum::Json;
use axum::extract::State;
use ledger::{AccountOp, RecoveryId};
use pbft_crypto::Address;

use super::keys::own;
use crate::http::caller::SignedIn;
use crate::http::code::Code;
use crate::http::extract::{Id, JsonBody, Nothing, OptionalBody};
use crate::http::model::{Freezing, GuardiansView, Kind, NewGuardians, NewRecovery, RecoveryView, Reply};
use crate::http::once::Settled;
use crate::http::problem::{Answer, Problem};
use crate::http::state::AppState;
use crate::http::submit::{Intent, Subject};

/// Who may bring your account back; null if you have never named anyone.
#[utoipa::path(get, path = "/v1/members/me/guardians", tag = "keys", responses(
    (status = 200, description = "They, and what they have begun.", body = Option<GuardiansView>),
))]
pub(super) async fn show(State(state): State<AppState>, member: SignedIn) -> Json<Option<GuardiansView>> {
    let me = member.address();
    Json(state.gateway.view().read(|ledger| GuardiansView::new(ledger, &me)))
}

/// Name those who may bring your account back, should you lose all keys. What others have begun comes to nothing.
#[utoipa::path(put, path = "/v1/members/me/guardians", tag = "keys", request_body = NewGuardians, responses(
    (status = 201, description = "They are named.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn set(
    State(state): State<AppState>,
    intent: Intent,
    body: JsonBody<NewGuardians>,
) -> Answer<Settled> {
    let delay = body.value.delay();
    let NewGuardians { guardians, threshold, .. } = body.value;
    let (operation, subject) = (AccountOp::SetGuardians { guardians, threshold, delay }, own(&intent));
    intent.carry_out(&state, body.fingerprint, operation, subject).await
}

/// As a guardian, ask for a new key for an account whose own are lost.
#[utoipa::path(post, path = "/v1/accounts/{address}/recoveries", tag = "keys", params(("address" = String, Path, description = "The account.")), request_body = NewRecovery, responses(
    (status = 201, description = "The wish is recorded.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn propose(
    State(state): State<AppState>,
    intent: Intent,
    Id(account): Id<Address>,
    body: JsonBody<NewRecovery>,
) -> Answer<Settled> {
    let NewRecovery { public_key, proof } = body.value;
    let operation = AccountOp::ProposeRecovery { account, public_key, proof };
    intent.carry_out(&state, body.fingerprint, operation, Subject::New(Kind::Recovery)).await
}

/// A recovery, as everyone sees it.
#[utoipa::path(get, path = "/v1/recoveries/{id}", tag = "keys", params(("id" = String, Path, description = "The recovery.")), responses(
    (status = 200, description = "The recovery.", body = RecoveryView),
))]
pub(super) async fn recovery(
    State(state): State<AppState>,
    Id(id): Id<RecoveryId>,
) -> Answer<Json<RecoveryView>> {
    let view = state.gateway.view();
    let found = view.read(|ledger| ledger.recovery(&id).map(|row| RecoveryView::new(id, row)));
    Ok(Json(found.ok_or_else(|| Problem::new(Code::UNKNOWN_RECOVERY))?))
}

/// As a guardian, agree to a recovery. Once enough have, the delay begins.
#[utoipa::path(post, path = "/v1/recoveries/{id}/agree", tag = "keys", params(("id" = String, Path, description = "The recovery.")), responses(
    (status = 201, description = "You agree.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn agree(
    State(state): State<AppState>,
    intent: Intent,
    Id(recovery): Id<RecoveryId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    let subject = Subject::Old(Kind::Recovery, recovery.to_string());
    intent.carry_out(&state, body.fingerprint, AccountOp::AgreeToRecovery { recovery }, subject).await
}

/// Stop the recovery of your account, until it takes effect.
#[utoipa::path(post, path = "/v1/recoveries/{id}/cancel", tag = "keys", params(("id" = String, Path, description = "The recovery.")), responses(
    (status = 201, description = "It is stopped.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn cancel(
    State(state): State<AppState>,
    intent: Intent,
    Id(recovery): Id<RecoveryId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    let subject = Subject::Old(Kind::Recovery, recovery.to_string());
    intent.carry_out(&state, body.fingerprint, AccountOp::CancelRecovery { recovery }, subject).await
}

/// Stop an account from spending: it neither pays, buys nor withdraws. Everybody can read why.
#[utoipa::path(post, path = "/v1/accounts/{address}/freeze", tag = "keys", params(("address" = String, Path, description = "The account.")), request_body = Freezing, responses(
    (status = 201, description = "It is frozen.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn freeze(
    State(state): State<AppState>,
    intent: Intent,
    Id(account): Id<Address>,
    body: JsonBody<Freezing>,
) -> Answer<Settled> {
    let subject = Subject::Old(Kind::Account, account.to_string());
    let operation = AccountOp::Freeze { account, reason: body.value.reason };
    intent.carry_out(&state, body.fingerprint, operation, subject).await
}

/// Let an account spend again. By an admin other than who stopped it.
#[utoipa::path(post, path = "/v1/accounts/{address}/unfreeze", tag = "keys", params(("address" = String, Path, description = "The account.")), responses(
    (status = 201, description = "It may spend.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn unfreeze(
    State(state): State<AppState>,
    intent: Intent,
    Id(account): Id<Address>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    let subject = Subject::Old(Kind::Account, account.to_string());
    intent.carry_out(&state, body.fingerprint, AccountOp::Unfreeze { account }, subject).await
}
