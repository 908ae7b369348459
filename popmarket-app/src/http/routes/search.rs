//! Whatever is on the ledger, by what names it or by words.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::read_problem;
use crate::http::caller::Caller;
use crate::http::code::Code;
use crate::http::extract::Query;
use crate::http::model::{HitView, SearchResults};
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::state::AppState;

/// How long what is looked for may be.
pub(crate) const MAX_SEARCH_CHARS: usize = 100;

/// What is looked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchQuery {
    /// A height, a hash, an id, an address; the beginning of a name, of a symbol or of a market; or words of a listing or poll.
    #[param(min_length = 1, max_length = 100)]
    q: String,
}

/// Find blocks, transactions, accounts, listings, trades, payments, tokens, markets and polls.
///
/// Names, symbols and words are found whatever their case. There are at most ten of each kind. Charges, withdrawals and
/// orders are found as the transactions that made them.
#[utoipa::path(get, path = "/v1/search", tag = "explorer", params(SearchQuery), responses(
    (status = 200, description = "What was found.", body = SearchResults),
))]
pub(super) async fn search(
    State(state): State<AppState>,
    caller: Caller,
    Query(SearchQuery { q }): Query<SearchQuery>,
) -> Answer<Json<SearchResults>> {
    if !(1..=MAX_SEARCH_CHARS).contains(&q.trim().chars().count()) {
        return Err(Problem::because(Code::INVALID_QUERY, "q: 1 to 100 characters").into());
    }
    Ok(Json(SearchResults { data: find(&state, &caller, &q).await? }))
}

/// What is found, with links that lead somewhere for whoever asks.
pub(crate) async fn find(state: &AppState, caller: &Caller, q: &str) -> Result<Vec<HitView>, Failure> {
    let hits = state.read.search(q).await.map_err(read_problem)?;
    let (viewer, is_admin) = (caller.address(), caller.is_admin());
    Ok(hits.into_iter().map(|hit| HitView::new(hit, viewer.as_ref(), is_admin)).collect())
}
