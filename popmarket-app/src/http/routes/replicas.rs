//! The address book of the replicas. Admins ask for changes, other admins decide.

use std::cmp::Reverse;

use axum::Json;
use axum::extract::State;
use ledger::{ReplicaChange, ReplicaChangeId, ReplicaEdit, ReplicaId, ReplicaOp, UnixMillis};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::code::Code;
use crate::http::cursor::{cut, page, parsed, start_of};
use crate::http::extract::{Id, JsonBody, Nothing, OptionalBody, Query};
use crate::http::model::{
    AddressBook, BookEntry, Kind, List, NewReplicaChange, RejectingChange, ReplicaChangeList,
    ReplicaChangeView, Reply,
};
use crate::http::once::Settled;
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::state::AppState;
use crate::http::submit::{Intent, Subject};
use crate::read_model::{Page, PageRequest};

/// The replicas that the state of the ledger asks for, with their keys and addresses. A change takes effect in the consensus
/// a while after it was approved: the blocks say which set decided.
#[utoipa::path(get, path = "/v1/network/replicas", tag = "network", responses(
    (status = 200, description = "All of them.", body = List<BookEntry>),
))]
pub(super) async fn list(State(state): State<AppState>) -> Json<AddressBook> {
    Json(List { data: address_book(&state), has_more: false })
}

/// The replicas that the state of the ledger nearby asks for.
pub(crate) fn address_book(state: &AppState) -> Vec<BookEntry> {
    state.gateway.view().read(|ledger| ledger.members().map(|(id, row)| BookEntry::new(id, row)).collect())
}

/// Ask for a change of the replicas. Another admin decides.
#[utoipa::path(post, path = "/v1/network/replicas", tag = "network", request_body = NewReplicaChange, responses(
    (status = 201, description = "The wish is recorded.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn propose(
    State(state): State<AppState>,
    intent: Intent,
    body: JsonBody<NewReplicaChange>,
) -> Answer<Settled> {
    let operation = ReplicaOp::Propose { edit: body.value.into() };
    intent.carry_out(&state, body.fingerprint, operation, Subject::New(Kind::ReplicaChange)).await
}

/// Ask for the removal of a replica. Another admin decides.
#[utoipa::path(delete, path = "/v1/network/replicas/{id}", tag = "network", params(("id" = u16, Path, description = "The replica.")), responses(
    (status = 201, description = "The wish is recorded.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn remove(
    State(state): State<AppState>,
    intent: Intent,
    Id(id): Id<u16>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    let operation = ReplicaOp::Propose { edit: ReplicaEdit::Remove { id: ReplicaId::new(id) } };
    intent.carry_out(&state, body.fingerprint, operation, Subject::New(Kind::ReplicaChange)).await
}

/// Which changes that one admin asks for and another one decides on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ChangesQuery {
    /// `PROPOSED`, `APPROVED` or `REJECTED`.
    pub(super) status: Option<String>,
    /// How many items, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub(super) limit: Option<u32>,
    /// The id of the item before the first one wanted.
    pub(super) starting_after: Option<String>,
    /// The id of the item after the last one wanted.
    pub(super) ending_before: Option<String>,
}

/// Changes of the replicas that admins asked for, newest first. Those that are `PROPOSED` are open.
#[utoipa::path(get, path = "/v1/network/replicas/changes", tag = "network", params(ChangesQuery), responses(
    (status = 200, description = "A part of the list.", body = List<ReplicaChangeView>),
))]
pub(super) async fn changes(
    State(state): State<AppState>,
    Query(query): Query<ChangesQuery>,
) -> Answer<Json<ReplicaChangeList>> {
    let status = query.status.as_deref().map(decision_code).transpose()?;
    let start = page::<ReplicaChangeId>(
        query.limit,
        parsed("starting_after", query.starting_after)?,
        parsed("ending_before", query.ending_before)?,
    )?;
    let found = changes_from(&state, status, start)?;
    Ok(Json(List::of(found, |(id, change)| ReplicaChangeView::new(id, &change))))
}

/// How far something is that one admin asks for and another one decides on.
pub(super) fn decision_code(name: &str) -> Answer<&'static str> {
    let code = ["PROPOSED", "APPROVED", "REJECTED"].into_iter().find(|code| *code == name);
    Ok(code.ok_or_else(|| Problem::because(Code::INVALID_QUERY, "status: PROPOSED, APPROVED or REJECTED"))?)
}

/// A part of the changes that the ledger nearby has, the newest first.
pub(crate) fn changes_from(
    state: &AppState,
    status: Option<&str>,
    start: PageRequest<ReplicaChangeId>,
) -> Result<Page<(ReplicaChangeId, ReplicaChange)>, Failure> {
    let wanted = |(_, change): &(ReplicaChangeId, &ReplicaChange)| {
        status.is_none_or(|status| change.status.code() == status)
    };
    let (all, anchor) = state.gateway.view().read(|ledger| {
        let all = ledger.replica_changes().filter(wanted).map(|(id, change)| (id, change.clone()));
        let anchor = start_of(&start).and_then(|id| Some(place(id, ledger.replica_change(&id)?)));
        (all.collect::<Vec<_>>(), anchor)
    });
    cut(all, &start, |(id, change)| place(*id, change), anchor)
}

/// Where a change stands in the list.
const fn place(id: ReplicaChangeId, change: &ReplicaChange) -> (Reverse<UnixMillis>, ReplicaChangeId) {
    (Reverse(change.proposed_at), id)
}

/// A change of the replicas that an admin asked for.
#[utoipa::path(get, path = "/v1/network/replicas/changes/{id}", tag = "network", params(("id" = String, Path, description = "The change.")), responses(
    (status = 200, description = "The change.", body = ReplicaChangeView),
))]
pub(super) async fn change(
    State(state): State<AppState>,
    Id(id): Id<ReplicaChangeId>,
) -> Answer<Json<ReplicaChangeView>> {
    let view = state.gateway.view();
    let found = view.read(|ledger| ledger.replica_change(&id).map(|row| ReplicaChangeView::new(id, row)));
    Ok(Json(found.ok_or_else(|| Problem::new(Code::UNKNOWN_REPLICA_CHANGE))?))
}

/// Approve a change of the replicas: the ledger asks the consensus for it. By an admin other than who asked.
#[utoipa::path(post, path = "/v1/network/replicas/changes/{id}/approve", tag = "network", params(("id" = String, Path, description = "The change.")), responses(
    (status = 201, description = "The ledger asks for it.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn approve(
    State(state): State<AppState>,
    intent: Intent,
    Id(change): Id<ReplicaChangeId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    let subject = Subject::Old(Kind::ReplicaChange, change.to_string());
    intent.carry_out(&state, body.fingerprint, ReplicaOp::Approve { change }, subject).await
}

/// Turn a change of the replicas down. By an admin other than who asked.
#[utoipa::path(post, path = "/v1/network/replicas/changes/{id}/reject", tag = "network", params(("id" = String, Path, description = "The change.")), request_body = RejectingChange, responses(
    (status = 201, description = "It is turned down.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn reject(
    State(state): State<AppState>,
    intent: Intent,
    Id(change): Id<ReplicaChangeId>,
    body: JsonBody<RejectingChange>,
) -> Answer<Settled> {
    let subject = Subject::Old(Kind::ReplicaChange, change.to_string());
    let operation = ReplicaOp::Reject { change, reason: body.value.reason };
    intent.carry_out(&state, body.fingerprint, operation, subject).await
}
