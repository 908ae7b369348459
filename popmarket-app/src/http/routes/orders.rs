//! Orders to buy and to sell tokens.

use axum::Json;
use axum::extract::State;
use ledger::{ExchangeOp, MarketId, OrderId};
use serde::Deserialize;
use utoipa::IntoParams;

use super::read_problem;
use crate::http::caller::SignedIn;
use crate::http::code::Code;
use crate::http::cursor::{page, parsed};
use crate::http::extract::{Id, JsonBody, Nothing, OptionalBody, Query};
use crate::http::model::{Kind, List, NewOrderBody, OrderList, OrderView, Reducing, Reply};
use crate::http::once::Settled;
use crate::http::problem::{Answer, Problem};
use crate::http::state::AppState;
use crate::http::submit::{Intent, Subject};
use crate::read_model::OrderQuery;

fn about(order: OrderId) -> Subject {
    Subject::Old(Kind::Order, order.to_string())
}

/// Buy or sell tokens.
///
/// The price is in minor units of the quote asset for each lot, so that nothing is rounded. What changes hands at once does so
/// at the prices of the orders that were there before. An order meets at most 100 others; what is left then is cancelled.
#[utoipa::path(post, path = "/v1/orders", tag = "exchange", request_body = NewOrderBody, responses(
    (status = 201, description = "It is placed: the order says how much of it is filled.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    intent: Intent,
    body: JsonBody<NewOrderBody>,
) -> Answer<Settled> {
    let order = body.value.terms().map_err(|why| Problem::because(Code::INVALID_BODY, why))?;
    let operation = ExchangeOp::Place { order };
    intent.carry_out(&state, body.fingerprint, operation, Subject::New(Kind::Order)).await
}

/// Which orders.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OrdersQuery {
    /// Only those on this market.
    market: Option<String>,
    /// Only those that are `OPEN`.
    status: Option<String>,
    /// How many items, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The id of the item before the first one wanted.
    starting_after: Option<String>,
    /// The id of the item after the last one wanted.
    ending_before: Option<String>,
}

/// Your orders, newest first.
#[utoipa::path(get, path = "/v1/orders", tag = "exchange", params(OrdersQuery), responses(
    (status = 200, description = "A part of the list.", body = List<OrderView>),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    member: SignedIn,
    Query(query): Query<OrdersQuery>,
) -> Answer<Json<OrderList>> {
    let only_open = match query.status.as_deref() {
        None => false,
        Some("OPEN") => true,
        Some(_) => return Err(Problem::because(Code::INVALID_QUERY, "status: OPEN").into()),
    };
    let market: Option<MarketId> = parsed("market", query.market)?;
    let start = page::<OrderId>(
        query.limit,
        parsed("starting_after", query.starting_after)?,
        parsed("ending_before", query.ending_before)?,
    )?;
    let filter = OrderQuery { owner: Some(member.address()), market, only_open };
    let page = state.read.orders(filter, start).await.map_err(read_problem)?;
    Ok(Json(List::of(page, OrderView::from)))
}

/// An order. Its owner and admins see it.
#[utoipa::path(get, path = "/v1/orders/{id}", tag = "exchange", params(("id" = String, Path, description = "The order.")), responses(
    (status = 200, description = "The order.", body = OrderView),
))]
pub(super) async fn show(
    State(state): State<AppState>,
    member: SignedIn,
    Id(id): Id<OrderId>,
) -> Answer<Json<OrderView>> {
    let order = state.read.order(&id).await.map_err(read_problem)?;
    let order = order.ok_or_else(|| Problem::new(Code::UNKNOWN_ORDER))?;
    if order.owner != member.address() && !member.is_admin() {
        return Err(Problem::new(Code::NOT_ORDER_OWNER).into());
    }
    Ok(Json(order.into()))
}

/// Take back what is left of an order of yours.
#[utoipa::path(delete, path = "/v1/orders/{id}", tag = "exchange", params(("id" = String, Path, description = "The order.")), responses(
    (status = 201, description = "What was left is free again.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn cancel(
    State(state): State<AppState>,
    intent: Intent,
    Id(order): Id<OrderId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    intent.carry_out(&state, body.fingerprint, ExchangeOp::Cancel { order }, about(order)).await
}

/// Take back a part of an order of yours. It keeps its place.
#[utoipa::path(post, path = "/v1/orders/{id}/reduce", tag = "exchange", params(("id" = String, Path, description = "The order.")), request_body = Reducing, responses(
    (status = 201, description = "That part is free again.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn reduce(
    State(state): State<AppState>,
    intent: Intent,
    Id(order): Id<OrderId>,
    body: JsonBody<Reducing>,
) -> Answer<Settled> {
    let operation = ExchangeOp::Reduce { order, by: body.value.by };
    intent.carry_out(&state, body.fingerprint, operation, about(order)).await
}
