//! The shop: listings, and putting something up for sale.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use ledger::{Amount, ListingContent, ListingId, ListingOp, Photos, TradeId};
use serde::Deserialize;

use super::form::{Form, Press, SellForm, WAIT, done};
use super::links::{Links, Part};
use super::ui::{Ui, Visitor};
use super::{form_key, not_found, page, status};
use crate::http::model::{Buying, Kind, ListingView, Reply};
use crate::http::routes::{purchase, read_problem};
use crate::http::{Answer, AppState, Code, Failure, Id, Intent, Problem, Query, Subject};
use crate::read_model::{ListingPhase, ListingQuery};

/// How long a search text may be.
const MAX_SEARCH_CHARS: usize = 100;

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    ui: Ui,
    q: String,
    items: Vec<ListingView>,
    links: Links,
}

/// What home is asked for.
#[derive(Debug, Deserialize)]
pub(super) struct HomeQuery {
    #[serde(default)]
    q: String,
    after: Option<String>,
    before: Option<String>,
}

pub(super) async fn home(
    State(state): State<AppState>,
    visitor: Visitor,
    Query(query): Query<HomeQuery>,
) -> Answer<Response> {
    let q: String = query.q.trim().chars().take(MAX_SEARCH_CHARS).collect();
    let part = Part { after: query.after, before: query.before };
    let filter = ListingQuery {
        text: Some(q.clone()).filter(|q| !q.is_empty()),
        // What can be bought, unless one looks for something.
        status: q.is_empty().then_some(ListingPhase::Open),
        ..ListingQuery::default()
    };
    let found = state.read.listings(&filter, part.request::<ListingId>()?).await.map_err(read_problem)?;
    let id =
        |listing: Option<&crate::read_model::ListingRecord>| listing.map(|listing| listing.id.to_string());
    let links = part.links(found.has_more, id(found.items.first()), id(found.items.last()), &[("q", &q)]);
    let items = found.items.into_iter().map(|listing| ListingView::new(listing, state.chain.fee)).collect();
    Ok(page(StatusCode::OK, &Home { ui: visitor.ui(&state), q, items, links }))
}

/// What a visitor can do with a listing.
enum Choice {
    Buy,
    Close,
    SignIn,
    OpenTrade(TradeId),
    Nothing,
}

#[derive(Template)]
#[template(path = "item.html")]
struct Item {
    ui: Ui,
    item: ListingView,
    choice: Choice,
    form_key: String,
    problem: Option<Failure>,
}

pub(super) async fn item(
    State(state): State<AppState>,
    visitor: Visitor,
    Id(id): Id<ListingId>,
) -> Answer<Response> {
    show(&state, &visitor, &id, None).await
}

async fn show(
    state: &AppState,
    visitor: &Visitor,
    id: &ListingId,
    problem: Option<Failure>,
) -> Answer<Response> {
    let listing = state.read.listing(id).await.map_err(read_problem)?;
    let listing = listing.ok_or_else(|| Problem::new(Code::UNKNOWN_LISTING))?;
    let me = visitor.caller.address();
    let open = listing.status == ledger::ListingStatus::Open;
    let item = ListingView::new(listing, state.chain.fee);
    let choice = match (me, item.trade) {
        (Some(me), _) if open && me == item.seller => Choice::Close,
        (Some(_), _) if open => Choice::Buy,
        (None, _) if open => Choice::SignIn,
        (Some(me), Some(trade)) if takes_part(state, &trade, me).await? => Choice::OpenTrade(trade),
        _ => Choice::Nothing,
    };
    let status = status(problem.as_deref());
    Ok(page(status, &Item { ui: visitor.ui(state), item, choice, form_key: form_key(), problem }))
}

async fn takes_part(state: &AppState, trade: &TradeId, me: pbft_crypto::Address) -> Result<bool, Failure> {
    let trade = state.read.trade(trade).await.map_err(read_problem)?;
    Ok(trade.is_some_and(|trade| trade.buyer == me || trade.seller == me))
}

/// The form to buy something.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BuyForm {
    form_key: String,
    version: u32,
}

pub(super) async fn buy(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    Id(id): Id<ListingId>,
    form: Form<BuyForm>,
) -> Answer<Response> {
    let seen = Buying { version: Some(form.value.version), content_hash: None };
    let bought = async {
        let operation = purchase(&state, id, &seen).await?;
        let intent = intent.of_form(form.value.form_key, WAIT)?;
        let settled = intent.carry_out(&state, form.fingerprint, operation, Subject::New(Kind::Trade)).await;
        settled.map_err(|failed| failed.0)?.into_reply()
    };
    match bought.await {
        Ok(reply) if reply.height.is_none() => Ok(done(&reply, "/trades", "bought")),
        Ok(reply) => Ok(done(&reply, &format!("/trades/{}", reply.id), "bought")),
        Err(problem) if not_found(problem.code) => Err(problem.into()),
        Err(problem) => show(&state, &visitor, &id, Some(problem)).await,
    }
}

pub(super) async fn close(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    Id(listing): Id<ListingId>,
    form: Form<Press>,
) -> Answer<Response> {
    let closed = async {
        let intent = intent.of_form(form.value.form_key, WAIT)?;
        let subject = Subject::Old(Kind::Listing, listing.to_string());
        let settled = intent.carry_out(&state, form.fingerprint, ListingOp::Close { listing }, subject).await;
        settled.map_err(|failed| failed.0)?.into_reply()
    };
    match closed.await {
        Ok(reply) => Ok(done(&reply, &format!("/items/{listing}"), "closed")),
        Err(problem) if not_found(problem.code) => Err(problem.into()),
        Err(problem) => show(&state, &visitor, &listing, Some(problem)).await,
    }
}

#[derive(Template)]
#[template(path = "sell.html")]
struct Sell {
    ui: Ui,
    form_key: String,
    fee_percent: String,
    title: String,
    price: String,
    description: String,
    problem: Option<Failure>,
}

pub(super) async fn sell(State(state): State<AppState>, visitor: Visitor) -> Response {
    sell_page(&state, &visitor, SellForm::default(), None)
}

fn sell_page(state: &AppState, visitor: &Visitor, form: SellForm, problem: Option<Failure>) -> Response {
    let SellForm { title, price, description, .. } = form;
    let points = state.chain.fee.value();
    let fee_percent = match points % 100 {
        0 => (points / 100).to_string(),
        rest => format!("{}.{rest:02}", points / 100),
    };
    let (ui, form_key, status) = (visitor.ui(state), form_key(), status(problem.as_deref()));
    page(status, &Sell { ui, form_key, fee_percent, title, price, description, problem })
}

pub(super) async fn put_up(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    request: Request,
) -> Response {
    let mut form = SellForm::default();
    let put_up = async {
        form.read(&state, request).await?;
        create(&state, intent, &form).await
    };
    match put_up.await {
        Ok(reply) if reply.height.is_none() => done(&reply, "/", "listed"),
        Ok(reply) => done(&reply, &format!("/items/{}", reply.id), "listed"),
        Err(problem) => sell_page(&state, &visitor, form, Some(problem)),
    }
}

async fn create(state: &AppState, intent: Intent, form: &SellForm) -> Result<Reply, Failure> {
    let wrong = |field, error: &dyn std::fmt::Display| Problem::in_field(Code::INVALID_BODY, field, error);
    let price: Amount = form.price.trim().parse().map_err(|error| wrong("price", &error))?;
    let content = ListingContent {
        title: form.title.trim().parse().map_err(|error| wrong("title", &error))?,
        description: form.description.parse().map_err(|error| wrong("description", &error))?,
        price,
        photos: Photos::try_from(form.photos.clone()).map_err(|error| wrong("photo", &error))?,
    };
    let intent = intent.of_form(form.form_key.clone(), WAIT)?;
    let subject = Subject::New(Kind::Listing);
    let settled = intent.carry_out(state, form.fingerprint(), ListingOp::Create { content }, subject).await;
    settled.map_err(|failed| failed.0)?.into_reply()
}
