//! What the description says, and that it is whole.

use std::collections::BTreeSet;

use super::*;
use crate::http::problem::PROBLEM_JSON;

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
        let statuses = statuses(operation);
        assert!(statuses.iter().any(|status| (200..300).contains(status)), "{name}");
        for status in [400, 401, 412, 429, 500] {
            assert!(statuses.contains(&status), "{name} {status}");
        }
        let anyone = operation["x-access"] == "anyone";
        assert_eq!(operation["security"].as_array().unwrap().is_empty(), anyone, "{name}");
        let in_path = name.matches('{').count();
        let parameters = operation["parameters"].as_array().unwrap();
        assert_eq!(parameters.iter().filter(|p| p["in"] == "path").count(), in_path, "{name}");
    }
}

fn operation(method: &str, path: &str) -> &'static Value {
    &DOCUMENT["paths"][path][method]
}

/// All of them are numbers.
fn statuses(operation: &Value) -> Vec<u16> {
    operation["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap()).collect()
}

fn resolved(value: &'static Value) -> &'static Value {
    value["$ref"].as_str().map_or(value, |reference| DOCUMENT.pointer(&reference[1..]).unwrap())
}

fn codes(operation: &'static Value, status: &str) -> Vec<&'static str> {
    let answer = resolved(&operation["responses"][status]);
    let codes = &answer["content"][PROBLEM_JSON]["schema"]["properties"]["code"]["enum"];
    codes.as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect()
}

#[test]
fn an_operation_has_those_statuses_and_codes_that_it_can_have() {
    let health = operation("get", "/healthz");
    assert_eq!(statuses(health), [200, 400, 401, 412, 429, 500, 503]);
    assert_eq!(statuses(operation("get", "/readyz")), [200, 400, 401, 412, 429, 500, 503]);
    let trade = operation("get", "/v1/trades/{id}");
    assert_eq!(statuses(trade), [200, 400, 401, 403, 404, 412, 429, 500, 503]);
    assert_eq!((codes(trade, "403"), codes(trade, "404")), (vec!["NOT_A_PARTY"], vec!["UNKNOWN_TRADE"]));
    let sign_out = operation("delete", "/v1/sessions");
    assert_eq!(statuses(sign_out), [204, 400, 401, 403, 412, 429, 500, 503]);
    assert_eq!(codes(sign_out, "403"), ["CROSS_SITE"]);
    let buy = operation("post", "/v1/listings/{id}/buy");
    let all = [201, 202, 400, 401, 403, 404, 409, 412, 413, 415, 422, 429, 500, 503];
    assert_eq!(statuses(buy), all);
    for code in ["STALE_VERSION", "IDEMPOTENCY_IN_FLIGHT", "NO_CUSTODY", "NONCE_TOO_FAR"] {
        assert!(codes(buy, "409").contains(&code), "{code}");
    }
    let signed = operation("post", "/v1/transactions");
    assert!(!codes(signed, "409").contains(&"IDEMPOTENCY_IN_FLIGHT"));
}

#[test]
fn every_code_is_one_that_there_is() {
    let schema = &DOCUMENT["components"]["schemas"]["ProblemDetails"]["properties"]["code"]["enum"];
    assert_eq!(schema.as_array().unwrap().len(), Code::ALL.len());
    let mut documented = BTreeSet::new();
    for (name, operation) in operations() {
        for status in statuses(operation).into_iter().filter(|status| *status >= 400) {
            for code in codes(operation, &status.to_string()) {
                let known = Code::ALL.iter().find(|known| known.name == code).unwrap();
                assert_eq!(known.status.as_u16(), status, "{name} {code}");
                documented.insert(code);
            }
        }
    }
    let all: BTreeSet<_> = Code::ALL.iter().map(|code| code.name).collect();
    let of_none = BTreeSet::from(["NO_SUCH_ROUTE", "METHOD_NOT_ALLOWED"]);
    assert_eq!(all.difference(&documented).copied().collect::<BTreeSet<_>>(), of_none);
}

#[test]
fn headers_are_described_where_they_are() {
    let headers = |operation: &'static Value, status: &str| -> BTreeSet<&'static str> {
        let answer = resolved(&operation["responses"][status]);
        answer["headers"].as_object().unwrap().keys().map(String::as_str).collect()
    };
    let always = ["Ledger-Height", "Ledger-Time", "X-Request-Id"];
    let with = |more: &[&'static str]| always.iter().chain(more).copied().collect::<BTreeSet<_>>();
    for (name, operation) in operations() {
        for status in operation["responses"].as_object().unwrap().keys() {
            assert!(headers(operation, status).is_superset(&with(&[])), "{name} {status}");
        }
        assert!(headers(operation, "429").contains("Retry-After"), "{name}");
    }
    let pay = operation("post", "/v1/payments");
    assert_eq!(headers(pay, "201"), with(&["Location", "Idempotency-Replayed"]));
    assert_eq!(headers(pay, "409"), with(&["Retry-After", "Idempotency-Replayed"]));
    assert_eq!(headers(pay, "503"), with(&["Retry-After"]));
    assert_eq!(headers(pay, "401"), with(&["WWW-Authenticate"]));
    assert_eq!(headers(operation("post", "/v1/transactions"), "202"), with(&["Location"]));
    assert_eq!(headers(operation("post", "/v1/webhooks"), "201"), with(&[]));
    assert_eq!(headers(operation("get", "/v1/charges"), "200"), with(&["Link"]));
    let retry = |status: &str| {
        let answer = resolved(&pay["responses"][status]);
        resolved(&answer["headers"]["Retry-After"])["required"].as_bool().unwrap_or_default()
    };
    assert_eq!((retry("409"), retry("503")), (false, true));
}

#[test]
fn headers_of_requests_are_described_where_they_are_heeded() {
    let has = |method: &str, path: &str, name: &str| {
        operation(method, path)["parameters"].as_array().unwrap().iter().any(|p| p["name"] == name)
    };
    for (path, key, prefer) in [
        ("/v1/payments", true, true),
        ("/v1/members", true, false),
        ("/v1/wallets", true, false),
        ("/v1/transactions", false, true),
        ("/v1/webhooks/{id}/replay", false, false),
    ] {
        let found = (has("post", path, "Idempotency-Key"), has("post", path, "Prefer"));
        assert_eq!(found, (key, prefer), "{path}");
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
