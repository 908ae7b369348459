//! The log of freezes, by which admins stop accounts.

use axum::Json;
use axum::extract::State;
use ledger::TxId;
use pbft_crypto::Address;
use serde::Deserialize;
use utoipa::IntoParams;

use super::read_problem;
use crate::http::cursor::{page, parsed};
use crate::http::extract::Query;
use crate::http::model::{FreezeList, List, PastFreezeView};
use crate::http::problem::Answer;
use crate::http::state::AppState;

/// Which freezes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FreezesQuery {
    /// Only those of this account.
    account: Option<String>,
    /// How many items, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The `tx_id` of the item before the first one wanted.
    starting_after: Option<String>,
    /// The `tx_id` of the item after the last one wanted.
    ending_before: Option<String>,
}

/// All freezes that there ever were, newest first: who stopped whom and why, and who let it go on.
#[utoipa::path(get, path = "/v1/freezes", tag = "keys", params(FreezesQuery), responses(
    (status = 200, description = "A part of the list.", body = List<PastFreezeView>),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    Query(query): Query<FreezesQuery>,
) -> Answer<Json<FreezeList>> {
    let account: Option<Address> = parsed("account", query.account)?;
    let start = page::<TxId>(
        query.limit,
        parsed("starting_after", query.starting_after)?,
        parsed("ending_before", query.ending_before)?,
    )?;
    let page = state.read.freezes(account, start).await.map_err(read_problem)?;
    Ok(Json(List::of(page, PastFreezeView::from)))
}
