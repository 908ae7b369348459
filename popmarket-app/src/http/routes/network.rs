//! The replicas, and whether this server works.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::code::Code;
use crate::http::model::NetworkReport;
use crate::http::problem::{Answer, Problem};
use crate::http::state::AppState;

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
    if state.read.watermark().is_none() {
        return Err(Problem::because(Code::UNAVAILABLE, "the chain is not read yet").into());
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
