//! What was answered is held to the description of the API: status, code, content type and headers.

use axum::http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

use crate::http::{PROBLEM_JSON, openapi};

/// The headers that are described where they are. The others are the same on every answer, or say how to read a body.
const DESCRIBED: [&str; 9] = [
    "Ledger-Height",
    "Ledger-Time",
    "X-Request-Id",
    "Retry-After",
    "WWW-Authenticate",
    "Location",
    "Idempotency-Replayed",
    "Link",
    "ETag",
];

/// Checks an answer; its code only if the body is there. What is no operation of the API is not described.
pub(super) fn check(
    (method, path): (&Method, &str),
    (status, headers): (StatusCode, &HeaderMap),
    body: Option<&[u8]>,
) {
    let Some(operation) = operation(method, path) else { return };
    let what = format!("{method} {path}: {status}");
    let answer = resolved(&operation["responses"][status.as_str()]);
    assert!(answer.is_object(), "{what} is not described");
    check_headers(answer, headers, &what);
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
    let essence = header("content-type").map(|kind| kind.split(';').next().unwrap().trim());
    match (&answer["content"], essence) {
        (Value::Object(kinds), Some(kind)) => assert!(kinds.contains_key(kind), "{what}: {kind}"),
        (content, kind) => assert!(content.is_null() && kind.is_none(), "{what}: {kind:?}"),
    }
    // An answer to HEAD has none.
    let body = body.filter(|_| method != Method::HEAD);
    if let (Some(PROBLEM_JSON), Some(body)) = (essence, body) {
        let problem: Value = serde_json::from_slice(body).unwrap();
        let codes = &answer["content"][PROBLEM_JSON]["schema"]["properties"]["code"]["enum"];
        assert!(codes.as_array().unwrap().contains(&problem["code"]), "{what}: {problem}");
    }
}

fn check_headers(answer: &'static Value, headers: &HeaderMap, what: &str) {
    for name in DESCRIBED {
        let described = answer["headers"].get(name).map(resolved);
        let is_needed = described.is_some_and(|header| header["required"] == true);
        assert!(described.is_some() || !headers.contains_key(name), "{what}: {name} is not described");
        assert!(!is_needed || headers.contains_key(name), "{what}: there is no {name}");
    }
    let all = answer["headers"].as_object().unwrap();
    assert!(all.keys().all(|name| DESCRIBED.contains(&name.as_str())), "{what}");
}

/// The operation at a path: of several that fit, the one with the fewest parameters, as the router has it.
fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let paths = openapi::description()["paths"].as_object().unwrap();
    let fitting = paths.iter().filter(|(template, _)| fits(template, path));
    let (_, operations) = fitting.min_by_key(|(template, _)| template.matches('{').count())?;
    operations.get(method.as_str().to_lowercase())
}

fn fits(template: &str, path: &str) -> bool {
    let is_as_long = template.matches('/').count() == path.matches('/').count();
    let mut parts = template.split('/').zip(path.split('/'));
    is_as_long && parts.all(|(wanted, part)| wanted == part || (wanted.starts_with('{') && !part.is_empty()))
}

fn resolved(value: &'static Value) -> &'static Value {
    let document = openapi::description();
    value["$ref"].as_str().map_or(value, |reference| document.pointer(&reference[1..]).unwrap())
}

#[test]
fn an_operation_is_found_by_its_path() {
    let id =
        |method, path| operation(&method, path).map(|operation| operation["operationId"].as_str().unwrap());
    assert_eq!(id(Method::GET, "/v1/charges/policy"), Some("get_v1_charges_policy"));
    assert_eq!(id(Method::HEAD, "/v1/charges/ab"), Some("get_v1_charges_id"));
    assert_eq!(id(Method::POST, "/v1/charges/policy/ab/approve"), Some("post_v1_charges_policy_id_approve"));
    for (method, path) in [(Method::PUT, "/v1/charges"), (Method::GET, "/v1/charges/"), (Method::GET, "/")] {
        assert_eq!(id(method.clone(), path), None, "{method} {path}");
    }
}

/// An answer to `GET /v1/blocks/7`.
fn answered(status: StatusCode, kind: &str, headers: &[(&'static str, &str)], body: &str) {
    let mut all = HeaderMap::new();
    for (name, value) in
        [("ledger-height", "0"), ("ledger-time", "now"), ("x-request-id", "1"), ("content-type", kind)]
    {
        all.insert(name, value.parse().unwrap());
    }
    for (name, value) in headers {
        all.insert(*name, value.parse().unwrap());
    }
    check((&Method::GET, "/v1/blocks/7"), (status, &all), Some(body.as_bytes()));
}

#[test]
fn what_is_described_is_taken() {
    answered(StatusCode::OK, "application/json", &[], "{}");
    answered(StatusCode::NOT_FOUND, PROBLEM_JSON, &[], "{\"code\":\"UNKNOWN_BLOCK\"}");
    let later = [("retry-after", "1")];
    answered(StatusCode::TOO_MANY_REQUESTS, PROBLEM_JSON, &later, "{\"code\":\"RATE_LIMITED\"}");
}

#[test]
#[should_panic(expected = "409 Conflict is not described")]
fn another_status_is_a_mistake() {
    answered(StatusCode::CONFLICT, PROBLEM_JSON, &[], "{\"code\":\"NAME_TAKEN\"}");
}

#[test]
#[should_panic(expected = "UNKNOWN_TRADE")]
fn another_code_is_a_mistake() {
    answered(StatusCode::NOT_FOUND, PROBLEM_JSON, &[], "{\"code\":\"UNKNOWN_TRADE\"}");
}

#[test]
#[should_panic(expected = "text/plain")]
fn another_content_type_is_a_mistake() {
    answered(StatusCode::OK, "text/plain", &[], "{}");
}

#[test]
#[should_panic(expected = "Location is not described")]
fn another_header_is_a_mistake() {
    answered(StatusCode::OK, "application/json", &[("location", "/")], "{}");
}

#[test]
#[should_panic(expected = "there is no Retry-After")]
fn a_header_that_is_missing_is_a_mistake() {
    answered(StatusCode::TOO_MANY_REQUESTS, PROBLEM_JSON, &[], "{\"code\":\"RATE_LIMITED\"}");
}
