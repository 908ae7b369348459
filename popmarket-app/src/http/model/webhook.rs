use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::timestamp::rfc3339;
use crate::webhooks::{AttemptRecord, Hook, Replay, Secret, Status};

/// Where to tell what happens.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Where: an https address that everybody can reach.
    #[schema(max_length = 2048, example = "https://shop.example/popmarket")]
    pub url: String,
    /// Only events whose names begin with one of these, such as `payment.` or `trade.released`. All, if there is none. If no
    /// event has a name that begins so: 400 `UNKNOWN_EVENT_NAME`.
    #[serde(default)]
    #[schema(max_items = 16)]
    pub events: Vec<String>,
    /// Also events that do not concern the member. What is private is null in them.
    #[serde(default)]
    pub everything: bool,
}

/// A webhook.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookView {
    /// What names it.
    #[schema(example = "6b86b273ff34fce19d6b804eff5a3f57")]
    pub id: String,
    /// Where it is.
    pub url: String,
    /// Beginnings of names of events. All, if there is none.
    pub events: Vec<String>,
    /// Whether it gets events that do not concern the member.
    pub everything: bool,
    /// `ENABLED` or `DISABLED`.
    #[schema(example = "ENABLED")]
    pub status: &'static str,
    /// Why it is disabled.
    pub disabled_because: Option<String>,
    /// The first event that was missed, since it was given up or the webhook was disabled: where a replay begins. Null as soon as
    /// replays have covered what was missed.
    #[schema(example = "12-0")]
    pub replay_from: Option<String>,
    /// Since when nothing got through.
    #[schema(format = DateTime)]
    pub failing_since: Option<String>,
    /// Since when it exists.
    #[schema(format = DateTime)]
    pub created_at: String,
}

impl From<Hook> for WebhookView {
    fn from(hook: Hook) -> Self {
        let (status, disabled_because) = match hook.status {
            Status::Enabled => ("ENABLED", None),
            Status::Disabled { why } => ("DISABLED", Some(why)),
        };
        Self {
            id: hook.id.to_string(),
            url: hook.subscription.url,
            events: hook.subscription.events,
            everything: hook.subscription.everything,
            status,
            disabled_because,
            replay_from: hook.replay_from.map(|from| from.to_string()),
            failing_since: hook.failing_since.map(rfc3339),
            created_at: rfc3339(hook.created_at),
        }
    }
}

/// A new webhook with its secret, which is not shown again.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookCreated {
    /// The webhook.
    #[serde(flatten)]
    pub webhook: WebhookView,
    /// What its signatures are made with.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw...")]
    pub secret: String,
}

impl WebhookCreated {
    /// A hook and its secret.
    pub fn new(hook: Hook, secret: &Secret) -> Self {
        Self { webhook: hook.into(), secret: secret.expose() }
    }
}

/// A new secret, which is not shown again.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookSecret {
    /// What signatures are made with from now on. The old one signs along for 24 hours.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw...")]
    pub secret: String,
}

/// What to send again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Replaying {
    /// The id of the first event.
    #[schema(example = "12-0")]
    pub from: String,
    /// The id of the last event.
    #[schema(example = "15-3")]
    pub to: String,
}

/// How many events are sent again.
#[derive(Debug, Serialize, ToSchema)]
pub struct Replayed {
    /// So many: at most 1,000, the first ones of the range, and fewer while much waits to be sent.
    pub events: usize,
    /// `from` of the next request for the rest of the range; null if that was all of it.
    #[schema(example = "14-0")]
    pub next: Option<String>,
}

impl From<Replay> for Replayed {
    fn from(replay: Replay) -> Self {
        Self { events: replay.events, next: replay.next.map(|next| next.to_string()) }
    }
}

/// An attempt to send something.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptView {
    /// What names it.
    pub id: i64,
    /// The `webhook-id` of what was sent.
    #[schema(example = "evt_12-0")]
    pub webhook_id: String,
    /// How many there were for it, with this one.
    pub number: u32,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// How long it took, in milliseconds.
    pub duration: u64,
    /// What the receiver answered.
    #[schema(example = 204)]
    pub status: Option<u16>,
    /// Why it counts as failed; null if it got through.
    pub error: Option<String>,
}

impl From<AttemptRecord> for AttemptView {
    fn from(record: AttemptRecord) -> Self {
        let AttemptRecord { id, message, number, at, millis, status, error } = record;
        Self { id, webhook_id: message, number, at: rfc3339(at), duration: millis, status, error }
    }
}

/// Webhooks, the oldest first.
pub type WebhookList = super::List<WebhookView>;
/// Attempts, the newest first.
pub type AttemptList = super::List<AttemptView>;
