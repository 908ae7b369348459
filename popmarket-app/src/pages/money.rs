//! The wallet, and the admins' queue of charges.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ledger::{Amount, Balance, ChargeId, ChargeOp, Ledger, Memo, Operation};
use pbft_crypto::{Address, Digest};
use serde::Deserialize;

use super::form::{Form, Press, RejectForm, WAIT, done};
use super::links::{Links, Part};
use super::ui::{Ui, Visitor};
use super::{form_key, page, status};
use crate::http::model::{ChargeView, FreezeView, Kind, LimitView, Reply, WithdrawalView};
use crate::http::routes::{self, read_problem};
use crate::http::{Answer, AppState, Code, Failure, Id, Intent, Problem, Query, SignedIn, Subject};
use crate::read_model::{
    BalanceRecord, ChargePhase, ChargeQuery, ChargeRecord, Page, PageRequest, WithdrawalPhase,
    WithdrawalQuery,
};

#[derive(Template)]
#[template(path = "wallet.html")]
struct Wallet {
    ui: Ui,
    address: Address,
    available: Amount,
    held: Amount,
    limit: Option<LimitView>,
    frozen: Option<FreezeView>,
    points: u64,
    /// Available and held of the first tokens.
    tokens: Vec<(String, String)>,
    /// Where the others are.
    more_tokens: Option<String>,
    charges: Vec<ChargeView>,
    withdrawals: Vec<WithdrawalView>,
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
    wallet_page(&state, &visitor, member.address(), MoneyForm::default(), None).await
}

pub(super) async fn wallet_page(
    state: &AppState,
    visitor: &Visitor,
    address: Address,
    form: MoneyForm,
    problem: Option<Failure>,
) -> Answer<Response> {
    let balances = routes::balances(state, &address, None).await?;
    let (Balance { available, held }, view) = (balances.coin, state.gateway.view());
    let query = ChargeQuery { requester: Some(address), status: None };
    let charges = state.read.charges(query, PageRequest::default()).await.map_err(read_problem)?;
    let query = WithdrawalQuery { owner: Some(address), status: None };
    let withdrawals = state.read.withdrawals(query, PageRequest::default()).await.map_err(read_problem)?;
    let ui = visitor.ui(state);
    let (tokens, more_tokens) = (tokens(&ui, &balances.tokens), more_tokens(&address, &balances.tokens));
    let wallet = routes::wallet(state, address, balances);
    let (wallet, points) = view.read(|ledger| (wallet.guarded(ledger), points(ledger, &address)));
    let status = status(problem.as_deref());
    let page_of = Wallet {
        ui,
        address,
        available,
        held,
        limit: wallet.limit,
        frozen: wallet.frozen,
        points,
        tokens,
        more_tokens,
        charges: charges.items.into_iter().map(ChargeView::from).collect(),
        withdrawals: withdrawals.items.into_iter().map(WithdrawalView::from).collect(),
        amount: form.amount,
        memo: form.memo,
        form_key: form_key(),
        problem,
    };
    Ok(page(status, &page_of))
}

/// What there is of each token, available and held, with its decimals.
fn tokens(ui: &Ui, tokens: &Page<BalanceRecord>) -> Vec<(String, String)> {
    let shown = |BalanceRecord { token, decimals, balance }: &BalanceRecord| {
        let units = |amount| ui.units(amount, decimals.value(), *token);
        (units(balance.available), units(balance.held))
    };
    tokens.items.iter().map(shown).collect()
}

/// Where those are that come after these.
fn more_tokens(address: &Address, tokens: &Page<BalanceRecord>) -> Option<String> {
    let last = tokens.items.last().filter(|_| tokens.has_more)?;
    Some(format!("/v1/wallets/{address}?starting_after={}", last.token))
}

fn points(ledger: &Ledger, address: &Address) -> u64 {
    ledger.account(address).map_or(0, |account| ledger.params().charges.points(account.charge_count))
}

/// The form to ask for a charge or a withdrawal.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MoneyForm {
    pub(super) form_key: String,
    amount: String,
    memo: String,
}

impl MoneyForm {
    /// How much, and what an admin needs to know.
    pub(super) fn parse(&self) -> Result<(Amount, Memo), Failure> {
        let wrong =
            |field, error: &dyn std::fmt::Display| Problem::in_field(Code::INVALID_BODY, field, error);
        let amount = self.amount.trim().parse().map_err(|error| wrong("amount", &error))?;
        let memo = self.memo.trim().parse().map_err(|error| wrong("memo", &error))?;
        Ok((amount, memo))
    }
}

pub(super) async fn charge(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    form: Form<MoneyForm>,
) -> Answer<Response> {
    let me = intent.member.address();
    let asked = async {
        let (amount, memo) = form.value.parse()?;
        let key = form.value.form_key.clone();
        let operation = ChargeOp::Request { amount, memo };
        send(&state, intent, key, form.fingerprint, operation, Subject::New(Kind::Charge)).await
    };
    match asked.await {
        Ok(reply) => Ok(done(&reply, "/wallet", "charge_requested")),
        Err(problem) => wallet_page(&state, &visitor, me, form.value, Some(problem)).await,
    }
}

pub(super) async fn send(
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
    withdrawals: Vec<WithdrawalView>,
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

pub(super) async fn queue_page(
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
    let query = WithdrawalQuery { owner: None, status: Some(WithdrawalPhase::Requested) };
    let waiting = state.read.withdrawals(query, PageRequest::default()).await.map_err(read_problem)?;
    let withdrawals = waiting.items.into_iter().map(WithdrawalView::from).collect();
    let (ui, form_key, status) = (visitor.ui(state), form_key(), status(problem.as_deref()));
    Ok(page(status, &Queue { ui, me, charges, withdrawals, links, form_key, problem }))
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

pub(super) async fn decided(
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
