//! Trades: purchases whose money is held until they are over.

use axum::Json;
use axum::extract::State;
use ledger::{TradeId, TradeOp, TradeState};
use serde::Deserialize;
use utoipa::IntoParams;

use super::read_problem;
use crate::http::caller::SignedIn;
use crate::http::code::Code;
use crate::http::cursor::{page, parsed};
use crate::http::extract::{Id, JsonBody, Nothing, OptionalBody, Query};
use crate::http::model::{Kind, List, Reply, Shipping, StepView, TradeDetails, TradeList, TradeView};
use crate::http::once::Settled;
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::state::AppState;
use crate::http::submit::{Intent, Subject};
use crate::read_model::{TradeQuery, TradeSide};

/// Which trades.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TradesQuery {
    /// `FUNDED`, `ACCEPTED`, `SHIPPED`, `RELEASED` or `CANCELLED`.
    state: Option<String>,
    /// `buyer` or `seller`: on which side you are.
    side: Option<String>,
    /// Only those about this listing.
    listing: Option<String>,
    /// How many items, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The id of the item before the first one wanted.
    starting_after: Option<String>,
    /// The id of the item after the last one wanted.
    ending_before: Option<String>,
}

/// Your trades, newest first.
#[utoipa::path(get, path = "/v1/trades", tag = "trades", params(TradesQuery), responses(
    (status = 200, description = "A part of the list.", body = List<TradeView>),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    member: SignedIn,
    Query(query): Query<TradesQuery>,
) -> Answer<Json<TradeList>> {
    let start = page::<TradeId>(
        query.limit,
        parsed("starting_after", query.starting_after)?,
        parsed("ending_before", query.ending_before)?,
    )?;
    let me = member.address();
    let filter = TradeQuery {
        member: Some(me),
        side: side(query.side.as_deref())?,
        state: query.state.as_deref().map(trade_state).transpose()?,
        listing: parsed("listing", query.listing)?,
    };
    let page = state.read.trades(filter, start).await.map_err(read_problem)?;
    Ok(Json(List::of(page, |trade| TradeView::new(trade, Some(&me)))))
}

fn side(name: Option<&str>) -> Result<TradeSide, Failure> {
    match name {
        None => Ok(TradeSide::Any),
        Some("buyer") => Ok(TradeSide::Buyer),
        Some("seller") => Ok(TradeSide::Seller),
        Some(_) => Err(Problem::because(Code::INVALID_QUERY, "side: buyer or seller")),
    }
}

fn trade_state(name: &str) -> Result<TradeState, Failure> {
    use TradeState::{Accepted, Cancelled, Funded, Released, Shipped};
    let all = [Funded, Accepted, Shipped, Released, Cancelled];
    let unknown =
        || Problem::because(Code::INVALID_QUERY, "state: FUNDED, ACCEPTED, SHIPPED, RELEASED or CANCELLED");
    all.into_iter().find(|state| state.code() == name).ok_or_else(unknown)
}

/// A trade with what happened to it. Buyer, seller and admins see it.
#[utoipa::path(get, path = "/v1/trades/{id}", tag = "trades", params(("id" = String, Path, description = "The trade.")), responses(
    (status = 200, description = "The trade.", body = TradeDetails),
))]
pub(super) async fn show(
    State(state): State<AppState>,
    member: SignedIn,
    Id(id): Id<TradeId>,
) -> Answer<Json<TradeDetails>> {
    Ok(Json(details(&state, &member, &id).await?))
}

/// A trade as a member may see it.
pub(crate) async fn details(
    state: &AppState,
    member: &SignedIn,
    id: &TradeId,
) -> Result<TradeDetails, Failure> {
    let trade = state.read.trade(id).await.map_err(read_problem)?;
    let trade = trade.ok_or_else(|| Problem::new(Code::UNKNOWN_TRADE))?;
    let me = member.address();
    if trade.buyer != me && trade.seller != me && !member.is_admin() {
        return Err(Problem::new(Code::NOT_A_PARTY));
    }
    let timeline = state.read.trade_history(id).await.map_err(read_problem)?;
    let timeline = timeline.into_iter().map(StepView::from).collect();
    Ok(TradeDetails { trade: TradeView::new(trade, Some(&me)), timeline })
}

fn about(trade: TradeId) -> Subject {
    Subject::Old(Kind::Trade, trade.to_string())
}

/// Accept an order. By the seller.
#[utoipa::path(post, path = "/v1/trades/{id}/accept", tag = "trades", params(("id" = String, Path, description = "The trade.")), responses(
    (status = 201, description = "The seller will ship.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn accept(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    intent.carry_out(&state, body.fingerprint, TradeOp::Accept { trade }, about(trade)).await
}

/// Say that it is shipped. By the seller.
#[utoipa::path(post, path = "/v1/trades/{id}/ship", tag = "trades", params(("id" = String, Path, description = "The trade.")), request_body = Shipping, responses(
    (status = 201, description = "It is on its way to the buyer.", body = Reply),
    (status = 202, description = "The transaction is on its way.", body = Reply),
))]
pub(super) async fn ship(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: JsonBody<Shipping>,
) -> Answer<Settled> {
    let operation = TradeOp::Ship { trade, tracking: body.value.tracking };
    intent.carry_out(&state, body.fingerprint, operation, about(trade)).await
}

/// Confirm: the held money goes to the seller. By the buyer.
#[utoipa::path(post, path = "/v1/trades/{id}/confirm", tag = "trades", params(("id" = String, Path, description = "The trade.")), responses(
    (status = 201, description = "The seller is paid.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn confirm(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    intent.carry_out(&state, body.fingerprint, TradeOp::Confirm { trade }, about(trade)).await
}

/// Cancel: the held money goes back. By the seller, or by the buyer before the seller accepts; after that the buyer asks.
#[utoipa::path(post, path = "/v1/trades/{id}/cancel", tag = "trades", params(("id" = String, Path, description = "The trade.")), responses(
    (status = 201, description = "It is cancelled, or the seller is asked to.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn cancel(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: OptionalBody<Nothing>,
) -> Answer<Settled> {
    intent.carry_out(&state, body.fingerprint, TradeOp::Cancel { trade }, about(trade)).await
}
