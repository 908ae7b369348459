//! The headers of answers.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::nature::Nature;
use crate::http::code::Code;

/// The component that says that a header is there if the problem is one that may go away.
const RETRY_AFTER_IF_RETRYABLE: &str = "Retry-After-If-Retryable";

/// What each header means, for `components`.
pub(super) fn components() -> Value {
    let seconds = json!({"type": "integer", "minimum": 1});
    let after = "After how many seconds the same request may succeed.";
    json!({
        "Ledger-Height": {
            "description": "The last block that this server has read.", "required": true,
            "schema": {"type": "integer", "minimum": 0},
        },
        "Ledger-Time": {
            "description": "The time of that block.", "required": true,
            "schema": {"type": "string", "format": "date-time"},
        },
        "X-Request-Id": {
            "description": "What names the request in the server's log: the id that it came with, or a new one.",
            "required": true, "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
        },
        "Retry-After": {"description": after, "required": true, "schema": seconds},
        RETRY_AFTER_IF_RETRYABLE: {"description": format!("{after} If the problem is `retryable`."), "schema": seconds},
        "WWW-Authenticate": {
            "description": "How to sign in.", "required": true, "schema": {"type": "string"},
        },
        "Location": {
            "description": "Where to look next: at what is there now, or at what becomes of the transaction.",
            "required": true, "schema": {"type": "string", "format": "uri-reference"},
        },
        "Idempotency-Replayed": {
            "description": "Only if this was answered before, to a request with the same `Idempotency-Key`.",
            "schema": {"type": "string", "enum": ["true"]},
        },
        "Link": {
            "description": "Where the parts of the list before and after are (RFC 8288), if there are any.",
            "schema": {"type": "string"},
        },
    })
}

/// The headers of what an operation answers if all is well.
pub(super) fn add_to_successes(responses: &mut Map<String, Value>, nature: &Nature) {
    let names_thing = nature.submits || nature.is_keyed();
    for response in responses.values_mut() {
        let mut headers = of_every_answer();
        if names_thing {
            add(&mut headers, "Location", "Location");
        }
        if nature.is_keyed() {
            add(&mut headers, "Idempotency-Replayed", "Idempotency-Replayed");
        }
        if response["content"].get("text/csv").is_some() {
            add(&mut headers, "Link", "Link");
        }
        response["headers"] = Value::Object(headers);
    }
}

/// The headers of problems with one status. `is_kept`: what is answered is kept for requests with the same key.
pub(super) fn of_problems(status: StatusCode, codes: &[Code], is_kept: bool) -> Map<String, Value> {
    let mut headers = of_every_answer();
    if codes.iter().all(|code| code.retryable) {
        add(&mut headers, "Retry-After", "Retry-After");
    } else if codes.iter().any(|code| code.retryable) {
        add(&mut headers, "Retry-After", RETRY_AFTER_IF_RETRYABLE);
    }
    if status == StatusCode::UNAUTHORIZED {
        add(&mut headers, "WWW-Authenticate", "WWW-Authenticate");
    }
    if is_kept {
        add(&mut headers, "Idempotency-Replayed", "Idempotency-Replayed");
    }
    headers
}

fn of_every_answer() -> Map<String, Value> {
    let mut headers = Map::new();
    for name in ["Ledger-Height", "Ledger-Time", "X-Request-Id"] {
        add(&mut headers, name, name);
    }
    headers
}

fn add(headers: &mut Map<String, Value>, name: &str, component: &str) {
    headers.insert(name.to_owned(), json!({"$ref": format!("#/components/headers/{component}")}));
}
