//! The replicas, and whether this server works.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use ledger::{Genesis, Ledger};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::code::Code;
use crate::http::cursor::{page, parsed};
use crate::http::extract::Query;
use crate::http::model::{EvidenceList, EvidenceView, HandoverList, HandoverView, List, NetworkReport};
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::state::AppState;
use crate::read_model::{PageRequest, PageStart};
use crate::store::EvidenceId;

/// How long what is on the chain may take to be read.
const READ_WITHIN: Duration = Duration::from_millis(500);

/// The replicas: who orders, how far each is, and whether they agree.
#[utoipa::path(get, path = "/v1/network", tag = "network", responses(
    (status = 200, description = "What is known about them.", body = NetworkReport),
))]
pub(super) async fn show(State(state): State<AppState>) -> Json<NetworkReport> {
    Json(state.network.network().await)
}

/// How the chain begins: what a newcomer needs, and whoever checks receipts. Its digest is the chain's id.
#[utoipa::path(get, path = "/v1/network/genesis", tag = "network", responses(
    (status = 200, description = "What `genesis.json` of a node says.", body = Object),
))]
pub(super) async fn genesis(State(state): State<AppState>) -> Json<Genesis> {
    Json((*state.genesis).clone())
}

/// How the first replicas handed over to the present ones, oldest first. Each is proven by the set before, so whoever knows
/// the genesis believes them all.
#[utoipa::path(get, path = "/v1/network/handovers", tag = "network", responses(
    (status = 200, description = "All of them.", body = List<HandoverView>),
))]
pub(super) async fn handovers(State(state): State<AppState>) -> Json<HandoverList> {
    let handovers = state.members.handovers.borrow().clone();
    Json(List { data: handovers.iter().map(HandoverView::new).collect(), has_more: false })
}

/// Which evidence.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EvidenceQuery {
    /// How many items, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The id of the item before the first one wanted.
    starting_after: Option<String>,
}

/// Replicas that are provably faulty, with the proof: two signed statements that contradict each other.
#[utoipa::path(get, path = "/v1/network/evidence", tag = "network", params(EvidenceQuery), responses(
    (status = 200, description = "A part of the list.", body = List<EvidenceView>),
))]
pub(super) async fn evidence(
    State(state): State<AppState>,
    Query(query): Query<EvidenceQuery>,
) -> Answer<Json<EvidenceList>> {
    let start = page::<EvidenceId>(query.limit, parsed("starting_after", query.starting_after)?, None)?;
    Ok(Json(evidence_from(&state, start)?))
}

/// A part of the evidence that the replica nearby keeps.
pub(crate) fn evidence_from(
    state: &AppState,
    start: PageRequest<EvidenceId>,
) -> Result<EvidenceList, Failure> {
    let after = match start.start {
        PageStart::After(id) => Some(id),
        PageStart::First | PageStart::Before(_) => None,
    };
    let limit = usize::try_from(start.limit.value()).unwrap_or(1);
    let found = state.gateway.view().store().evidence_after(after, limit.saturating_add(1));
    let mut found = found.map_err(|error| Problem::internal(&error))?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let data = found.iter().map(|(id, evidence)| EvidenceView::new(*id, evidence)).collect();
    Ok(EvidenceList { data, has_more })
}

/// That something works.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether this process answers.
#[utoipa::path(get, path = "/healthz", tag = "network", responses(
    (status = 200, description = "It does.", body = Health),
))]
pub(super) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether this process can do its work: it has read the chain, and enough replicas answer.
#[utoipa::path(get, path = "/readyz", tag = "network", responses(
    (status = 200, description = "It can.", body = Health),
))]
pub(super) async fn ready(State(state): State<AppState>) -> Answer<Json<Health>> {
    // What is on the chain now is read in a moment, however busy it is.
    let height = state.gateway.view().read(Ledger::height);
    if state.read.wait_for_height(height, READ_WITHIN).await.is_none() {
        return Err(Problem::because(Code::UNAVAILABLE, "the read model is behind the chain").into());
    }
    if !state.network.network().await.has_quorum {
        return Err(Problem::because(Code::UNAVAILABLE, "too few replicas answer").into());
    }
    Ok(Json(Health { status: "ok" }))
}

/// Measurements in the text format of OpenMetrics.
#[utoipa::path(get, path = "/metrics", tag = "network", responses(
    (status = 200, description = "The measurements.", body = String, content_type = "application/openmetrics-text"),
))]
pub(super) async fn metrics(State(state): State<AppState>) -> Response {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], state.metrics.metrics()).into_response()
}
