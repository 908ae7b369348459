//! Roles: an admin asks for a change, another one decides.

use std::cmp::Reverse;

use axum::Json;
use axum::extract::State;
use ledger::{AccountOp, RoleChange, RoleChangeId, RoleOp, UnixMillis};
use pbft_crypto::Address;

use super::replicas::{ChangesQuery, decision_code};
use crate::http::code::Code;
use crate::http::cursor::{cut, page, parsed, start_of};
use crate::http::extract::{Id, JsonBody, Nothing, OptionalBody, Query};
use crate::http::model::{Kind, List, NewRole, RejectingChange, Reply, RoleChangeList, RoleChangeView};
use crate::http::once::Settled;
use crate::http::problem::{Answer, Problem};
use crate::http::state::AppState;
use crate::http::submit::{Intent, Subject};

/// Ask for another role for an account. Another admin decides.
#[utoipa::path(post, path = "/v1/accounts/{address}/role", tag = "members", params(("address" = String, Path, description = "The account.")), request_body = NewRole, responses(
    (status = 201, description = "The wish is recorded.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn propose(
    State(state): State<AppState>,
    intent: Intent,
    Id(account): Id<Address>,
    body: JsonBody<NewRole>,
) -> Answer<Settled> {
    let operation = AccountOp::Role(RoleOp::Propose { account, role: body.value.role });
    intent.carry_out(&state, body.fingerprint, operation, Subject::New(Kind::RoleChange)).await
}

/// Changes of roles that admins asked for, newest first. Those that are `PROPOSED` are open.
#[utoipa::path(get, path = "/v1/roles/changes", tag = "members", params(ChangesQuery), responses(
    (status = 200, description = "A part of the list.", body = List<RoleChangeView>),
))]
pub(super) async fn changes(
    State(state): State<AppState>,
    Query(query): Query<ChangesQuery>,
) -> Answer<Json<RoleChangeList>> {
    let status = query.status.as_deref().map(decision_code).transpose()?;
    let start = page::<RoleChangeId>(
        query.limit,
        parsed("starting_after", query.starting_after)?,
        parsed("ending_before", query.ending_before)?,
    )?;
    let wanted = |(_, change): &(RoleChangeId, &RoleChange)| {
        status.is_none_or(|status| change.status.code() == status)
    };
    let (all, anchor) = state.gateway.view().read(|ledger| {
        let all = ledger.role_changes().filter(wanted).map(|(id, change)| (id, *change));
        let anchor = start_of(&start).and_then(|id| Some(place(id, ledger.role_change(&id)?)));
        (all.collect::<Vec<_>>(), anchor)
    });
    let found = cut(all, &start, |(id, change)| place(*id, change), anchor)?;
    Ok(Json(List::of(found, |(id, change)| RoleChangeView::new(id, &change))))
}

/// Where a change stands in the list.
const fn place(id: RoleChangeId, change: &RoleChange) -> (Reverse<UnixMillis>, RoleChangeId) {
    (Reverse(change.proposed_at), id)
}

/// A change of somebody's role that an admin asked for.
#[utoipa::path(get, path = "/v1/roles/changes/{id}", tag = "members", params(("id" = String, Path, description = "The change.")), responses(
    (status = 200, description = "The change.", body = RoleChangeView),
))]
pub(super) async fn change(
    State(state): State<AppState>,
    Id(id): Id<RoleChangeId>,
) -> Answer<Json<RoleChangeView>> {
    let view = state.gateway.view();
    let found = view.read(|ledger| ledger.role_change(&id).map(|row| RoleChangeView::new(id, row)));
    Ok(Json(found.ok_or_else(|| Problem::new(Code::UNKNOWN_ROLE_CHANGE))?))
}

/// Approve a change of somebody's role. By an admin other than who asked.
#[utoipa::path(post, path = "/v1/roles/changes/{id}/approve", tag = "members", params(("id" = String, Path, description = "The change.")), responses(
    (status = 201, description = "The account has the role.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn approve(
    State(state): State<AppState>,
    intent: Intent,
    Id(change): Id<RoleChangeId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    let operation = AccountOp::Role(RoleOp::Approve { change });
    intent.carry_out(&state, body.fingerprint, operation, about(change)).await
}

/// Turn a change of somebody's role down. By an admin other than who asked.
#[utoipa::path(post, path = "/v1/roles/changes/{id}/reject", tag = "members", params(("id" = String, Path, description = "The change.")), request_body = RejectingChange, responses(
    (status = 201, description = "It is turned down.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn reject(
    State(state): State<AppState>,
    intent: Intent,
    Id(change): Id<RoleChangeId>,
    body: JsonBody<RejectingChange>,
) -> Answer<Settled> {
    let operation = AccountOp::Role(RoleOp::Reject { change, reason: body.value.reason });
    intent.carry_out(&state, body.fingerprint, operation, about(change)).await
}

fn about(change: RoleChangeId) -> Subject {
    Subject::Old(Kind::RoleChange, change.to_string())
}
