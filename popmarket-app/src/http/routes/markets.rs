//! The exchange: markets, their books and their tapes.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use ledger::{ExchangeOp, Ledger, MarketId, OrderSide, UnixMillis};
use serde::Deserialize;
use utoipa::IntoParams;

use super::read_problem;
use crate::http::code::Code;
use crate::http::csv::Wanted;
use crate::http::cursor::{ListQuery, TableQuery};
use crate::http::extract::{Id, JsonBody, Nothing, OptionalBody, Query};
use crate::http::model::{
    BookView, CandleList, CandleView, FillView, Kind, Level, List, MarketList, MarketView, NewMarket, Reply,
};
use crate::http::once::Settled;
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::state::AppState;
use crate::http::submit::{Intent, Subject};
use crate::http::timestamp::millis;

/// Levels of a book that are shown if nobody says how many.
pub(crate) const DEFAULT_DEPTH: usize = 20;
/// Levels of a book that are shown at most.
const MAX_DEPTH: usize = 100;

/// Orders of one side that are read at most, as the ledger waits meanwhile.
const MAX_READ: usize = 10_000;

fn about(market: MarketId) -> Subject {
    Subject::Old(Kind::Market, market.to_string())
}

/// Open a market. By an admin, or by the issuer of the base token.
#[utoipa::path(post, path = "/v1/markets", tag = "exchange", request_body = NewMarket, responses(
    (status = 201, description = "The market is open.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    intent: Intent,
    body: JsonBody<NewMarket>,
) -> Answer<Settled> {
    let NewMarket { base, quote, tick, lot } = body.value;
    let operation = ExchangeOp::OpenMarket { base, quote, tick, lot };
    intent.carry_out(&state, body.fingerprint, operation, about(MarketId { base, quote })).await
}

/// Markets, newest first. Items are named by their pairs, as in `SHOP-POP`.
#[utoipa::path(get, path = "/v1/markets", tag = "exchange", params(ListQuery), responses(
    (status = 200, description = "A part of the list.", body = List<MarketView>),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    Query(query): Query<ListQuery>,
) -> Answer<Json<MarketList>> {
    let page = state.read.markets(query.page()?).await.map_err(read_problem)?;
    Ok(Json(List::of(page, MarketView::from)))
}

/// A market.
#[utoipa::path(get, path = "/v1/markets/{id}", tag = "exchange", params(("id" = String, Path, description = "The market.")), responses(
    (status = 200, description = "The market.", body = MarketView),
))]
pub(super) async fn show(State(state): State<AppState>, Id(id): Id<MarketId>) -> Answer<Json<MarketView>> {
    Ok(Json(find(&state, id).await?))
}

/// A market that there is.
pub(crate) async fn find(state: &AppState, id: MarketId) -> Result<MarketView, Failure> {
    let found = state.read.market(id).await.map_err(read_problem)?;
    found.map(MarketView::from).ok_or_else(|| Problem::new(Code::UNKNOWN_MARKET))
}

/// Take no more orders. By an admin.
#[utoipa::path(post, path = "/v1/markets/{id}/halt", tag = "exchange", params(("id" = String, Path, description = "The market.")), responses(
    (status = 201, description = "Orders can be cancelled, but not placed.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn halt(
    State(state): State<AppState>,
    intent: Intent,
    Id(market): Id<MarketId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    intent.carry_out(&state, body.fingerprint, ExchangeOp::Halt { market }, about(market)).await
}

/// Take orders again. By an admin.
#[utoipa::path(post, path = "/v1/markets/{id}/resume", tag = "exchange", params(("id" = String, Path, description = "The market.")), responses(
    (status = 201, description = "Orders can be placed.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn resume(
    State(state): State<AppState>,
    intent: Intent,
    Id(market): Id<MarketId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    intent.carry_out(&state, body.fingerprint, ExchangeOp::Resume { market }, about(market)).await
}

/// How much of a book.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BookQuery {
    /// How many prices of each side, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    depth: Option<usize>,
}

/// What is asked and bid, by price.
#[utoipa::path(get, path = "/v1/markets/{id}/book", tag = "exchange", params(("id" = String, Path, description = "The market."), BookQuery), responses(
    (status = 200, description = "The best prices of both sides.", body = BookView),
))]
pub(super) async fn book(
    State(state): State<AppState>,
    Id(market): Id<MarketId>,
    Query(query): Query<BookQuery>,
) -> Answer<Json<BookView>> {
    find(&state, market).await?;
    let depth = query.depth.unwrap_or(DEFAULT_DEPTH);
    if !(1..=MAX_DEPTH).contains(&depth) {
        return Err(Problem::because(Code::INVALID_QUERY, "depth: 1 to 100 prices").into());
    }
    Ok(Json(book_of(&state, market, depth)))
}

/// The best prices of both sides.
pub(crate) fn book_of(state: &AppState, market: MarketId, depth: usize) -> BookView {
    state.gateway.view().read(|ledger| {
        let [bids, asks] = [OrderSide::Buy, OrderSide::Sell].map(|side| levels(ledger, market, side, depth));
        BookView { market, bids, asks }
    })
}

/// The orders of one side, added up by price.
fn levels(ledger: &Ledger, market: MarketId, side: OrderSide, depth: usize) -> Vec<Level> {
    let mut sums: Vec<(ledger::Amount, u128, u64)> = Vec::new();
    for (_, order) in ledger.book(&market, side).take(MAX_READ) {
        let Some(price) = order.terms.price else { continue };
        let quantity = u128::from(order.left().value());
        let is_full = sums.len() == depth;
        match sums.last_mut() {
            Some((last, sum, orders)) if *last == price => {
                *sum = sum.saturating_add(quantity);
                *orders += 1;
            }
            _ if is_full => break,
            _ => sums.push((price, quantity, 1)),
        }
    }
    let level =
        |(price, quantity, orders): (_, u128, _)| Level { price, quantity: quantity.to_string(), orders };
    sums.into_iter().map(level).collect()
}

/// The tape: what changed hands, newest first.
#[utoipa::path(get, path = "/v1/markets/{id}/trades", tag = "exchange", params(("id" = String, Path, description = "The market."), TableQuery), responses(
    (status = 200, description = "A part of the tape. Its numbers have no gaps.", content(
        (List<FillView> = "application/json"), (String = "text/csv"))),
))]
pub(super) async fn trades(
    State(state): State<AppState>,
    Id(market): Id<MarketId>,
    wanted: Wanted,
    Query(query): Query<TableQuery>,
) -> Answer<Response> {
    find(&state, market).await?;
    let format = query.format;
    let page = state.read.fills(market, query.page()?).await.map_err(read_problem)?;
    Ok(wanted.answer(format, List::of(page, FillView::from)))
}

/// Which candles.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CandlesQuery {
    /// How long the span of each is: `1m`, `15m`, `1h` or `1d`.
    #[param(default = "1h")]
    span: Option<String>,
    /// Only those that begin before this time.
    #[param(format = DateTime)]
    before: Option<String>,
    /// How many, 1 to 1000.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// The last candles, oldest first.
#[utoipa::path(get, path = "/v1/markets/{id}/candles", tag = "exchange", params(("id" = String, Path, description = "The market."), CandlesQuery), responses(
    (status = 200, description = "The candles.", body = CandleList),
))]
pub(super) async fn candles(
    State(state): State<AppState>,
    Id(market): Id<MarketId>,
    Query(query): Query<CandlesQuery>,
) -> Answer<Json<CandleList>> {
    find(&state, market).await?;
    let wrong = |what: &str| Problem::because(Code::INVALID_QUERY, what);
    let span = span(query.span.as_deref().unwrap_or("1h")).ok_or_else(|| wrong("span: 1m, 15m, 1h or 1d"))?;
    let before = match query.before {
        None => UnixMillis::MAX,
        Some(text) => {
            millis(&text).ok_or_else(|| wrong("before: not a time such as 2030-01-01T00:00:00Z"))?
        }
    };
    let limit = query.limit.unwrap_or(100);
    if !(1..=1_000).contains(&limit) {
        return Err(wrong("limit: 1 to 1000 candles").into());
    }
    let candles = state.read.candles(market, span, before, limit).await.map_err(read_problem)?;
    let data = candles.into_iter().map(|(start, candle)| CandleView::new(start, candle)).collect();
    Ok(Json(CandleList { data }))
}

fn span(name: &str) -> Option<u64> {
    let names = ["1m", "15m", "1h", "1d"].into_iter().zip(crate::read_model::CANDLE_SPANS);
    names.into_iter().find(|(known, _)| *known == name).map(|(_, span)| span)
}
