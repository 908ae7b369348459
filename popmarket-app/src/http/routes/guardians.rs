//! Guardians and recoveries; and freezes, by which admins stop an account.

use axum::Json;
use axum::extract::State;
use ledger::{AccountOp, Ledger, Recovery, RecoveryId, RecoveryPlace};
use pbft_crypto::Address;
use serde::Deserialize;
use utoipa::IntoParams;

use super::keys::own;
use crate::http::caller::SignedIn;
use crate::http::code::Code;
use crate::http::cursor::{cut, page, parsed, start_of};
use crate::http::extract::{Id, JsonBody, Nothing, OptionalBody, Query};
use crate::http::model::{
    Freezing, GuardiansView, Kind, NewGuardians, NewRecovery, RecoveryList, RecoveryView, Reply,
};
use crate::http::once::Settled;
use crate::http::problem::{Answer, Problem};
use crate::http::state::AppState;
use crate::http::submit::{Intent, Subject};
use crate::read_model::{PageRequest, PageStart};

/// How many of the accounts that one guards are looked at at a time: anybody may name anybody.
const MAX_GUARDED: usize = 100;

/// Who may bring your account back; null if you have never named anyone. What they have begun is at
/// `/v1/members/me/recoveries`.
#[utoipa::path(get, path = "/v1/members/me/guardians", tag = "keys", responses(
    (status = 200, description = "They.", body = Option<GuardiansView>),
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

/// As a guardian, ask for a new key for an account whose own are lost. What you have asked for before, with another key, and too few agree to lapses.
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

/// Which recoveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RecoveriesQuery {
    /// `PROPOSED`, `READY`, `DONE`, `CANCELLED` or `LAPSED`.
    status: Option<String>,
    /// Not of your own account, and of those whose guardian you are only of the ones after this one: `next_guarded` of an answer.
    guarded_after: Option<String>,
    /// How many items, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The id of the item before the first one wanted.
    starting_after: Option<String>,
    /// The id of the item after the last one wanted.
    ending_before: Option<String>,
}

/// Recoveries of your account and of those whose guardian you are, newest first.
///
/// Anybody may name you. If more than 100 have, these are those of the first 100 by their addresses, and `next_guarded` is
/// `guarded_after` of the request for the next ones.
#[utoipa::path(get, path = "/v1/members/me/recoveries", tag = "keys", params(RecoveriesQuery), responses(
    (status = 200, description = "A part of the list.", body = RecoveryList),
))]
pub(super) async fn recoveries(
    State(state): State<AppState>,
    member: SignedIn,
    Query(query): Query<RecoveriesQuery>,
) -> Answer<Json<RecoveryList>> {
    let status = query.status.as_deref().map(recovery_code).transpose()?;
    let start = page::<RecoveryId>(
        query.limit,
        parsed("starting_after", query.starting_after)?,
        parsed("ending_before", query.ending_before)?,
    )?;
    let guarded_after: Option<Address> = parsed("guarded_after", query.guarded_after)?;
    state.gateway.view().read(|ledger| -> Answer<Json<RecoveryList>> {
        let (accounts, next_guarded) = looked_at(ledger, member.address(), guarded_after);
        let anchor = start_of(&start).and_then(|id| Some(ledger.recovery(&id)?.place(id)));
        let some = around(ledger, &accounts, status, &start, anchor);
        let found = cut(some, &start, |(id, row)| row.place(*id), anchor)?;
        let data = found.items.into_iter().map(|(id, row)| RecoveryView::new(id, row)).collect();
        Ok(Json(RecoveryList { data, has_more: found.has_more, next_guarded }))
    })
}

/// One's own account and some of those that one guards, or some more of these; and the last one, if that is not all.
fn looked_at(ledger: &Ledger, me: Address, after: Option<Address>) -> (Vec<Address>, Option<Address>) {
    let mut accounts: Vec<Address> = ledger.guarded_by(&me, after).take(MAX_GUARDED + 1).copied().collect();
    let has_more = accounts.len() > MAX_GUARDED;
    accounts.truncate(MAX_GUARDED);
    let next = accounts.last().copied().filter(|_| has_more);
    if after.is_none() {
        accounts.push(me);
    }
    (accounts, next)
}

/// Of the recoveries of these accounts so many of each one that the page is among them: there may be any number.
fn around<'a>(
    ledger: &'a Ledger,
    accounts: &[Address],
    status: Option<&'static str>,
    page: &PageRequest<RecoveryId>,
    anchor: Option<RecoveryPlace>,
) -> Vec<(RecoveryId, &'a Recovery)> {
    // One more says whether the list goes on.
    let count = usize::try_from(page.limit.value()).unwrap_or(1) + 1;
    let mut found = Vec::new();
    for account in accounts {
        match (page.start, anchor) {
            (PageStart::Before(_), Some(anchor)) => {
                found.extend(ledger.recoveries_before(account, status, anchor).take(count));
            }
            _ => found.extend(ledger.recoveries_after(account, status, anchor).take(count)),
        }
    }
    found
}

fn recovery_code(name: &str) -> Answer<&'static str> {
    let code = ["PROPOSED", "READY", "DONE", "CANCELLED", "LAPSED"].into_iter().find(|code| *code == name);
    let unknown =
        || Problem::because(Code::INVALID_QUERY, "status: PROPOSED, READY, DONE, CANCELLED or LAPSED");
    Ok(code.ok_or_else(unknown)?)
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

/// As a guardian, agree to a recovery; once more if your account was frozen since you did. Once enough have, the delay begins.
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
