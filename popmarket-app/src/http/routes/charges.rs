//! Charges: members ask to be topped up, admins decide.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use ledger::{ChargeId, ChargeOp};
use pbft_crypto::Address;
use serde::Deserialize;
use utoipa::IntoParams;

use super::read_problem;
use crate::http::caller::SignedIn;
use crate::http::code::Code;
use crate::http::csv::{Format, Wanted};
use crate::http::cursor::{page, parsed};
use crate::http::extract::{Id, JsonBody, Nothing, OptionalBody, Query};
use crate::http::model::{ChargeView, Kind, List, NewCharge, Rejecting, Reply};
use crate::http::once::Settled;
use crate::http::problem::{Answer, Problem};
use crate::http::state::AppState;
use crate::http::submit::{Intent, Subject};
use crate::read_model::{ChargePhase, ChargeQuery};

/// Ask to be topped up.
#[utoipa::path(post, path = "/v1/charges", tag = "charges", request_body = NewCharge, responses(
    (status = 201, description = "The request is recorded.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    intent: Intent,
    body: JsonBody<NewCharge>,
) -> Answer<Settled> {
    let NewCharge { amount, asset: _, memo } = body.value;
    let operation = ChargeOp::Request { amount, memo };
    intent.carry_out(&state, body.fingerprint, operation, Subject::New(Kind::Charge)).await
}

/// Which charges.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ChargesQuery {
    /// `REQUESTED`, `APPROVED` or `REJECTED`.
    status: Option<String>,
    /// Only those of this account. Members other than admins see their own only.
    requester: Option<String>,
    /// How many items, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The id of the item before the first one wanted.
    starting_after: Option<String>,
    /// The id of the item after the last one wanted.
    ending_before: Option<String>,
    /// `json` or `csv`, whatever `Accept` says.
    #[param(inline)]
    format: Option<Format>,
}

/// Charges, newest first: of all members for admins, else one's own.
#[utoipa::path(get, path = "/v1/charges", tag = "charges", params(ChargesQuery), responses(
    (status = 200, description = "A part of the list.", content(
        (List<ChargeView> = "application/json"), (String = "text/csv"))),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    member: SignedIn,
    wanted: Wanted,
    Query(query): Query<ChargesQuery>,
) -> Answer<Response> {
    let requester: Option<Address> = parsed("requester", query.requester)?;
    let requester = match requester {
        Some(other) if other != member.address() && !member.is_admin() => {
            return Err(Problem::new(Code::FORBIDDEN).into());
        }
        None if !member.is_admin() => Some(member.address()),
        requester => requester,
    };
    let status = query.status.as_deref().map(phase).transpose()?;
    let start = page::<ChargeId>(
        query.limit,
        parsed("starting_after", query.starting_after)?,
        parsed("ending_before", query.ending_before)?,
    )?;
    let page = state.read.charges(ChargeQuery { status, requester }, start).await.map_err(read_problem)?;
    Ok(wanted.answer(query.format, List::of(page, ChargeView::from)))
}

fn phase(name: &str) -> Answer<ChargePhase> {
    use ChargePhase::{Approved, Rejected, Requested};
    let phase = [Requested, Approved, Rejected].into_iter().find(|phase| phase.code() == name);
    let unknown = || Problem::because(Code::INVALID_QUERY, "status: REQUESTED, APPROVED or REJECTED");
    Ok(phase.ok_or_else(unknown)?)
}

/// A charge. Members see their own, admins all.
#[utoipa::path(get, path = "/v1/charges/{id}", tag = "charges", params(("id" = String, Path, description = "The charge.")), responses(
    (status = 200, description = "The charge.", body = ChargeView),
))]
pub(super) async fn show(
    State(state): State<AppState>,
    member: SignedIn,
    Id(id): Id<ChargeId>,
) -> Answer<Json<ChargeView>> {
    let charge = state.read.charge(&id).await.map_err(read_problem)?;
    let charge = charge.ok_or_else(|| Problem::new(Code::UNKNOWN_CHARGE))?;
    if charge.requester != member.address() && !member.is_admin() {
        return Err(Problem::new(Code::FORBIDDEN).into());
    }
    Ok(Json(charge.into()))
}

/// Approve a charge: the amount is minted for who asked. By an admin other than that one.
#[utoipa::path(post, path = "/v1/charges/{id}/approve", tag = "charges", params(("id" = String, Path, description = "The charge.")), responses(
    (status = 201, description = "The money is there.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn approve(
    State(state): State<AppState>,
    intent: Intent,
    Id(charge): Id<ChargeId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    let subject = Subject::Old(Kind::Charge, charge.to_string());
    intent.carry_out(&state, body.fingerprint, ChargeOp::Approve { charge }, subject).await
}

/// Turn a charge down. By an admin other than who asked.
#[utoipa::path(post, path = "/v1/charges/{id}/reject", tag = "charges", params(("id" = String, Path, description = "The charge.")), request_body = Rejecting, responses(
    (status = 201, description = "It is turned down.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn reject(
    State(state): State<AppState>,
    intent: Intent,
    Id(charge): Id<ChargeId>,
    body: JsonBody<Rejecting>,
) -> Answer<Settled> {
    let subject = Subject::Old(Kind::Charge, charge.to_string());
    let operation = ChargeOp::Reject { charge, reason: body.value.reason };
    intent.carry_out(&state, body.fingerprint, operation, subject).await
}
