//! Payments.

use axum::Json;
use axum::extract::State;
use ledger::{Amount, Payment, PaymentId, PaymentOp, TxId};
use pbft_crypto::Digest;
use serde::Deserialize;
use utoipa::IntoParams;

use super::read_problem;
use crate::http::caller::{Caller, SignedIn};
use crate::http::code::Code;
use crate::http::cursor::{page, parsed};
use crate::http::extract::{Id, JsonBody, Nothing, OptionalBody, Query};
use crate::http::model::{Kind, List, NewPayment, PaymentList, PaymentPart, PaymentView, Reply, Viewer};
use crate::http::once::Settled;
use crate::http::problem::{Answer, Problem};
use crate::http::state::AppState;
use crate::http::submit::{Intent, Subject};
use crate::read_model::{PaymentPhase, PaymentQuery, PaymentSide};

/// Pay someone, or set the money aside for someone.
///
/// With `hold_until` the money is held: the payee can take all or a part of it until then. What is not taken goes back.
#[utoipa::path(post, path = "/v1/payments", tag = "payments", request_body = NewPayment, responses(
    (status = 201, description = "It is paid.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    intent: Intent,
    body: JsonBody<NewPayment>,
) -> Answer<Settled> {
    let NewPayment { to, amount, asset, reference, memo, hold_until } = body.value;
    let operation = match hold_until {
        None => PaymentOp::Pay { to, asset, amount, reference, memo },
        Some(until) => PaymentOp::Authorize { to, asset, amount, reference, memo, until: until.0 },
    };
    intent.carry_out(&state, body.fingerprint, operation, Subject::New(Kind::Payment)).await
}

/// Pay someone: the same as `POST /v1/payments`.
#[utoipa::path(post, path = "/payment", tag = "payments", request_body = NewPayment, responses(
    (status = 201, description = "It is paid.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn create_by_alias(
    state: State<AppState>,
    intent: Intent,
    body: JsonBody<NewPayment>,
) -> Answer<Settled> {
    create(state, intent, body).await
}

/// Which payments.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PaymentsQuery {
    /// `AUTHORIZED` (the money is held), `PAID` or `VOIDED`.
    status: Option<String>,
    /// `payer` or `payee`: what you are in it. Without it: either.
    side: Option<String>,
    /// How many items, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The `tx_id` of the item before the first one wanted.
    starting_after: Option<String>,
    /// The `tx_id` of the item after the last one wanted.
    ending_before: Option<String>,
}

/// Your payments, newest first. With `status=AUTHORIZED` and `side=payee`: what is held for you.
#[utoipa::path(get, path = "/v1/payments", tag = "payments", params(PaymentsQuery), responses(
    (status = 200, description = "A part of the list.", body = List<PaymentView>),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    member: SignedIn,
    Query(query): Query<PaymentsQuery>,
) -> Answer<Json<PaymentList>> {
    let me = member.address();
    let filter = PaymentQuery {
        account: Some(me),
        side: side(query.side.as_deref())?,
        status: query.status.as_deref().map(phase).transpose()?,
    };
    let start = page::<TxId>(
        query.limit,
        parsed("starting_after", query.starting_after)?,
        parsed("ending_before", query.ending_before)?,
    )?;
    let page = state.read.payments(filter, start).await.map_err(read_problem)?;
    let viewer = Viewer::of(me, member.is_admin());
    Ok(Json(List::of(page, |payment| PaymentView::new(payment, &viewer))))
}

fn side(name: Option<&str>) -> Answer<PaymentSide> {
    match name {
        None => Ok(PaymentSide::Any),
        Some("payer") => Ok(PaymentSide::Payer),
        Some("payee") => Ok(PaymentSide::Payee),
        Some(_) => Err(Problem::because(Code::INVALID_QUERY, "side: payer or payee").into()),
    }
}

fn phase(name: &str) -> Answer<PaymentPhase> {
    use PaymentPhase::{Authorized, Paid, Voided};
    let phase = [Authorized, Paid, Voided].into_iter().find(|phase| phase.code() == name);
    let unknown = || Problem::because(Code::INVALID_QUERY, "status: AUTHORIZED, PAID or VOIDED");
    Ok(phase.ok_or_else(unknown)?)
}

/// A payment that was made.
#[utoipa::path(get, path = "/v1/payments/{tx_id}", tag = "payments", params(("tx_id" = String, Path, description = "The transaction.")), responses(
    (status = 200, description = "The payment.", body = PaymentView),
))]
pub(super) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Id(tx): Id<TxId>,
) -> Answer<Json<PaymentView>> {
    let payment = state.read.payment(&tx).await.map_err(read_problem)?;
    let payment = payment.ok_or_else(|| Problem::new(Code::UNKNOWN_PAYMENT))?;
    Ok(Json(PaymentView::new(payment, &Viewer::from(&caller))))
}

/// Take what is held, or a part of it: the rest goes back. By the payee.
#[utoipa::path(post, path = "/v1/payments/{tx_id}/capture", tag = "payments", params(("tx_id" = String, Path, description = "The payment.")), request_body(content = Option<PaymentPart>), responses(
    (status = 201, description = "It is paid.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn capture(
    State(state): State<AppState>,
    intent: Intent,
    Id(payment): Id<PaymentId>,
    body: OptionalBody<PaymentPart>,
) -> Answer<Settled> {
    let amount = part(&state, &payment, body.value, |payment| payment.amount)?;
    carry_out(&state, intent, body.fingerprint, payment, PaymentOp::Capture { payment, amount }).await
}

/// Give up what is held: all of it goes back. By the payee.
#[utoipa::path(post, path = "/v1/payments/{tx_id}/void", tag = "payments", params(("tx_id" = String, Path, description = "The payment.")), responses(
    (status = 201, description = "The money is back.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn void(
    State(state): State<AppState>,
    intent: Intent,
    Id(payment): Id<PaymentId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    carry_out(&state, intent, body.fingerprint, payment, PaymentOp::Void { payment }).await
}

/// Give back what was paid, or a part of it. By the payee, as often as there is something left.
#[utoipa::path(post, path = "/v1/payments/{tx_id}/refund", tag = "payments", params(("tx_id" = String, Path, description = "The payment.")), request_body(content = Option<PaymentPart>), responses(
    (status = 201, description = "The money is back.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn refund(
    State(state): State<AppState>,
    intent: Intent,
    Id(payment): Id<PaymentId>,
    body: OptionalBody<PaymentPart>,
) -> Answer<Settled> {
    let amount = part(&state, &payment, body.value, Payment::refundable)?;
    carry_out(&state, intent, body.fingerprint, payment, PaymentOp::Refund { payment, amount }).await
}

async fn carry_out(
    state: &AppState,
    intent: Intent,
    fingerprint: Digest,
    payment: PaymentId,
    operation: PaymentOp,
) -> Answer<Settled> {
    let subject = Subject::Old(Kind::Payment, payment.to_string());
    intent.carry_out(state, fingerprint, operation, subject).await
}

/// What the client says, or all that there is.
fn part(
    state: &AppState,
    id: &PaymentId,
    body: PaymentPart,
    all: impl Fn(&Payment) -> Amount,
) -> Answer<Amount> {
    let known = state.gateway.view().read(|ledger| ledger.payment(id).map(&all));
    Ok(body.amount.or(known).ok_or_else(|| Problem::new(Code::UNKNOWN_PAYMENT))?)
}
