//! Asking for a payment with a link, and paying it with one press.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ledger::{Amount, Operation};
use serde::Deserialize;

use super::form::{Form, done};
use super::money::send;
use super::ui::{Ui, Visitor};
use super::{form_key, page, status};
use crate::http::model::Kind;
use crate::http::routes::read_problem;
use crate::http::{
    Answer, AppState, Code, Failure, Intent, PaymentRequest, Problem, Query, SignedIn, Subject, preflight,
};

#[derive(Template)]
#[template(path = "pay.html")]
struct Pay {
    ui: Ui,
    request: PaymentRequest,
    payee: String,
    form_key: String,
    problem: Option<Failure>,
}

pub(super) async fn show(
    State(state): State<AppState>,
    visitor: Visitor,
    member: SignedIn,
    Query(request): Query<PaymentRequest>,
) -> Answer<Response> {
    // What would stand in the way is said before anybody presses.
    let operation = Operation::from(request.operation());
    let advice = state.gateway.view().read(|ledger| preflight::check(ledger, &member.address(), &operation));
    let problem = advice.err().map(|rejection| Problem::rejected(&rejection, None));
    show_with(&state, &visitor, StatusCode::OK, request, problem).await
}

async fn show_with(
    state: &AppState,
    visitor: &Visitor,
    status: StatusCode,
    request: PaymentRequest,
    problem: Option<Failure>,
) -> Answer<Response> {
    let account = state.read.account(&request.to).await.map_err(read_problem)?;
    let payee = account.ok_or_else(|| Problem::new(Code::UNKNOWN_PAYEE))?.name.to_string();
    let ui = visitor.ui(state);
    Ok(page(status, &Pay { ui, request, payee, form_key: form_key(), problem }))
}

/// The button, with what the payer has seen beside it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PayForm {
    form_key: String,
    to: String,
    amount: String,
    reference: String,
}

impl PayForm {
    fn request(&self) -> Result<PaymentRequest, Failure> {
        let wrong =
            |field: &str, error: &dyn std::fmt::Display| Problem::in_field(Code::INVALID_BODY, field, error);
        Ok(PaymentRequest {
            to: self.to.parse().map_err(|error| wrong("to", &error))?,
            amount: self.amount.parse().map_err(|error| wrong("amount", &error))?,
            reference: self.reference.parse().map_err(|error| wrong("reference", &error))?,
        })
    }
}

pub(super) async fn pay(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    form: Form<PayForm>,
) -> Answer<Response> {
    let request = form.value.request()?;
    let subject = Subject::New(Kind::Payment);
    let operation = request.operation();
    match send(&state, intent, form.value.form_key, form.fingerprint, operation, subject).await {
        Ok(reply) => Ok(done(&reply, "/wallet", "done")),
        Err(problem) => show_with(&state, &visitor, problem.code.status, request, Some(problem)).await,
    }
}

#[derive(Template)]
#[template(path = "pay_request.html")]
struct Ask {
    ui: Ui,
    amount: String,
    reference: String,
    /// The link, and where its picture is.
    made: Option<(String, String)>,
    problem: Option<Failure>,
}

/// What to ask for. Nothing, at first.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AskForm {
    amount: String,
    reference: String,
}

pub(super) async fn ask(
    State(state): State<AppState>,
    visitor: Visitor,
    member: SignedIn,
    headers: HeaderMap,
    Query(AskForm { amount, reference }): Query<AskForm>,
) -> Answer<Response> {
    let link = || {
        let wrong =
            |field: &str, error: &dyn std::fmt::Display| Problem::in_field(Code::INVALID_QUERY, field, error);
        let sum: Amount = amount.trim().parse().map_err(|error| wrong("amount", &error))?;
        if sum.is_zero() {
            return Err(Problem::new(Code::ZERO_AMOUNT));
        }
        let reference = reference.trim().parse().map_err(|error| wrong("reference", &error))?;
        let request = PaymentRequest { to: member.address(), amount: sum, reference };
        let picture = format!("/v1/payment-requests/qr?{}", request.query());
        Ok((request.link(&state.options, &headers)?, picture))
    };
    let is_blank = amount.is_empty() && reference.is_empty();
    let (made, problem) = match (!is_blank).then(link).transpose() {
        Ok(made) => (made, None),
        Err(problem) => (None, Some(problem)),
    };
    let (ui, status) = (visitor.ui(&state), status(problem.as_deref()));
    Ok(page(status, &Ask { ui, amount, reference, made, problem }))
}
