//! The HTTP side: the API under `/v1`, and the [pages](crate::pages).
//!
//! ```text
//! envelope (request id, headers) -> page_manners (errors in HTML) -> gate (rates, who asks, may they, freshness)
//!   -> in_turn (what costs much waits for its turn) -> handler
//! ```
//!
//! Who may use which route is said in [`access`], what a client is told when something goes wrong in `code`, and what
//! it sends and gets in [`model`]. A POST that makes a transaction goes through `submit`, and `once` sees to it that
//! it is done once.

pub mod access;
mod caller;
mod code;
mod cookie;
mod csrf;
mod csv;
mod cursor;
mod drain;
mod extract;
mod heavy;
pub mod model;
mod once;
pub mod openapi;
mod payment_request;
mod pictures;
mod pipeline;
mod prefer;
pub(crate) mod preflight;
mod problem;
mod quota;
mod rate_limit;
pub(crate) mod routes;
mod serve;
mod slow_body;
mod state;
mod submit;
pub(crate) mod timestamp;

#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_request};
use tower_http::catch_panic::CatchPanicLayer;

pub(crate) use caller::{Caller, SignedIn};
pub use code::Code;
pub(crate) use cookie::{drop_session, keep_session, language};
pub(crate) use extract::{Id, PICTURE_BODY, Query, TEXT_BODY, read_body};
pub use model::{NetworkReport, ReplicaReport, ReplicaStatus};
pub(crate) use once::{RequestKey, accounts_problem};
pub(crate) use payment_request::PaymentRequest;
pub(crate) use problem::{Answer, Failed, Failure};
pub use problem::{PROBLEM_JSON, Problem, ProblemDetails};
pub use rate_limit::{Rate, Rates};
pub use serve::serve;
pub(crate) use state::Shared;
pub use state::{AppState, ChainInfo, HttpOptions, MetricsText, NetworkStatus};
pub(crate) use submit::{Intent, Subject};

/// All routes.
pub fn router(state: AppState) -> Router {
    let (api, _) = routes::router().split_for_parts();
    api.merge(crate::pages::router())
        .merge(openapi::router())
        // The gate answers before it: no rule names a path that is not there.
        .fallback(|| async { Failed(Problem::new(Code::NO_SUCH_ROUTE)) })
        .layer(DefaultBodyLimit::max(TEXT_BODY))
        .layer(from_fn_with_state(state.clone(), heavy::in_turn))
        .layer(map_request(slow_body::limited))
        .layer(from_fn_with_state(state.clone(), pipeline::gate))
        .layer(CatchPanicLayer::custom(pipeline::panicked))
        .layer(from_fn_with_state(state.clone(), pipeline::page_manners))
        .layer(from_fn_with_state(state.clone(), pipeline::envelope))
        .with_state(state)
}
