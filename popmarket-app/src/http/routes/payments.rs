//! Payments.

use axum::Json;
use axum::extract::State;
use ledger::{PaymentOp, TxId};

use super::read_problem;
use crate::http::caller::Caller;
use crate::http::code::Code;
use crate::http::extract::{Id, JsonBody};
use crate::http::model::{Kind, NewPayment, PaymentView, Reply, Viewer};
use crate::http::once::Settled;
use crate::http::problem::{Answer, Problem};
use crate::http::state::AppState;
use crate::http::submit::{Intent, Subject};

/// Pay someone.
#[utoipa::path(post, path = "/v1/payments", tag = "payments", request_body = NewPayment, responses(
    (status = 201, description = "It is paid.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    intent: Intent,
    body: JsonBody<NewPayment>,
) -> Answer<Settled> {
    let NewPayment { to, amount, asset, reference, memo } = body.value;
    let operation = PaymentOp::Pay { to, asset, amount, reference, memo };
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
