//! The API described by itself: OpenAPI 3.1 at `/openapi.json`, for people at `/docs`.

mod docs;
mod headers;
mod nature;
mod problems;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Map, Value, json};
use utoipa::openapi::{InfoBuilder, OpenApiBuilder};

use super::access::{self, Access, Rule};
use super::code::Code;
use super::problem::ProblemDetails;
use super::routes;
use super::state::AppState;

pub(crate) use docs::Docs;
use nature::Nature;

const DESCRIPTION: &str = "A second-hand market whose payments are held in escrow on a ledger that several replicas agree on.

Money is an integer in a string, in minor units, beside its asset. Times are RFC 3339 in UTC. Ids are the SHA-256 of what \
they name, in hex; what a transaction makes has the id of the transaction, so it is known before the transaction is \
recorded.

A request that makes a transaction is answered with 202 and `tx_id` at once. With the header `Prefer: wait=10` it is \
answered with 201 once the transaction is recorded, or with a problem if it failed. With an `Idempotency-Key` it is done \
once, however often it is sent; an answer that is sent again has the header `Idempotency-Replayed`.

Every answer says in `Ledger-Height` and `Ledger-Time` how much of the ledger it knows. A request with `min_height` is \
answered once that much is known. Lists go on with `starting_after`, or back with `ending_before`. Some can be had as \
tables (RFC 4180): with `Accept: text/csv` or `format=csv`. Their header `Link` leads to the parts before and after.

Requests are counted for each client by what they cost: reads, writes, passwords, and heavy ones, of which there may be few: \
searches, receipts, tables, `consistency=quorum`, replays, and streams of events of long ago. Only some heavy ones are worked on at \
once; the others wait for a moment, and are answered with 503 `OVERLOADED` if that is not enough.
Every answer, also a problem, has an id in `X-Request-Id`. It is the one that the request came with, if that has 1 to 64 \
letters, digits, `-`, `_` and `.`, and a new one otherwise. The server's log has it beside what was answered: name it when \
you ask the operator about an answer.

What a transaction did is said in plain words, too (`summary`): in Korean, or in English with `Accept-Language: en`.

Errors are RFC 9457 problems: `code` never changes its meaning, `retryable` says whether the same request may succeed \
later, and then `Retry-After` has after how many seconds. `tx_id` names the transaction if one was recorded as failed. Each \
operation lists the statuses and codes that it has; one that makes a transaction can be answered with whatever the ledger \
says of it.";

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);
static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());
static DOCS: LazyLock<Docs> = LazyLock::new(|| Docs::of(&DOCUMENT));

/// The description of the API.
pub fn description() -> &'static Value {
    &DOCUMENT
}

pub(super) fn router() -> Router<AppState> {
    Router::new().route("/openapi.json", get(serve)).route("/docs", get(show))
}

async fn serve() -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")];
    (headers, TEXT.as_str()).into_response()
}

async fn show(state: axum::extract::State<AppState>, caller: super::Caller, request: Request) -> Response {
    crate::pages::docs_page(&state, &request, &caller, &DOCS)
}

/// What the handlers say about themselves, and what is the same for many of them.
fn document() -> Value {
    let (_, collected) = routes::router().split_for_parts();
    let info = InfoBuilder::new()
        .title("POP Market")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION));
    let mut api = OpenApiBuilder::new().info(info.build()).build();
    api.paths = collected.paths;
    api.components = collected.components;
    let mut document = serde_json::to_value(&api).unwrap_or_default();
    add_components(&mut document);
    let mut shared = Map::new();
    for rule in access::RULES {
        let pointer =
            format!("/paths/{}/{}", rule.path.replace('/', "~1"), rule.method.as_str().to_lowercase());
        if let Some(operation) = document.pointer_mut(&pointer).and_then(Value::as_object_mut) {
            complete(operation, rule, &mut shared);
        }
    }
    document["components"]["responses"] = Value::Object(shared);
    document
}

fn add_components(document: &mut Value) {
    let name = <ProblemDetails as utoipa::ToSchema>::name();
    let schema = <ProblemDetails as utoipa::PartialSchema>::schema();
    let mut schema = serde_json::to_value(schema).unwrap_or_default();
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.name).collect();
    schema["properties"]["code"]["enum"] = json!(codes);
    document["components"]["schemas"][name.as_ref()] = schema;
    document["components"]["headers"] = headers::components();
    document["components"]["securitySchemes"] = json!({
        "bearer": {"type": "http", "scheme": "bearer", "description": "The token of POST /v1/sessions."},
        "cookie": {"type": "apiKey", "in": "cookie", "name": "session", "description": "Set by the sign-in page."},
    });
}

/// Adds who may use a route, and what follows from what it is like: parameters, headers, problems.
fn complete(operation: &mut Map<String, Value>, rule: &'static Rule, shared: &mut Map<String, Value>) {
    let role = match rule.access {
        Access::Anyone => None,
        Access::Member => Some("member"),
        Access::Admin => Some("admin"),
    };
    let id = format!(
        "{}{}",
        rule.method.as_str().to_lowercase(),
        rule.path.replace(['/', '.'], "_").replace(['{', '}'], "")
    );
    operation.insert("operationId".to_owned(), json!(id));
    operation.insert("x-access".to_owned(), json!(role.unwrap_or("anyone")));
    operation
        .insert("security".to_owned(), role.map_or(json!([]), |_| json!([{"bearer": []}, {"cookie": []}])));
    let nature = Nature::of(rule, operation);
    say_raw_bytes(operation);
    if let Some(parameters) = operation.entry("parameters").or_insert(json!([])).as_array_mut() {
        add_parameters(parameters, &nature);
    }
    if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
        headers::add_to_successes(responses, &nature);
        problems::add(responses, &nature, shared);
    }
}

fn add_parameters(parameters: &mut Vec<Value>, nature: &Nature) {
    for parameter in parameters.iter_mut().filter(|parameter| parameter["in"] == "path") {
        if let Some(pattern) = pattern(nature.rule.path, parameter["name"].as_str().unwrap_or_default()) {
            parameter["schema"]["pattern"] = json!(pattern);
        }
    }
    if nature.may_wait() {
        let meaning = "`wait=10`: answer when the transaction is recorded, after 10 s at most.";
        parameters.push(header("Prefer", meaning, "wait=10"));
    }
    if nature.is_keyed() {
        parameters.push(header("Idempotency-Key", "Do it once, however often it is sent.", "0b5e7e2e"));
    }
    parameters.push(json!({
        "name": "min_height", "in": "query", "required": false, "schema": {"type": "integer", "minimum": 0},
        "description": "Answer only once this height of the ledger is known.",
    }));
}

/// How what stands in a path is written. Addresses have a checksum, which no pattern says.
fn pattern(path: &str, name: &str) -> Option<&'static str> {
    Some(match name {
        "symbol" => "^[A-Z][A-Z0-9]{2,11}$",
        "public_key" => "^0[23][0-9a-f]{64}$",
        "id" if path.starts_with("/v1/markets/") => "^[A-Z][A-Z0-9]{2,11}-[A-Z][A-Z0-9]{2,11}$",
        "id" if path.starts_with("/v1/webhooks/") => "^[0-9a-f]{32}$",
        "id" if path.starts_with("/v1/blocks/") => "^([0-9]{1,19}|[0-9a-f]{64})$",
        // A number.
        "id" if path == "/v1/network/replicas/{id}" => return None,
        "id" | "tx_id" | "hash" => "^[0-9a-f]{64}$",
        _ => return None,
    })
}

/// Bytes that are not JSON are derived as lists of numbers, which they are not.
fn say_raw_bytes(operation: &mut Map<String, Value>) {
    if let Some(body) = operation.get_mut("requestBody") {
        raw_bytes(body);
    }
    let answers = operation.get_mut("responses").and_then(Value::as_object_mut);
    answers.into_iter().flat_map(Map::values_mut).for_each(raw_bytes);
}

fn raw_bytes(message: &mut Value) {
    let content = message.get_mut("content").and_then(Value::as_object_mut);
    for (kind, body) in content.into_iter().flatten() {
        if !kind.ends_with("json") && body["schema"]["type"] == "array" {
            body["schema"] = json!({"type": "string", "format": "binary"});
        }
    }
}

fn header(name: &str, description: &str, example: &str) -> Value {
    let schema = json!({"type": "string"});
    json!({"name": name, "in": "header", "required": false, "schema": schema, "description": description, "example": example})
}
