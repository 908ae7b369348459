//! Webhooks: members' own programs are told what happens.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::events::check_names;
use super::read_problem;
use crate::http::caller::SignedIn;
use crate::http::code::Code;
use crate::http::extract::{Id, JsonBody, Nothing, OptionalBody, Query};
use crate::http::model::{
    AttemptList, AttemptView, List, NewWebhook, Replayed, Replaying, WebhookCreated, WebhookList,
    WebhookSecret, WebhookView,
};
use crate::http::problem::{Answer, Failure, Problem};
use crate::http::state::AppState;
use crate::read_model::{PageLimit, Position};
use crate::webhooks::{HookId, MAX_EVENTS, Subscription, WebhookError};

/// Be told what happens.
///
/// Events are sent as POST requests by the Standard Webhooks specification: with the headers `webhook-id`,
/// `webhook-timestamp` and `webhook-signature`. An event has the same id whoever sends it, and comes at least once. A receiver
/// answers with 2xx within 15 seconds; otherwise it is sent again, for three days.
#[utoipa::path(post, path = "/v1/webhooks", tag = "webhooks", request_body = NewWebhook, responses(
    (status = 201, description = "It is told what happens from now on.", body = WebhookCreated),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    member: SignedIn,
    body: JsonBody<NewWebhook>,
) -> Answer<(StatusCode, Json<WebhookCreated>)> {
    let NewWebhook { url, events, everything } = body.value;
    if events.len() > MAX_EVENTS {
        let detail = "at most 16 beginnings of names of events";
        return Err(Problem::in_field(Code::INVALID_BODY, "events", detail).into());
    }
    check_names("events", &events)?;
    let subscription = Subscription { url, events, everything };
    let created = state.webhooks.create(member.address(), subscription).await;
    let (hook, secret) = created.map_err(problem)?;
    Ok((StatusCode::CREATED, Json(WebhookCreated::new(hook, &secret))))
}

/// One's webhooks, the oldest first.
#[utoipa::path(get, path = "/v1/webhooks", tag = "webhooks", responses(
    (status = 200, description = "All of them.", body = List<WebhookView>),
))]
pub(super) async fn list(State(state): State<AppState>, member: SignedIn) -> Answer<Json<WebhookList>> {
    let hooks = state.webhooks.hooks_of(&member.address()).await.map_err(problem)?;
    let data = hooks.into_iter().map(WebhookView::from).collect();
    Ok(Json(List { data, has_more: false }))
}

/// A webhook.
#[utoipa::path(get, path = "/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path, description = "The webhook.")), responses(
    (status = 200, description = "The webhook.", body = WebhookView),
))]
pub(super) async fn show(
    State(state): State<AppState>,
    member: SignedIn,
    Id(id): Id<HookId>,
) -> Answer<Json<WebhookView>> {
    Ok(Json(state.webhooks.hook(&member.address(), id).await.map_err(problem)?.into()))
}

/// Be told no more.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path, description = "The webhook.")), responses(
    (status = 204, description = "It is gone, with all that was to be sent."),
))]
pub(super) async fn remove(
    State(state): State<AppState>,
    member: SignedIn,
    Id(id): Id<HookId>,
) -> Answer<StatusCode> {
    state.webhooks.remove(&member.address(), id).await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which attempts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AttemptsQuery {
    /// How many items, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The id of the item before the first one wanted.
    starting_after: Option<i64>,
}

/// What was sent to a webhook and what came of it, the newest first. Kept for 30 days.
#[utoipa::path(get, path = "/v1/webhooks/{id}/attempts", tag = "webhooks", params(("id" = String, Path, description = "The webhook."), AttemptsQuery), responses(
    (status = 200, description = "A part of the list.", body = List<AttemptView>),
))]
pub(super) async fn attempts(
    State(state): State<AppState>,
    member: SignedIn,
    Id(id): Id<HookId>,
    Query(query): Query<AttemptsQuery>,
) -> Answer<Json<AttemptList>> {
    let limit = PageLimit::new(query.limit.unwrap_or(PageLimit::DEFAULT.value()));
    let limit = limit.ok_or_else(|| Problem::because(Code::INVALID_QUERY, "limit: 1 to 100 items"))?.value();
    let owner = member.address();
    let attempts = state.webhooks.attempts(&owner, id, query.starting_after, limit + 1);
    let mut attempts = attempts.await.map_err(problem)?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = attempts.len() > wanted;
    attempts.truncate(wanted);
    Ok(Json(List { data: attempts.into_iter().map(AttemptView::from).collect(), has_more }))
}

/// Send events of the past again, under the same ids.
///
/// One request sends 1,000 events at most and looks at 65,536. If the range has more, `next` says where to go on.
#[utoipa::path(post, path = "/v1/webhooks/{id}/replay", tag = "webhooks", params(("id" = String, Path, description = "The webhook.")), request_body = Replaying, responses(
    (status = 202, description = "They are on their way.", body = Replayed),
))]
pub(super) async fn replay(
    State(state): State<AppState>,
    member: SignedIn,
    Id(id): Id<HookId>,
    body: JsonBody<Replaying>,
) -> Answer<(StatusCode, Json<Replayed>)> {
    let position = |field: &str, text: &str| {
        text.parse::<Position>().map_err(|error| Problem::in_field(Code::INVALID_BODY, field, error))
    };
    let range = (position("from", &body.value.from)?, position("to", &body.value.to)?);
    let replay = state.webhooks.replay(&member.address(), id, range).await.map_err(problem)?;
    Ok((StatusCode::ACCEPTED, Json(replay.into())))
}

/// Send an event `webhook.test`, which means nothing, at once and once, and say what comes of it.
#[utoipa::path(post, path = "/v1/webhooks/{id}/test", tag = "webhooks", params(("id" = String, Path, description = "The webhook.")), responses(
    (status = 200, description = "It was tried.", body = AttemptView),
))]
pub(super) async fn test(
    State(state): State<AppState>,
    member: SignedIn,
    Id(id): Id<HookId>,
    _: OptionalBody<Nothing>,
) -> Answer<Json<AttemptView>> {
    Ok(Json(state.webhooks.test(&member.address(), id).await.map_err(problem)?.into()))
}

/// Make a new secret. For 24 hours messages are signed with the old one, too.
#[utoipa::path(post, path = "/v1/webhooks/{id}/secret", tag = "webhooks", params(("id" = String, Path, description = "The webhook.")), responses(
    (status = 200, description = "The new secret.", body = WebhookSecret),
))]
pub(super) async fn rotate(
    State(state): State<AppState>,
    member: SignedIn,
    Id(id): Id<HookId>,
    _: OptionalBody<Nothing>,
) -> Answer<Json<WebhookSecret>> {
    let secret = state.webhooks.rotate(&member.address(), id).await.map_err(problem)?;
    Ok(Json(WebhookSecret { secret: secret.expose() }))
}

/// Send to a webhook again that was disabled. What happened meanwhile can be replayed, beginning with `replay_from`.
#[utoipa::path(post, path = "/v1/webhooks/{id}/enable", tag = "webhooks", params(("id" = String, Path, description = "The webhook.")), responses(
    (status = 200, description = "The webhook.", body = WebhookView),
))]
pub(super) async fn enable(
    State(state): State<AppState>,
    member: SignedIn,
    Id(id): Id<HookId>,
    _: OptionalBody<Nothing>,
) -> Answer<Json<WebhookView>> {
    Ok(Json(state.webhooks.enable(&member.address(), id).await.map_err(problem)?.into()))
}

fn problem(error: WebhookError) -> Failure {
    match error {
        WebhookError::Target(why) => Problem::in_field(Code::BAD_WEBHOOK_URL, "url", why),
        WebhookError::Unknown => Problem::new(Code::UNKNOWN_WEBHOOK),
        WebhookError::TooMany => Problem::new(Code::TOO_MANY_WEBHOOKS),
        WebhookError::Read(error) => read_problem(error),
        WebhookError::Database(_)
        | WebhookError::Migrate(_)
        | WebhookError::OtherChain(_)
        | WebhookError::Client(_) => Problem::of_database(&error, error.may_pass()),
    }
}
