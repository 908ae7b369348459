//! Trades: a list, and one with what happened and the one thing to do next.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ledger::{Operation, TradeId};
use pbft_crypto::Address;

use super::act;
use super::form::{WAIT, done};
use super::links::{Links, Part};
use super::ui::{Ui, Visitor};
use super::{form_key, not_found, page, status};
use crate::http::model::{Action, Kind, StepView, TradeDetails, TradeView};
use crate::http::routes::{read_problem, trade_details, trade_look};
use crate::http::{Answer, AppState, Failure, Id, Intent, Query, SignedIn, Subject};
use crate::read_model::{TradeQuery, TradeRecord};

#[derive(Template)]
#[template(path = "trades.html")]
struct Trades {
    ui: Ui,
    me: Address,
    trades: Vec<TradeView>,
    links: Links,
}

pub(super) async fn list(
    State(state): State<AppState>,
    visitor: Visitor,
    member: SignedIn,
    Query(part): Query<Part>,
) -> Answer<Response> {
    let me = member.address();
    let query = TradeQuery { member: Some(me), ..TradeQuery::default() };
    let found = state.read.trades(query, part.request::<TradeId>()?).await.map_err(read_problem)?;
    let id = |trade: Option<&TradeRecord>| trade.map(|trade| trade.id.to_string());
    let links = part.links(found.has_more, id(found.items.first()), id(found.items.last()), &[]);
    let look = trade_look(&state, &member);
    let trades = found.items.into_iter().map(|trade| TradeView::new(trade, &look)).collect();
    Ok(page(StatusCode::OK, &Trades { ui: visitor.ui(&state), me, trades, links }))
}

#[derive(Template)]
#[template(path = "trade.html")]
struct Trade {
    ui: Ui,
    trade: TradeView,
    timeline: Vec<StepView>,
    primary: Option<Choice>,
    others: Vec<Choice>,
    may_review: bool,
    form_key: String,
    problem: Option<Failure>,
}

/// A form to do something.
struct Choice {
    action: Action,
    /// What has to be filled in.
    fields: &'static [&'static str],
    /// What is filled in already.
    hidden: Vec<(&'static str, String)>,
}

impl Choice {
    fn of(trade: &TradeView, action: Action) -> Self {
        let mut hidden = Vec::new();
        if let (Action::AcceptSplit, Some(offer)) = (action, &trade.split_offer) {
            hidden.push(("to_buyer", offer.split.to_buyer.to_string()));
            hidden.push(("to_seller", offer.split.to_seller.to_string()));
        }
        Self { action, fields: act::fields(action), hidden }
    }
}

pub(super) async fn show(
    State(state): State<AppState>,
    visitor: Visitor,
    member: SignedIn,
    Id(id): Id<TradeId>,
) -> Answer<Response> {
    show_with(&state, &visitor, &member, &id, None).await
}

async fn show_with(
    state: &AppState,
    visitor: &Visitor,
    member: &SignedIn,
    id: &TradeId,
    problem: Option<Failure>,
) -> Answer<Response> {
    let TradeDetails { trade, timeline } = trade_details(state, member, id).await?;
    let first = primary(&trade);
    let rest = trade.actions.iter().copied().filter(|action| Some(*action) != first);
    let others = rest.map(|action| Choice::of(&trade, action)).collect();
    let primary = first.map(|action| Choice::of(&trade, action));
    let me = member.address();
    let may_review = state.gateway.view().read(|ledger| ledger.check_review(&me, id).is_ok());
    let (ui, form_key, status) = (visitor.ui(state), form_key(), status(problem.as_deref()));
    Ok(page(status, &Trade { ui, trade, timeline, primary, others, may_review, form_key, problem }))
}

/// The one thing to do next: what moves the trade on and is that person's turn. To cancel or to complain is never it.
fn primary(trade: &TradeView) -> Option<Action> {
    let is_shipped_back = trade.returning.as_ref().is_some_and(|returning| returning.is_shipped);
    trade.actions.iter().copied().find(|action| match action {
        Action::Accept | Action::Ship | Action::Collect | Action::ReturnShip => true,
        Action::Resolve | Action::Attest | Action::AcceptSplit => true,
        Action::Confirm => trade.state == "SHIPPED",
        Action::ReturnConfirm => is_shipped_back,
        _ => false,
    })
}

/// Does what a form says, and shows the trade again.
pub(super) async fn press(
    state: &AppState,
    visitor: &Visitor,
    intent: Intent,
    (form_key, fingerprint): (String, pbft_crypto::Digest),
    operation: Result<Operation, Failure>,
    id: TradeId,
) -> Answer<Response> {
    let member = intent.member.clone();
    let pressed = async {
        let operation = operation?;
        let intent = intent.of_form(form_key, WAIT)?;
        let subject = Subject::Old(Kind::Trade, id.to_string());
        let settled = intent.carry_out(state, fingerprint, operation, subject).await;
        settled.map_err(|failed| failed.0)?.into_reply()
    };
    match pressed.await {
        Ok(reply) => Ok(done(&reply, &format!("/trades/{id}"), "done")),
        Err(problem) if not_found(problem.code) => Err(problem.into()),
        Err(problem) => show_with(state, visitor, &member, &id, Some(problem)).await,
    }
}
