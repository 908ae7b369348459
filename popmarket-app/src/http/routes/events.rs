//! Everything that happens, as it happens: server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use utoipa::IntoParams;

use crate::http::caller::{Caller, role_of};
use crate::http::code::Code;
use crate::http::extract::Query;
use crate::http::model::{EventView, Viewer};
use crate::http::once::accounts_problem;
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::quota::Held;
use crate::http::rate_limit::Client;
use crate::http::state::AppState;
use crate::read_model::{EventRecord, EventStream, Position};

/// After how long without an event a comment is sent, so that nobody on the way takes the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// After how long a client may connect again.
const RETRY: Duration = Duration::from_secs(2);
/// How many kinds of events can be asked for.
const MAX_TYPES: usize = 16;

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Only those whose names begin with one of these, separated by commas, such as `trade.,listing.created`. If no event
    /// has a name that begins so: 400 `UNKNOWN_EVENT_NAME`.
    types: Option<String>,
    /// The id of the event after which to begin: for clients that cannot send the header `Last-Event-ID`, which counts
    /// more. `0-0` for all from the start.
    last_event_id: Option<String>,
}

/// Everything that happens, as it happens.
///
/// Each event has an id. Who connects again with the header `Last-Event-ID` gets all that came after it, nothing twice
/// and nothing left out, from any server of the same chain.
///
/// A stream shows what its caller may see, and ends when that changes: with an event of the kind `problem`, without an id,
/// whose data is a `Problem`: UNAUTHENTICATED if the session is over, FORBIDDEN if the account's role is another one.
#[utoipa::path(get, path = "/v1/events", tag = "explorer", params(EventsQuery), responses(
    (status = 200, description = "A stream of server-sent events; `data` of each is an `EventView`.", body = EventView, content_type = "text/event-stream"),
))]
pub(super) async fn stream(
    State(state): State<AppState>,
    Extension(client): Extension<Client>,
    caller: Caller,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let after = start(&headers, query.last_event_id.as_deref())?;
    let types = types(query.types.as_deref())?;
    let busy = || Problem::later(Code::BUSY, 10);
    let share = state.shared.streams_of_each.take(client).ok_or_else(busy)?;
    let permit = Arc::clone(&state.shared.streams).try_acquire_owned().map_err(|_| busy())?;
    let events = state.read.subscribe(after);
    let closing = state.shared.closing.subscribe();
    let viewer = Viewer::from(&caller);
    let standing = Standing::of(state, caller);
    let source = Source { events, types, viewer, standing, is_over: false, closing, _held: (share, permit) };
    let stream = stream::unfold(source, |mut source| async move {
        let event = source.next().await?;
        Some((Ok(event), source))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn start(headers: &HeaderMap, parameter: Option<&str>) -> Result<Option<Position>, Failure> {
    let (code, text) = match headers.get("last-event-id") {
        Some(value) => (Code::INVALID_HEADER, Some(value.to_str().unwrap_or("not text"))),
        None => (Code::INVALID_QUERY, parameter),
    };
    let position = text.filter(|text| !text.is_empty()).map(str::parse).transpose();
    position.map_err(|error| Problem::because(code, error))
}

fn types(parameter: Option<&str>) -> Result<Vec<String>, Failure> {
    let types = parameter.filter(|types| !types.is_empty()).into_iter().flat_map(|types| types.split(','));
    let types: Vec<String> = types.map(str::to_owned).collect();
    if types.len() > MAX_TYPES {
        return Err(Problem::because(Code::INVALID_QUERY, "types: at most 16"));
    }
    check_names("types", &types)?;
    Ok(types)
}

/// Whether there are events whose names begin so: whoever asks for others would wait for ever.
pub(super) fn check_names(field: &str, beginnings: &[String]) -> Result<(), Failure> {
    let is_one = |text: &str| !text.is_empty() && ledger::Event::names().any(|name| name.starts_with(text));
    match beginnings.iter().find(|text| !is_one(text)) {
        None => Ok(()),
        Some(text) => {
            let shown: String = text.chars().take(64).collect();
            Err(Problem::in_field(Code::UNKNOWN_EVENT_NAME, field, format_args!("{shown:?}")))
        }
    }
}

struct Source {
    events: EventStream,
    types: Vec<String>,
    viewer: Viewer,
    standing: Standing,
    is_over: bool,
    closing: watch::Receiver<bool>,
    _held: (Held, OwnedSemaphorePermit),
}

impl Source {
    /// The next event that the client wants. None when the server goes down or cannot read: the client connects again.
    async fn next(&mut self) -> Option<Event> {
        while !self.is_over {
            let record = tokio::select! {
                biased;
                _ = self.closing.wait_for(|closing| *closing) => return None,
                () = self.standing.is_due() => None,
                record = self.events.next() => Some(record),
            };
            let Some(record) = record else {
                match self.standing.is_lost().await {
                    Some(why) => return self.end(&why),
                    None => continue,
                }
            };
            match record {
                Ok(record) if self.is_wanted(&record) => {
                    return match self.standing.has_lost_role() {
                        Some(why) => self.end(&why),
                        None => to_event(&record, &self.viewer),
                    };
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "a stream of events ended");
                    return None;
                }
            }
        }
        None
    }

    /// The last event: why there are no more.
    fn end(&mut self, why: &Problem) -> Option<Event> {
        self.is_over = true;
        Event::default().event("problem").retry(RETRY).json_data(why.details()).ok()
    }

    fn is_wanted(&self, record: &EventRecord) -> bool {
        let name = record.event.name();
        self.types.is_empty() || self.types.iter().any(|prefix| name.starts_with(prefix.as_str()))
    }
}

/// Who opened a stream, and whether what they opened it with still stands.
struct Standing {
    state: AppState,
    caller: Caller,
    checks: Interval,
}

impl Standing {
    fn of(state: AppState, caller: Caller) -> Self {
        let every = state.options.recheck_streams.max(Duration::from_millis(1));
        let mut checks = interval_at(Instant::now() + every, every);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { state, caller, checks }
    }

    /// Waits until it is time to look.
    async fn is_due(&mut self) {
        self.checks.tick().await;
    }

    /// Why it does not stand any more, if it does not.
    async fn is_lost(&self) -> Option<Failure> {
        let identity = self.caller.identity()?;
        match self.state.accounts.session(&identity.token).await {
            Ok(Some(_)) => self.has_lost_role(),
            Ok(None) => Some(Problem::because(Code::UNAUTHENTICATED, "the session is over")),
            Err(error) => Some(accounts_problem(error)),
        }
    }

    /// This costs so little that it is looked at for each event: nobody sees with a role what happens after its loss.
    fn has_lost_role(&self) -> Option<Failure> {
        let identity = self.caller.identity()?;
        let is_same = role_of(&self.state, &identity.address()) == (identity.role, identity.is_admin());
        (!is_same)
            .then(|| Problem::because(Code::FORBIDDEN, "the account has another role now, or is frozen"))
    }
}

fn to_event(record: &EventRecord, viewer: &Viewer) -> Option<Event> {
    let view = EventView::new(record, viewer);
    let event = Event::default().id(view.id.clone()).retry(RETRY);
    event.json_data(&view).inspect_err(|error| tracing::error!(%error, "an event has no JSON")).ok()
}
