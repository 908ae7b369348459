//! The exchange: markets, and one with its book, its tape and a form to order.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ledger::{Amount, AssetId, ExchangeOp, MarketId, NewOrder, OrderId, OrderSide};
use serde::Deserialize;

use super::form::{Form, WAIT, done};
use super::ui::{Ui, Visitor};
use super::{form_key, not_found, page, status};
use crate::http::model::{Kind, Level, MarketView, NewOrderBody, OrderKind, Reply};
use crate::http::routes::{self, read_problem};
use crate::http::{Answer, AppState, Code, Failure, Id, Intent, Problem, Subject};
use crate::read_model::{
    FillRecord, MarketRecord, OrderQuery, OrderRecord, PageLimit, PageRequest, TokenRecord,
};

/// How many lines of the tape and of one's orders are shown.
const LINES: PageRequest<OrderId> =
    PageRequest { limit: PageLimit::DEFAULT, start: crate::read_model::PageStart::First };

#[derive(Template)]
#[template(path = "exchange.html")]
struct Exchange {
    ui: Ui,
    markets: Vec<Row>,
    tokens: Vec<Shares>,
}

/// A line of the list of markets.
struct Row {
    id: MarketId,
    last: Option<String>,
    fills: u64,
    is_open: bool,
}

/// A line of the list of tokens.
struct Shares {
    symbol: String,
    name: String,
    supply: String,
    issuer: String,
    holders: u64,
}

pub(super) async fn list(State(state): State<AppState>, visitor: Visitor) -> Answer<Response> {
    let ui = visitor.ui(&state);
    let limit = PageLimit::MAX;
    let page_of_markets = PageRequest { limit, ..PageRequest::default() };
    let markets = state.read.markets(page_of_markets).await.map_err(read_problem)?;
    let page_of_tokens = PageRequest { limit, ..PageRequest::default() };
    let tokens = state.read.tokens(page_of_tokens).await.map_err(read_problem)?;
    let mut rows = Vec::new();
    for MarketRecord { id, last_price, fills, status, .. } in markets.items {
        let units = Units::of(&state, id).await?;
        let last = last_price.map(|price| units.price(&ui, price));
        rows.push(Row { id, last, fills, is_open: status == ledger::MarketStatus::Open });
    }
    let tokens = tokens.items.into_iter().map(|token| shares(&ui, &token)).collect();
    Ok(page(StatusCode::OK, &Exchange { ui, markets: rows, tokens }))
}

fn shares(ui: &Ui, token: &TokenRecord) -> Shares {
    Shares {
        symbol: token.symbol.to_string(),
        name: token.name.to_string(),
        supply: ui.units(token.supply, token.decimals.value(), token.symbol),
        issuer: token.issuer_name.to_string(),
        holders: token.holders,
    }
}

/// How amounts of both assets of a market are shown.
struct Units {
    market: MarketId,
    base: u8,
    quote: u8,
}

impl Units {
    async fn of(state: &AppState, market: MarketId) -> Result<Self, Failure> {
        let base = Self::decimals(state, market.base.into()).await?;
        Ok(Self { market, base, quote: Self::decimals(state, market.quote).await? })
    }

    async fn decimals(state: &AppState, asset: AssetId) -> Result<u8, Failure> {
        let Some(symbol) = asset.token() else { return Ok(0) };
        let token = state.read.token(symbol).await.map_err(read_problem)?;
        Ok(token.map_or(0, |token| token.decimals.value()))
    }

    fn price(&self, ui: &Ui, price: Amount) -> String {
        match self.market.quote {
            AssetId::Pop => ui.money(&price),
            AssetId::Token(symbol) => ui.units(price, self.quote, symbol),
        }
    }

    fn quantity(&self, ui: &Ui, quantity: Amount) -> String {
        ui.units(quantity, self.base, self.market.base)
    }
}

#[derive(Template)]
#[template(path = "market.html")]
struct Market {
    ui: Ui,
    market: MarketView,
    lot: String,
    last: Option<String>,
    bids: Vec<Line>,
    asks: Vec<Line>,
    tape: Vec<Fill>,
    orders: Vec<Order>,
    form: OrderForm,
    form_key: String,
    problem: Option<Failure>,
}

/// A price of the book.
struct Line {
    price: String,
    quantity: String,
}

/// A line of the tape.
struct Fill {
    number: u64,
    price: String,
    quantity: String,
    buys: bool,
    at: String,
}

/// An order of the visitor.
struct Order {
    id: OrderId,
    buys: bool,
    price: String,
    left: String,
}

pub(super) async fn show(
    State(state): State<AppState>,
    visitor: Visitor,
    Id(market): Id<MarketId>,
) -> Answer<Response> {
    show_with(&state, &visitor, market, OrderForm::default(), None).await
}

async fn show_with(
    state: &AppState,
    visitor: &Visitor,
    market: MarketId,
    form: OrderForm,
    problem: Option<Failure>,
) -> Answer<Response> {
    let view = routes::find_market(state, market).await?;
    let (ui, units) = (visitor.ui(state), Units::of(state, market).await?);
    let book = routes::book_of(state, market, routes::DEFAULT_DEPTH);
    let tape = state.read.fills(market, PageRequest::default()).await.map_err(read_problem)?;
    let orders = match visitor.caller.address() {
        Some(me) => {
            let query = OrderQuery { owner: Some(me), market: Some(market), only_open: true };
            state.read.orders(query, LINES).await.map_err(read_problem)?.items
        }
        None => Vec::new(),
    };
    let lines = |levels: &[Level]| levels.iter().map(|level| line(&ui, &units, level)).collect();
    let (bids, asks) = (lines(&book.bids), lines(&book.asks));
    let shown = Market {
        lot: units.quantity(&ui, view.lot),
        last: view.last_price.map(|price| units.price(&ui, price)),
        bids,
        asks,
        tape: tape.items.iter().map(|fill| fill_of(&ui, &units, fill)).collect(),
        orders: orders.iter().map(|order| order_of(&ui, &units, order)).collect(),
        market: view,
        form,
        form_key: form_key(),
        problem,
        ui,
    };
    Ok(page(status(shown.problem.as_deref()), &shown))
}

fn line(ui: &Ui, units: &Units, level: &Level) -> Line {
    // A sum that no amount can be is shown as it is.
    let quantity =
        level.quantity.parse().map_or_else(|_| level.quantity.clone(), |sum| units.quantity(ui, sum));
    Line { price: units.price(ui, level.price), quantity }
}

fn fill_of(ui: &Ui, units: &Units, fill: &FillRecord) -> Fill {
    Fill {
        number: fill.number,
        price: units.price(ui, fill.price),
        quantity: units.quantity(ui, fill.quantity),
        buys: fill.taker_side == OrderSide::Buy,
        at: ui.rfc3339(&fill.at),
    }
}

fn order_of(ui: &Ui, units: &Units, order: &OrderRecord) -> Order {
    Order {
        id: order.id,
        buys: order.side == OrderSide::Buy,
        price: order.price.map(|price| units.price(ui, price)).unwrap_or_default(),
        left: units.quantity(ui, order.remaining),
    }
}

/// The form to order something.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderForm {
    form_key: String,
    side: String,
    price: String,
    quantity: String,
}

impl OrderForm {
    fn terms(&self, market: MarketId) -> Result<NewOrder, Failure> {
        let wrong =
            |field: &str, error: &dyn std::fmt::Display| Problem::in_field(Code::INVALID_BODY, field, error);
        let side = match self.side.as_str() {
            "BUY" => OrderSide::Buy,
            "SELL" => OrderSide::Sell,
            _ => return Err(wrong("side", &"BUY or SELL")),
        };
        let price: Amount = self.price.trim().parse().map_err(|error| wrong("price", &error))?;
        let quantity: Amount = self.quantity.trim().parse().map_err(|error| wrong("quantity", &error))?;
        let body = NewOrderBody {
            market,
            side,
            price: Some(price),
            quantity,
            kind: OrderKind::Gtc,
            until: None,
            self_trade: ledger::SelfTrade::CancelNewest,
        };
        body.terms().map_err(|why| Problem::because(Code::INVALID_BODY, why))
    }
}

pub(super) async fn place(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    Id(market): Id<MarketId>,
    form: Form<OrderForm>,
) -> Answer<Response> {
    let asked = async {
        let order = form.value.terms(market)?;
        let intent = intent.of_form(form.value.form_key.clone(), WAIT)?;
        let operation = ExchangeOp::Place { order };
        send(&state, intent, form.fingerprint, operation, Subject::New(Kind::Order)).await
    };
    match asked.await {
        Ok(reply) => Ok(done(&reply, &format!("/exchange/{market}"), "done")),
        Err(problem) if not_found(problem.code) => Err(problem.into()),
        Err(problem) => show_with(&state, &visitor, market, form.value, Some(problem)).await,
    }
}

/// The button to take back an order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelForm {
    form_key: String,
    order: String,
}

pub(super) async fn cancel(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    Id(market): Id<MarketId>,
    form: Form<CancelForm>,
) -> Answer<Response> {
    let asked = async {
        let CancelForm { form_key, order } = form.value;
        let order: OrderId =
            order.parse().map_err(|error| Problem::in_field(Code::INVALID_BODY, "order", error))?;
        let intent = intent.of_form(form_key, WAIT)?;
        let subject = Subject::Old(Kind::Order, order.to_string());
        send(&state, intent, form.fingerprint, ExchangeOp::Cancel { order }, subject).await
    };
    match asked.await {
        Ok(reply) => Ok(done(&reply, &format!("/exchange/{market}"), "done")),
        Err(problem) if not_found(problem.code) => Err(problem.into()),
        Err(problem) => show_with(&state, &visitor, market, OrderForm::default(), Some(problem)).await,
    }
}

async fn send(
    state: &AppState,
    intent: Intent,
    fingerprint: pbft_crypto::Digest,
    operation: ExchangeOp,
    subject: Subject,
) -> Result<Reply, Failure> {
    let settled = intent.carry_out(state, fingerprint, operation, subject).await;
    settled.map_err(|failed| failed.0)?.into_reply()
}
