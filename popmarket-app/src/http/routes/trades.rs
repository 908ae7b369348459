//! Trades: purchases whose money is held until they are over.

pub(super) mod moves;

use axum::Json;
use axum::extract::State;
use ledger::{Party, Role, TradeId, TradeState};
use serde::Deserialize;
use utoipa::IntoParams;

use super::read_problem;
use crate::http::caller::SignedIn;
use crate::http::code::Code;
use crate::http::cursor::{page, parsed};
use crate::http::extract::{Id, Query};
use crate::http::model::{List, Look, StepView, TradeDetails, TradeList, TradeView};
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::state::AppState;
use crate::read_model::{TradeQuery, TradeSide};

/// Which trades.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TradesQuery {
    /// `FUNDED`, `ACCEPTED`, `SHIPPED`, `DISPUTED`, `RETURNING`, `RELEASED`, `CANCELLED`, `REFUNDED` or `SPLIT`.
    state: Option<String>,
    /// `buyer`, `seller` or `arbiter`: what you are in it. Without it: buyer or seller.
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
        only_closed: false,
    };
    let page = state.read.trades(filter, start).await.map_err(read_problem)?;
    let look = look(&state, &member);
    Ok(Json(List::of(page, |trade| TradeView::new(trade, &look))))
}

pub(super) fn side(name: Option<&str>) -> Result<TradeSide, Failure> {
    match name {
        None => Ok(TradeSide::Any),
        Some("buyer") => Ok(TradeSide::Buyer),
        Some("seller") => Ok(TradeSide::Seller),
        Some("arbiter") => Ok(TradeSide::Arbiter),
        Some(_) => Err(Problem::because(Code::INVALID_QUERY, "side: buyer, seller or arbiter")),
    }
}

pub(super) fn trade_state(name: &str) -> Result<TradeState, Failure> {
    let unknown = || Problem::because(Code::INVALID_QUERY, "state: no trade is ever in this state");
    TradeState::ALL.into_iter().find(|state| state.code() == name).ok_or_else(unknown)
}

/// A trade with what happened to it, and who can do what until when. Buyer, seller, the arbiter of its dispute and admins see it.
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

/// How a member looks at trades.
pub(crate) fn look(state: &AppState, member: &SignedIn) -> Look {
    let (me, is_courier) = (member.address(), member.role == Role::Courier);
    let is_frozen = state.gateway.view().read(|ledger| ledger.freeze(&me).is_some());
    Look { viewer: Some(me), is_courier, is_frozen, now: state.tip().1 }
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
    let is_arbiter = trade.row.party(&me, false) == Some(Party::Arbiter);
    let takes_part = trade.buyer == me || trade.seller == me || is_arbiter || member.is_admin();
    let carries_it = !takes_part && member.role == Role::Courier && trade.tracking.is_some();
    if !takes_part && !carries_it {
        return Err(Problem::new(Code::NOT_A_PARTY));
    }
    let timeline = state.read.trade_history(id).await.map_err(read_problem)?;
    let mut timeline: Vec<_> = timeline.into_iter().map(StepView::from).collect();
    if carries_it {
        // It is about the parcel, not about what the parties say of each other.
        timeline.iter_mut().for_each(|step| step.words = None);
    }
    Ok(TradeDetails { trade: TradeView::new(trade, &look(state, member)), timeline })
}
