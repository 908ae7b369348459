//! What costs much: which requests do, and how many of them are worked on at once.
//!
//! The rules say what routes cost. Some requests cost more by what they ask for: words that are looked for in every listing,
//! a table, a quorum of the replicas, events of long ago.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::access::Rule;
use super::code::Code;
use super::extract::{TEXT_BODY, read_body};
use super::problem::{Failure, Problem};
use super::quota::{Held, Quota};
use super::rate_limit::{Client, Kind};
use super::state::{AppState, HttpOptions};
use super::{csv, pipeline};
use crate::read_model::Position;

/// How many questions to all replicas wait for them at once.
const MAX_QUESTIONS: usize = 16;
/// After how many seconds a client may ask again.
const RETRY: u32 = 2;
/// A stream that begins so many blocks back reads little: browsers connect again all the time.
const NEAR: u64 = 256;

/// What a heavy request takes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// A reader of the tables or a core, as long as it runs.
    Tables,
    /// The replicas. With these away it waits long and needs nothing here, so it must not be in the way of the others.
    Replicas,
}

/// What a request costs, and whether it has to wait for its turn.
pub(super) fn weigh(state: &AppState, parts: &Parts, rule: &Rule) -> (Kind, Option<Lane>) {
    let is_table = rule.method == Method::GET && rule.path.starts_with("/v1/") && csv::is_wanted(parts);
    if rule.kind == Kind::Heavy || is_table || looks_at_all(parts, rule) {
        return (Kind::Heavy, Some(Lane::Tables));
    }
    if rule.path == "/v1/wallets/{address}" && asks(parts, "consistency", |value| value == "quorum") {
        return (Kind::Heavy, Some(Lane::Replicas));
    }
    // It reads while its client does, batch by batch, so it has no turn: see `ReadModel::scan_events`.
    if rule.path == "/v1/events" && begins_far_back(state, parts) {
        return (Kind::Heavy, None);
    }
    (rule.kind, None)
}

/// No index leads to words in a listing, nor to prices whatever the status.
fn looks_at_all(parts: &Parts, rule: &Rule) -> bool {
    let names: &[&str] = match rule.path {
        _ if rule.method != Method::GET => &[],
        "/" => &["q"],
        "/v1/listings" => &["q", "min_price", "max_price"],
        _ => &[],
    };
    names.iter().any(|name| asks(parts, name, |value| !value.trim().is_empty()))
}

fn begins_far_back(state: &AppState, parts: &Parts) -> bool {
    let tip = state.tip().0.value();
    let is_far =
        |text: &str| text.parse().is_ok_and(|at: Position| tip.saturating_sub(at.height().value()) > NEAR);
    match parts.headers.get("last-event-id") {
        Some(value) => value.to_str().is_ok_and(is_far),
        None => asks(parts, "last_event_id", is_far),
    }
}

/// Whether the query has a parameter with such a value.
fn asks(parts: &Parts, name: &str, fits: impl Fn(&str) -> bool) -> bool {
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    form_urlencoded::parse(query).any(|(key, value)| key == name && fits(&value))
}

/// The places of those that are worked on.
pub(crate) struct Lanes {
    tables: Arc<Semaphore>,
    replicas: Arc<Semaphore>,
    of_each: Quota,
    patience: Duration,
}

/// A place. It is free again when this is dropped.
pub(super) struct Turn {
    _place: OwnedSemaphorePermit,
    _share: Held,
}

impl Lanes {
    /// With all places free.
    pub(crate) fn new(options: &HttpOptions) -> Self {
        Self {
            tables: Arc::new(Semaphore::new(options.max_heavy)),
            replicas: Arc::new(Semaphore::new(MAX_QUESTIONS)),
            of_each: Quota::new(options.max_heavy_each),
            patience: options.heavy_patience,
        }
    }

    /// Waits for a place, those who came first first.
    ///
    /// # Errors
    /// BUSY if the client has as many as it may have, OVERLOADED if no place becomes free in time.
    pub(super) async fn enter(&self, lane: Lane, client: Client) -> Result<Turn, Failure> {
        let share = self.of_each.take(client).ok_or_else(|| Problem::later(Code::BUSY, RETRY))?;
        let places = match lane {
            Lane::Tables => &self.tables,
            Lane::Replicas => &self.replicas,
        };
        let place = tokio::time::timeout(self.patience, Arc::clone(places).acquire_owned()).await;
        let place = place.ok().and_then(Result::ok).ok_or_else(|| Problem::later(Code::OVERLOADED, RETRY))?;
        Ok(Turn { _place: place, _share: share })
    }
}

/// Lets a heavy request wait for its turn, once its body is here: who sends slowly is in nobody's way. It is worked on to
/// its end even if its client goes away: databases and threads do not stop halfway, so its place is not free before.
pub(super) async fn in_turn(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let of_gate = request.extensions();
    let (Some(lane), Some(client)) = (of_gate.get::<Lane>().copied(), of_gate.get::<Client>().cloned())
    else {
        return next.run(request).await;
    };
    let entered = async {
        let request = with_body(request).await?;
        Ok::<_, Failure>((state.shared.lanes.enter(lane, client).await?, request))
    };
    let (turn, request) = match entered.await {
        Ok(entered) => entered,
        Err(problem) => return problem.into_response(),
    };
    let work = tokio::spawn(async move {
        let response = next.run(request).await;
        drop(turn);
        response
    });
    work.await.unwrap_or_else(|error| pipeline::panicked(Box::new(error)))
}

async fn with_body(request: Request) -> Result<Request, Failure> {
    if request.method() != Method::POST {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let body = read_body(body, TEXT_BODY).await?;
    Ok(Request::from_parts(parts, Body::from(body)))
}
