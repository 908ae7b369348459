//! Reviews: what buyers and sellers say of each other.

use axum::Json;
use axum::extract::State;
use ledger::{ReviewOp, TradeId};
use pbft_crypto::Address;

use super::read_problem;
use crate::http::code::Code;
use crate::http::cursor::ListQuery;
use crate::http::extract::{Id, JsonBody, Query, TEXT_BODY};
use crate::http::model::{Kind, List, NewReview, Reply, ReviewList, ReviewView};
use crate::http::once::Settled;
use crate::http::problem::{Answer, Problem};
use crate::http::state::AppState;
use crate::http::submit::{Intent, Subject};

/// Say what you think of the other side of a trade that is over. Once, by buyer and seller each.
#[utoipa::path(post, path = "/v1/trades/{id}/reviews", tag = "trades", params(("id" = String, Path, description = "The trade.")), request_body = NewReview, responses(
    (status = 201, description = "Everyone can read it.", body = Reply),
    (status = 202, description = "It is on its way.", body = Reply),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    intent: Intent,
    Id(trade): Id<TradeId>,
    body: JsonBody<NewReview, TEXT_BODY>,
) -> Answer<Settled> {
    let NewReview { rating, text } = body.value;
    let operation = ReviewOp::Post { trade, rating, text };
    let subject = Subject::Old(Kind::Trade, trade.to_string());
    intent.carry_out(&state, body.fingerprint, operation, subject).await
}

/// What others say about an account, newest first, and what it has behind it.
#[utoipa::path(get, path = "/v1/accounts/{address}/reviews", tag = "wallets", params(("address" = String, Path, description = "The account."), ListQuery), responses(
    (status = 200, description = "A part of the list, and the record.", body = ReviewList),
))]
pub(super) async fn of_account(
    State(state): State<AppState>,
    Id(address): Id<Address>,
    Query(list): Query<ListQuery>,
) -> Answer<Json<ReviewList>> {
    let account = state.read.account(&address).await.map_err(read_problem)?;
    account.ok_or_else(|| Problem::new(Code::UNKNOWN_ACCOUNT))?;
    let page = state.read.reviews_of(address, list.page()?).await.map_err(read_problem)?;
    let record = state.gateway.view().read(|ledger| ledger.record(&address)).into();
    Ok(Json(ReviewList { list: List::of(page, ReviewView::from), record }))
}
