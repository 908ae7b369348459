//! The API described by itself: OpenAPI 3.1 at `/openapi.json`, for people at `/docs`.

mod docs;

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Map, Value, json};
use utoipa::openapi::{InfoBuilder, OpenApiBuilder};

use super::access::{self, Access, Rule};
use super::problem::{PROBLEM_JSON, ProblemDetails};
use super::routes;
use super::state::AppState;

pub(crate) use docs::Docs;

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

What a transaction did is said in plain words, too (`summary`): in Korean, or in English with `Accept-Language: en`.

Errors are RFC 9457 problems: `code` never changes its meaning, `retryable` says whether the same request may succeed \
later, and `tx_id` names the transaction if one was recorded as failed.";

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
    for rule in access::RULES {
        let pointer =
            format!("/paths/{}/{}", rule.path.replace('/', "~1"), rule.method.as_str().to_lowercase());
        if let Some(operation) = document.pointer_mut(&pointer).and_then(Value::as_object_mut) {
            complete(operation, rule);
        }
    }
    document
}

fn add_components(document: &mut Value) {
    let name = <ProblemDetails as utoipa::ToSchema>::name();
    let schema = <ProblemDetails as utoipa::PartialSchema>::schema();
    document["components"]["schemas"][name.as_ref()] = serde_json::to_value(schema).unwrap_or_default();
    document["components"]["securitySchemes"] = json!({
        "bearer": {"type": "http", "scheme": "bearer", "description": "The token of POST /v1/sessions."},
        "cookie": {"type": "apiKey", "in": "cookie", "name": "session", "description": "Set by the sign-in page."},
    });
}

/// Adds who may use a route, the parameters that many have, and the problems that each can answer with.
fn complete(operation: &mut Map<String, Value>, rule: &Rule) {
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
    let makes_transaction =
        operation.get("responses").is_some_and(|responses| responses.get("202").is_some());
    say_raw_bytes(operation);
    let parameters = operation.entry("parameters").or_insert(json!([]));
    if let Some(parameters) = parameters.as_array_mut() {
        for parameter in parameters.iter_mut().filter(|parameter| parameter["in"] == "path") {
            if let Some(pattern) = pattern(rule.path, parameter["name"].as_str().unwrap_or_default()) {
                parameter["schema"]["pattern"] = json!(pattern);
            }
        }
        if makes_transaction {
            parameters.push(header(
                "Prefer",
                "`wait=10`: answer when the transaction is recorded, after 10 s at most.",
                "wait=10",
            ));
        }
        if makes_transaction && rule.path != "/v1/transactions" {
            parameters.push(header("Idempotency-Key", "Do it once, however often it is sent.", "0b5e7e2e"));
        }
        parameters.push(json!({
            "name": "min_height", "in": "query", "required": false, "schema": {"type": "integer", "minimum": 0},
            "description": "Answer only once this height of the ledger is known.",
        }));
    }
    let mut problems = vec![
        ("429", "Too many requests."),
        ("503", "Not now: see `code`, and `Retry-After` if it is there."),
        ("4XX", "Something else is wrong with the request: see `code`."),
        ("5XX", "Something is wrong here: see `code`."),
    ];
    if role.is_some() {
        problems.push(("401", "Not signed in."));
    }
    if rule.access == Access::Admin {
        problems.push(("403", "Not an admin."));
    }
    if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
        for (status, meaning) in problems {
            responses.entry(status).or_insert_with(|| problem_response(meaning));
        }
    }
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

fn problem_response(meaning: &str) -> Value {
    let name = <ProblemDetails as utoipa::ToSchema>::name();
    let schema = json!({"$ref": format!("#/components/schemas/{name}")});
    json!({"description": meaning, "content": {PROBLEM_JSON: {"schema": schema}}})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What is for browsers, and what describes the rest.
    fn is_documented(rule: &Rule) -> bool {
        access::is_api(rule.path) && rule.path != "/openapi.json"
    }

    fn operations() -> impl Iterator<Item = (String, &'static Value)> {
        let paths = DOCUMENT["paths"].as_object().unwrap();
        paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap();
            methods
                .iter()
                .map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
        })
    }

    #[test]
    fn every_route_of_the_api_is_documented_and_nothing_else() {
        let rules = access::RULES.iter().filter(|rule| is_documented(rule));
        let rules: BTreeSet<_> = rules.map(|rule| format!("{} {}", rule.method, rule.path)).collect();
        let documented: BTreeSet<_> = operations().map(|(name, _)| name).collect();
        assert_eq!(documented, rules);
    }

    #[test]
    fn every_operation_says_what_it_does_and_how_it_fails() {
        assert_eq!(DOCUMENT["openapi"], "3.1.0");
        let mut ids = BTreeSet::new();
        for (name, operation) in operations() {
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{name}");
            assert!(operation["tags"][0].is_string(), "{name}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{name}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{name}");
            for status in ["429", "503", "4XX", "5XX"] {
                assert!(responses[status]["content"][PROBLEM_JSON].is_object(), "{name} {status}");
            }
            let anyone = operation["x-access"] == "anyone";
            assert_eq!(responses.contains_key("401"), !anyone, "{name}");
            assert_eq!(operation["security"].as_array().unwrap().is_empty(), anyone, "{name}");
            let in_path = name.matches('{').count();
            let parameters = operation["parameters"].as_array().unwrap();
            assert_eq!(parameters.iter().filter(|p| p["in"] == "path").count(), in_path, "{name}");
        }
    }

    #[test]
    fn what_stands_in_paths_and_raw_bytes_are_described() {
        for (name, operation) in operations() {
            for parameter in operation["parameters"].as_array().unwrap() {
                let is_id = matches!(parameter["name"].as_str(), Some("id" | "tx_id" | "hash" | "symbol"));
                let is_number = name.ends_with("/v1/network/replicas/{id}");
                if parameter["in"] == "path" && is_id && !is_number {
                    assert!(parameter["schema"]["pattern"].is_string(), "{name}");
                }
            }
        }
        let upload = &DOCUMENT["paths"]["/v1/blobs"]["post"]["requestBody"]["content"];
        assert_eq!(upload["application/octet-stream"]["schema"]["format"], "binary");
        let photo = &DOCUMENT["paths"]["/v1/blobs/{hash}"]["get"]["responses"]["200"]["content"];
        for kind in ["image/jpeg", "image/png"] {
            assert_eq!(photo[kind]["schema"]["format"], "binary", "{kind}");
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let text = DOCUMENT.to_string();
        let references: BTreeSet<_> =
            text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(references.len() > 20);
        for reference in references {
            assert!(DOCUMENT.pointer(reference).is_some(), "{reference}");
        }
    }

    #[test]
    fn people_can_read_all_of_it() {
        let shown: usize = DOCS.tags.iter().map(|tag| tag.operations.len()).sum();
        assert_eq!(shown, operations().count());
        let operations = DOCS.tags.iter().flat_map(|tag| &tag.operations);
        assert!(operations.flat_map(|operation| &operation.parameters).all(|row| !row.kind.is_empty()));
        let trade = DOCS.schemas.iter().find(|schema| schema.name == "TradeView").unwrap();
        assert!(trade.fields.iter().all(|field| !field.kind.is_empty() && !field.meaning.is_empty()));
    }
}
