//! What a member lets others transfer.

use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use ledger::{Amount, TokenId};
use pbft_crypto::Address;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::caller::SignedIn;
use crate::http::cursor::{page, parsed};
use crate::http::extract::Query;
use crate::http::model::{GivenAllowanceView, GivenAllowances, List};
use crate::http::problem::Answer;
use crate::http::state::AppState;

/// Names an allowance among those of its owner: `SPENDER-SYMBOL`.
#[derive(Clone, Copy)]
struct Given(Address, TokenId);

impl FromStr for Given {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = |text: &str| {
            let (spender, token) = text.split_once('-')?;
            Some(Self(spender.parse().ok()?, token.parse().ok()?))
        };
        parse(text).ok_or("an address, a hyphen and a symbol")
    }
}

/// Which of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct GivenQuery {
    /// How many items, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The id of the item before the first one wanted.
    starting_after: Option<String>,
}

/// Whom you let transfer how much of your tokens, by their addresses. What was used up or taken back is there with 0.
#[utoipa::path(get, path = "/v1/members/me/allowances", tag = "tokens", params(GivenQuery), responses(
    (status = 200, description = "A part of the list.", body = List<GivenAllowanceView>),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    member: SignedIn,
    Query(query): Query<GivenQuery>,
) -> Answer<Json<GivenAllowances>> {
    let after: Option<Given> = parsed("starting_after", query.starting_after)?;
    let limit = page::<Given>(query.limit, None, None)?.limit.value();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (owner, after) = (member.address(), after.map(|Given(spender, token)| (spender, token)));
    let mut rows: Vec<(Address, TokenId, Amount)> = state
        .gateway
        .view()
        .read(|ledger| ledger.allowances_of(&owner, after).take(limit.saturating_add(1)).collect());
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let data =
        rows.into_iter().map(|(spender, token, amount)| GivenAllowanceView::new(spender, token, amount));
    Ok(Json(List { data: data.collect(), has_more }))
}
