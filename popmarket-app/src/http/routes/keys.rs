//! The keys of accounts, and what an owner lets them do.

use axum::Json;
use axum::extract::State;
use ledger::{AccountOp, AssetId, binding_preimage};
use pbft_crypto::{Address, PublicKey};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::caller::SignedIn;
use crate::http::cursor::parsed;
use crate::http::extract::{Id, JsonBody, Nothing, OptionalBody, Query};
use crate::http::model::{KeyNaming, KeyView, Kind, LimitView, List, NewKey, NewLimit, OwnKeys, Reply};
use crate::http::once::Settled;
use crate::http::problem::Answer;
use crate::http::state::AppState;
use crate::http::submit::{Intent, Subject};

/// The sender's own account.
pub(super) fn own(intent: &Intent) -> Subject {
    Subject::Old(Kind::Account, intent.member.address().to_string())
}

/// One's own keys, revoked ones among them, and what a new key has to sign.
#[utoipa::path(get, path = "/v1/members/me/keys", tag = "keys", responses(
    (status = 200, description = "All of them.", body = OwnKeys),
))]
pub(super) async fn list(State(state): State<AppState>, member: SignedIn) -> Json<OwnKeys> {
    let me = member.address();
    Json(state.gateway.view().read(|ledger| OwnKeys {
        data: KeyView::all(ledger, &me, true),
        to_sign: hex::encode(binding_preimage(ledger.chain_id(), &me)),
    }))
}

/// The keys of an account, as everyone sees them.
#[utoipa::path(get, path = "/v1/accounts/{address}/keys", tag = "keys", params(("address" = String, Path, description = "The account.")), responses(
    (status = 200, description = "All of them.", body = List<KeyView>),
))]
pub(super) async fn of_account(
    State(state): State<AppState>,
    Id(address): Id<Address>,
) -> Answer<Json<List<KeyView>>> {
    super::wallets::exists(&state, &address).await?;
    let data = state.gateway.view().read(|ledger| KeyView::all(ledger, &address, false));
    Ok(Json(List { data, has_more: false }))
}

/// Add a key of your own to your account.
///
/// All keys of an account sign for it alike. Members whose key the server keeps take it into their own hands in this way:
/// add a key, then revoke the server's.
#[utoipa::path(post, path = "/v1/members/me/keys", tag = "keys", request_body = NewKey, responses(
    (status = 201, description = "It signs for the account.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn add(
    State(state): State<AppState>,
    intent: Intent,
    body: JsonBody<NewKey>,
) -> Answer<Settled> {
    let NewKey { public_key, proof, label } = body.value;
    let (operation, subject) = (AccountOp::AddKey { public_key, proof, label }, own(&intent));
    intent.carry_out(&state, body.fingerprint, operation, subject).await
}

/// Give a key another name.
#[utoipa::path(patch, path = "/v1/members/me/keys/{public_key}", tag = "keys", params(("public_key" = String, Path, description = "The key.")), request_body = KeyNaming, responses(
    (status = 201, description = "It has the name.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn rename(
    State(state): State<AppState>,
    intent: Intent,
    Id(public_key): Id<PublicKey>,
    body: JsonBody<KeyNaming>,
) -> Answer<Settled> {
    let operation = AccountOp::LabelKey { public_key, label: body.value.label };
    let subject = own(&intent);
    intent.carry_out(&state, body.fingerprint, operation, subject).await
}

/// Revoke a key: it never signs again, for any account. The last one stays.
#[utoipa::path(delete, path = "/v1/members/me/keys/{public_key}", tag = "keys", params(("public_key" = String, Path, description = "The key.")), responses(
    (status = 201, description = "It signs no more.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn revoke(
    State(state): State<AppState>,
    intent: Intent,
    Id(public_key): Id<PublicKey>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    let (operation, subject) = (AccountOp::RevokeKey { public_key }, own(&intent));
    intent.carry_out(&state, body.fingerprint, operation, subject).await
}

/// Which limit.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LimitQuery {
    /// Of what: `POP`, or the symbol of a token.
    #[param(default = "POP", example = "POP")]
    asset: Option<String>,
}

/// How much of an asset may leave your account in a day.
#[utoipa::path(get, path = "/v1/members/me/limit", tag = "keys", params(LimitQuery), responses(
    (status = 200, description = "The limit, and what was spent today.", body = LimitView),
))]
pub(super) async fn limit(
    State(state): State<AppState>,
    member: SignedIn,
    Query(query): Query<LimitQuery>,
) -> Answer<Json<LimitView>> {
    let me = member.address();
    let asset = parsed("asset", query.asset)?.unwrap_or(AssetId::Pop);
    Ok(Json(state.gateway.view().read(|ledger| LimitView::new(ledger, &me, asset))))
}

/// Say how much may leave your account in a day. Less holds at once, more after a day.
#[utoipa::path(put, path = "/v1/members/me/limit", tag = "keys", request_body = NewLimit, responses(
    (status = 201, description = "It is recorded.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn set_limit(
    State(state): State<AppState>,
    intent: Intent,
    body: JsonBody<NewLimit>,
) -> Answer<Settled> {
    let NewLimit { per_day, asset } = body.value;
    let (operation, subject) = (AccountOp::SetLimit { asset, per_day }, own(&intent));
    intent.carry_out(&state, body.fingerprint, operation, subject).await
}
