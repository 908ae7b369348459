//! Links that ask for a payment, as pictures.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use ledger::{Amount, Reference};
use pbft_crypto::Address;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::code::Code;
use crate::http::extract::Query;
use crate::http::payment_request::{PaymentRequest, picture};
use crate::http::problem::{Answer, Problem};
use crate::http::state::AppState;

/// What to ask for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct QrQuery {
    /// The payee.
    #[param(value_type = String)]
    to: Address,
    /// How much, in minor units.
    #[param(value_type = String, example = "1000", pattern = "^[0-9]{1,20}$")]
    amount: Amount,
    /// The payee's own number for it, which can be paid once only.
    #[param(value_type = String, min_length = 1, max_length = 64, example = "ROOM-7")]
    reference: Reference,
}

/// A QR code of a link to the page `/pay`, where a member who is signed in pays with one press.
///
/// The link has the same parameters, and the name by which this server is asked.
#[utoipa::path(get, path = "/v1/payment-requests/qr", tag = "payments", params(QrQuery), responses(
    (status = 200, description = "The picture.", body = String, content_type = "image/svg+xml"),
))]
pub(super) async fn qr(
    State(state): State<AppState>,
    headers: HeaderMap,
    Query(query): Query<QrQuery>,
) -> Answer<Response> {
    let QrQuery { to, amount, reference } = query;
    if amount.is_zero() {
        return Err(Problem::new(Code::ZERO_AMOUNT).into());
    }
    if state.gateway.view().read(|ledger| ledger.account(&to).is_none()) {
        return Err(Problem::new(Code::UNKNOWN_PAYEE).into());
    }
    let request = PaymentRequest { to, amount, reference };
    let svg = picture(&request.link(&state.options, &headers)?)?;
    Ok(([(CONTENT_TYPE, "image/svg+xml")], svg).into_response())
}
