//! The replicas, and whether this server works.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use ledger::Ledger;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::code::Code;
use crate::http::model::NetworkReport;
use crate::http::problem::{Answer, Problem};
use crate::http::state::AppState;

/// How long what is on the chain may take to be read.
const READ_WITHIN: Duration = Duration::from_millis(500);

/// The replicas: who orders, how far each is, and whether they agree.
#[utoipa::path(get, path = "/v1/network", tag = "network", responses(
    (status = 200, description = "What is known about them.", body = NetworkReport),
))]
pub(super) async fn show(State(state): State<AppState>) -> Json<NetworkReport> {
    Json(state.network.network().await)
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
    (status = 503, description = "It cannot.", body = crate::http::problem::ProblemDetails, content_type = "application/problem+json"),
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
