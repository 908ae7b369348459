use ledger::{AccountEvent, EventKind, Height, UnixMillis};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::explorer::untag;
use super::privacy::{self, Viewer};
use crate::http::timestamp::rfc3339;
use crate::read_model::EventRecord;

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventView {
    /// Its place in the one order of all events: the same on every server.
    #[schema(example = "12-0")]
    pub id: String,
    /// What happened, such as `trade.released`.
    #[schema(example = "trade.released")]
    pub name: &'static str,
    /// The block.
    #[schema(value_type = u64)]
    pub height: Height,
    /// The time of the block.
    #[schema(format = DateTime)]
    pub time: String,
    /// The transaction or deadline behind it.
    #[schema(value_type = Object)]
    pub cause: Value,
    /// All that is known about it; null where it concerns others.
    #[schema(value_type = Object)]
    pub data: Value,
}

impl EventView {
    /// As someone sees it.
    pub fn new(record: &EventRecord, viewer: &Viewer) -> Self {
        let EventRecord { position, at, event } = record;
        let mut data = match &event.kind {
            EventKind::Trade(trade) => json(trade),
            EventKind::Money(event) => untag(json(event)).1,
            EventKind::Account(AccountEvent::Role(event)) => untag(json(event)).1,
            EventKind::Account(event) => untag(json(event)).1,
            EventKind::Charge(event) => untag(json(event)).1,
            EventKind::Payment(event) => untag(json(event)).1,
            EventKind::Listing(event) => untag(json(event)).1,
            EventKind::Replica(event) => untag(json(event)).1,
            EventKind::Review(event) => untag(json(event)).1,
            EventKind::Withdrawal(event) => untag(json(event)).1,
            EventKind::Token(event) => untag(json(event)).1,
            EventKind::Exchange(event) => untag(json(event)).1,
            EventKind::Poll(event) => untag(json(event)).1,
        };
        let (concerned, private) = privacy::of_event(&event.kind);
        if !viewer.may_see(&concerned) {
            privacy::hide(&mut data, private);
        }
        Self {
            id: position.to_string(),
            name: event.name(),
            height: position.height(),
            time: rfc3339(*at),
            cause: with_readable_times(json(&event.cause)),
            data: with_readable_times(data),
        }
    }
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// The ledger writes times as numbers, and calls every time `at`, `due`, `until`, `reveal_by` or something that ends with
/// `_at`, and nothing else so.
fn with_readable_times(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(map.into_iter().map(readable_time).collect::<Map<_, _>>()),
        Value::Array(items) => Value::Array(items.into_iter().map(with_readable_times).collect()),
        other => other,
    }
}

fn readable_time((name, value): (String, Value)) -> (String, Value) {
    let is_time = matches!(name.as_str(), "at" | "due" | "until" | "reveal_by") || name.ends_with("_at");
    let time = is_time.then(|| value.as_u64()).flatten();
    let value = match time {
        Some(millis) => Value::String(rfc3339(UnixMillis::new(millis))),
        None => with_readable_times(value),
    };
    (name, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_readable_wherever_they_are() {
        let value = serde_json::json!({
            "at": 1_700_000_000_000_u64, "version": 1, "status": {"approved": {"at": 0}},
            "cause": [{"due": 5}], "opened_at": 7, "deadline": {"kind": "ship_by", "at": null},
        });
        let expected = serde_json::json!({
            "at": "2023-11-14T22:13:20.000Z", "version": 1,
            "status": {"approved": {"at": "1970-01-01T00:00:00.000Z"}},
            "cause": [{"due": "1970-01-01T00:00:00.005Z"}], "opened_at": "1970-01-01T00:00:00.007Z", "deadline": {"kind": "ship_by", "at": null},
        });
        assert_eq!(with_readable_times(value), expected);
    }
}
