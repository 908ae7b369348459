//! The wallet, and the admins' queue of charges.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ledger::{Amount, ChargeId, ChargeOp, Operation};
use pbft_crypto::{Address, Digest};
use serde::Deserialize;

use super::form::{Form, Press, RejectForm, WAIT, done};
use super::links::{Links, Part};
use super::ui::{Ui, Visitor};
use super::{form_key, page, status};
use crate::http::model::{ChargeView, Kind, Reply, WalletView};
use crate::http::routes::{self, read_problem};
use crate::http::{Answer, AppState, Code, Failure, Id, Intent, Problem, Query, SignedIn, Subject};
use crate::read_model::{ChargePhase, ChargeQuery, ChargeRecord, PageRequest};

#[derive(Template)]
#[template(path = "wallet.html")]
struct Wallet {
    ui: Ui,
    address: Address,
    available: Amount,
    held: Amount,
    /// Available and held of each token.
    tokens: Vec<(String, String)>,
    charges: Vec<ChargeView>,
    amount: String,
    memo: String,
    form_key: String,
    problem: Option<Failure>,
}

pub(super) async fn wallet(
    State(state): State<AppState>,
    visitor: Visitor,
    member: SignedIn,
) -> Answer<Response> {
    let nothing = ChargeForm { form_key: String::new(), amount: String::new(), memo: String::new() };
    wallet_page(&state, &visitor, member.address(), nothing, None).await
}

async fn wallet_page(
    state: &AppState,
    visitor: &Visitor,
    address: Address,
    form: ChargeForm,
    problem: Option<Failure>,
) -> Answer<Response> {
    let wallet = routes::wallet(state, address).await?;
    let (available, held) = wallet.coins();
    let query = ChargeQuery { requester: Some(address), status: None };
    let charges = state.read.charges(query, PageRequest::default()).await.map_err(read_problem)?;
    let charges = charges.items.into_iter().map(ChargeView::from).collect();
    let ChargeForm { amount, memo, .. } = form;
    let (ui, form_key, status) = (visitor.ui(state), form_key(), status(problem.as_deref()));
    let tokens = tokens(state, &ui, &wallet).await?;
    let wallet = Wallet { ui, address, available, held, tokens, charges, amount, memo, form_key, problem };
    Ok(page(status, &wallet))
}

/// What there is of each token, available and held, with its decimals.
async fn tokens(state: &AppState, ui: &Ui, wallet: &WalletView) -> Result<Vec<(String, String)>, Failure> {
    let mut shown = Vec::new();
    for balance in &wallet.balances {
        let Some(symbol) = balance.asset.token() else { continue };
        let token = state.read.token(symbol).await.map_err(read_problem)?;
        let decimals = token.map_or(0, |token| token.decimals.value());
        let units = |amount| ui.units(amount, decimals, symbol);
        shown.push((units(balance.available), units(balance.held)));
    }
    Ok(shown)
}

/// The form to ask for a charge.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChargeForm {
    form_key: String,
    amount: String,
    memo: String,
}

pub(super) async fn charge(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    form: Form<ChargeForm>,
) -> Answer<Response> {
    let me = intent.member.address();
    let asked = async {
        let wrong =
            |field, error: &dyn std::fmt::Display| Problem::in_field(Code::INVALID_BODY, field, error);
        let amount = form.value.amount.trim().parse().map_err(|error| wrong("amount", &error))?;
        let memo = form.value.memo.trim().parse().map_err(|error| wrong("memo", &error))?;
        let key = form.value.form_key.clone();
        let operation = ChargeOp::Request { amount, memo };
        send(&state, intent, key, form.fingerprint, operation, Subject::New(Kind::Charge)).await
    };
    match asked.await {
        Ok(reply) => Ok(done(&reply, "/wallet", "charge_requested")),
        Err(problem) => wallet_page(&state, &visitor, me, form.value, Some(problem)).await,
    }
}

async fn send(
    state: &AppState,
    intent: Intent,
    key: String,
    fingerprint: Digest,
    operation: impl Into<Operation>,
    subject: Subject,
) -> Result<Reply, Failure> {
    let intent = intent.of_form(key, WAIT)?;
    let settled = intent.carry_out(state, fingerprint, operation, subject).await;
    settled.map_err(|failed| failed.0)?.into_reply()
}

#[derive(Template)]
#[template(path = "charges.html")]
struct Queue {
    ui: Ui,
    me: Address,
    charges: Vec<ChargeView>,
    links: Links,
    form_key: String,
    problem: Option<Failure>,
}

pub(super) async fn queue(
    State(state): State<AppState>,
    visitor: Visitor,
    member: SignedIn,
    Query(part): Query<Part>,
) -> Answer<Response> {
    queue_page(&state, &visitor, member.address(), &part, None).await
}

async fn queue_page(
    state: &AppState,
    visitor: &Visitor,
    me: Address,
    part: &Part,
    problem: Option<Failure>,
) -> Answer<Response> {
    let query = ChargeQuery { requester: None, status: Some(ChargePhase::Requested) };
    let found = state.read.charges(query, part.request::<ChargeId>()?).await.map_err(read_problem)?;
    let id = |charge: Option<&ChargeRecord>| charge.map(|charge| charge.id.to_string());
    let links = part.links(found.has_more, id(found.items.first()), id(found.items.last()), &[]);
    let charges = found.items.into_iter().map(ChargeView::from).collect();
    let (ui, form_key, status) = (visitor.ui(state), form_key(), status(problem.as_deref()));
    Ok(page(status, &Queue { ui, me, charges, links, form_key, problem }))
}

pub(super) async fn approve(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    Id(charge): Id<ChargeId>,
    form: Form<Press>,
) -> Answer<Response> {
    let me = intent.member.address();
    let subject = Subject::Old(Kind::Charge, charge.to_string());
    let operation = ChargeOp::Approve { charge };
    let sent = send(&state, intent, form.value.form_key, form.fingerprint, operation, subject).await;
    decided(&state, &visitor, me, sent, "approved").await
}

pub(super) async fn reject(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    Id(charge): Id<ChargeId>,
    form: Form<RejectForm>,
) -> Answer<Response> {
    let me = intent.member.address();
    let sent = async {
        let reason = form.value.reason()?;
        let subject = Subject::Old(Kind::Charge, charge.to_string());
        let operation = ChargeOp::Reject { charge, reason };
        send(&state, intent, form.value.form_key, form.fingerprint, operation, subject).await
    };
    let sent = sent.await;
    decided(&state, &visitor, me, sent, "rejected").await
}

async fn decided(
    state: &AppState,
    visitor: &Visitor,
    me: Address,
    sent: Result<Reply, Failure>,
    notice: &str,
) -> Answer<Response> {
    match sent {
        Ok(reply) => Ok(done(&reply, "/admin/charges", notice)),
        Err(problem) => queue_page(state, visitor, me, &Part::default(), Some(problem)).await,
    }
}
