//! Trades: a list, and one with what happened and the one thing to do next.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use ledger::{TradeId, TradeOp};
use pbft_crypto::Address;
use serde::Deserialize;

use super::form::{Form, Press, WAIT, done};
use super::links::{Links, Part};
use super::ui::{Ui, Visitor};
use super::{form_key, not_found, page, status};
use crate::http::model::{Action, Kind, StepView, TradeDetails, TradeView};
use crate::http::routes::{read_problem, trade_details};
use crate::http::{Answer, AppState, Code, Failure, Id, Intent, Problem, Query, SignedIn, Subject};
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
    let trades = found.items.into_iter().map(|trade| TradeView::new(trade, Some(&me))).collect();
    Ok(page(StatusCode::OK, &Trades { ui: visitor.ui(&state), me, trades, links }))
}

#[derive(Template)]
#[template(path = "trade.html")]
struct Trade {
    ui: Ui,
    trade: TradeView,
    timeline: Vec<StepView>,
    primary: Option<Action>,
    others: Vec<Action>,
    form_key: String,
    problem: Option<Failure>,
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
    let primary = primary(&trade);
    // A form for each but the one that needs more than a button, which is the first one or waits for it.
    let others =
        trade.actions.iter().copied().filter(|action| Some(*action) != primary && !action.needs_tracking());
    let others = others.collect();
    let (ui, form_key, status) = (visitor.ui(state), form_key(), status(problem.as_deref()));
    Ok(page(status, &Trade { ui, trade, timeline, primary, others, form_key, problem }))
}

/// The one thing to do next: accept, then ship; confirm once it is shipped. To cancel is never it.
fn primary(trade: &TradeView) -> Option<Action> {
    trade.actions.iter().copied().find(|action| match action {
        Action::Accept | Action::Ship => true,
        Action::Confirm => trade.state == "SHIPPED",
        Action::Cancel => false,
    })
}

/// The button for what takes nothing but a press.
pub(super) fn button(operation: fn(TradeId) -> TradeOp) -> MethodRouter<AppState> {
    let pressed = move |state, visitor, intent, Id(trade): Id<TradeId>, form| {
        press(state, visitor, intent, form, operation(trade), trade)
    };
    post(pressed)
}

/// The form to say that something is shipped.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShipForm {
    form_key: String,
    tracking: String,
}

pub(super) async fn ship(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    Id(trade): Id<TradeId>,
    form: Form<ShipForm>,
) -> Answer<Response> {
    let Form { value: ShipForm { form_key, tracking }, fingerprint } = form;
    match tracking.trim().parse() {
        Ok(tracking) => {
            let form = Form { value: Press { form_key }, fingerprint };
            press(State(state), visitor, intent, form, TradeOp::Ship { trade, tracking }, trade).await
        }
        Err(error) => {
            let problem = Problem::in_field(Code::INVALID_BODY, "tracking", error);
            show_with(&state, &visitor, &intent.member, &trade, Some(problem)).await
        }
    }
}

async fn press(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    form: Form<Press>,
    operation: TradeOp,
    id: TradeId,
) -> Answer<Response> {
    let member = intent.member.clone();
    let pressed = async {
        let intent = intent.of_form(form.value.form_key, WAIT)?;
        let subject = Subject::Old(Kind::Trade, id.to_string());
        let settled = intent.carry_out(&state, form.fingerprint, operation, subject).await;
        settled.map_err(|failed| failed.0)?.into_reply()
    };
    match pressed.await {
        Ok(reply) => Ok(done(&reply, &format!("/trades/{id}"), "done")),
        Err(problem) if not_found(problem.code) => Err(problem.into()),
        Err(problem) => show_with(&state, &visitor, &member, &id, Some(problem)).await,
    }
}
