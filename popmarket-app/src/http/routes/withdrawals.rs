//! Withdrawals: members take money out, admins settle.

use axum::Json;
use axum::extract::State;
use ledger::{WithdrawalId, WithdrawalOp};
use pbft_crypto::Address;
use serde::Deserialize;
use utoipa::IntoParams;

use super::read_problem;
use crate::http::caller::SignedIn;
use crate::http::code::Code;
use crate::http::cursor::{page, parsed};
use crate::http::extract::{Id, JsonBody, Nothing, OptionalBody, Query};
use crate::http::model::{Kind, List, NewWithdrawal, Reply, Voiding, WithdrawalList, WithdrawalView};
use crate::http::once::Settled;
use crate::http::problem::{Answer, Problem};
use crate::http::state::AppState;
use crate::http::submit::{Intent, Subject};
use crate::read_model::{WithdrawalPhase, WithdrawalQuery};

/// Take money out. It is held until an admin settles, or somebody voids it.
#[utoipa::path(post, path = "/v1/withdrawals", tag = "withdrawals", request_body = NewWithdrawal, responses(
    (status = 201, description = "The money is held.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    intent: Intent,
    body: JsonBody<NewWithdrawal>,
) -> Answer<Settled> {
    let NewWithdrawal { amount, asset: _, memo } = body.value;
    let operation = WithdrawalOp::Request { amount, memo };
    intent.carry_out(&state, body.fingerprint, operation, Subject::New(Kind::Withdrawal)).await
}

/// Which withdrawals.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WithdrawalsQuery {
    /// `REQUESTED`, `SETTLED` or `VOIDED`.
    status: Option<String>,
    /// Only those of this account. Members other than admins see their own only.
    owner: Option<String>,
    /// How many items, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The id of the item before the first one wanted.
    starting_after: Option<String>,
    /// The id of the item after the last one wanted.
    ending_before: Option<String>,
}

/// Withdrawals, newest first: of all members for admins, else one's own.
#[utoipa::path(get, path = "/v1/withdrawals", tag = "withdrawals", params(WithdrawalsQuery), responses(
    (status = 200, description = "A part of the list.", body = List<WithdrawalView>),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    member: SignedIn,
    Query(query): Query<WithdrawalsQuery>,
) -> Answer<Json<WithdrawalList>> {
    let owner: Option<Address> = parsed("owner", query.owner)?;
    let owner = match owner {
        Some(other) if other != member.address() && !member.is_admin() => {
            return Err(Problem::new(Code::FORBIDDEN).into());
        }
        None if !member.is_admin() => Some(member.address()),
        owner => owner,
    };
    let status = query.status.as_deref().map(phase).transpose()?;
    let start = page::<WithdrawalId>(
        query.limit,
        parsed("starting_after", query.starting_after)?,
        parsed("ending_before", query.ending_before)?,
    )?;
    let page =
        state.read.withdrawals(WithdrawalQuery { status, owner }, start).await.map_err(read_problem)?;
    Ok(Json(List::of(page, WithdrawalView::from)))
}

fn phase(name: &str) -> Answer<WithdrawalPhase> {
    use WithdrawalPhase::{Requested, Settled, Voided};
    let phase = [Requested, Settled, Voided].into_iter().find(|phase| phase.code() == name);
    let unknown = || Problem::because(Code::INVALID_QUERY, "status: REQUESTED, SETTLED or VOIDED");
    Ok(phase.ok_or_else(unknown)?)
}

/// A withdrawal. Members see their own, admins all.
#[utoipa::path(get, path = "/v1/withdrawals/{id}", tag = "withdrawals", params(("id" = String, Path, description = "The withdrawal.")), responses(
    (status = 200, description = "The withdrawal.", body = WithdrawalView),
))]
pub(super) async fn show(
    State(state): State<AppState>,
    member: SignedIn,
    Id(id): Id<WithdrawalId>,
) -> Answer<Json<WithdrawalView>> {
    let withdrawal = state.read.withdrawal(&id).await.map_err(read_problem)?;
    let withdrawal = withdrawal.ok_or_else(|| Problem::new(Code::UNKNOWN_WITHDRAWAL))?;
    if withdrawal.owner != member.address() && !member.is_admin() {
        return Err(Problem::new(Code::FORBIDDEN).into());
    }
    Ok(Json(withdrawal.into()))
}

/// Settle a withdrawal: the held money is burned, and the admin pays it out elsewhere. By an admin other than the owner.
#[utoipa::path(post, path = "/v1/withdrawals/{id}/settle", tag = "withdrawals", params(("id" = String, Path, description = "The withdrawal.")), responses(
    (status = 201, description = "The money is burned.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn settle(
    State(state): State<AppState>,
    intent: Intent,
    Id(withdrawal): Id<WithdrawalId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    let subject = Subject::Old(Kind::Withdrawal, withdrawal.to_string());
    intent.carry_out(&state, body.fingerprint, WithdrawalOp::Settle { withdrawal }, subject).await
}

/// Void a withdrawal: the owner has the money back. By the owner or an admin.
#[utoipa::path(post, path = "/v1/withdrawals/{id}/void", tag = "withdrawals", params(("id" = String, Path, description = "The withdrawal.")), request_body = Voiding, responses(
    (status = 201, description = "The owner has the money back.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn void(
    State(state): State<AppState>,
    intent: Intent,
    Id(withdrawal): Id<WithdrawalId>,
    body: JsonBody<Voiding>,
) -> Answer<Settled> {
    let subject = Subject::Old(Kind::Withdrawal, withdrawal.to_string());
    let operation = WithdrawalOp::Void { withdrawal, reason: body.value.reason };
    intent.carry_out(&state, body.fingerprint, operation, subject).await
}
