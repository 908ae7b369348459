//! The problems that each operation can answer with.
//!
//! They follow from what the operation is like, from what its path names, and from the few things that only some do. What
//! the ledger says of transactions is not told apart: each that makes one can be answered with all of it.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::headers;
use super::nature::Nature;
use crate::http::access::Access;
use crate::http::code::Code;
use crate::http::problem::{PROBLEM_JSON, ProblemDetails};

/// What comes before a handler, and what can go wrong in each.
const OF_ALL: [Code; 6] = [
    Code::INVALID_QUERY,
    Code::UNAUTHENTICATED,
    Code::NOT_AT_HEIGHT,
    Code::RATE_LIMITED,
    Code::DATABASE_UNAVAILABLE,
    Code::INTERNAL,
];
/// Of what waits for its turn.
const OF_HEAVY: [Code; 2] = [Code::BUSY, Code::OVERLOADED];
const OF_BODIES: [Code; 3] = [Code::UNSUPPORTED_MEDIA_TYPE, Code::BODY_TOO_LARGE, Code::BODY_UNREADABLE];
const OF_JSON: [Code; 2] = [Code::MALFORMED_JSON, Code::INVALID_BODY];
const OF_KEYS: [Code; 4] =
    [Code::INVALID_IDEMPOTENCY_KEY, Code::IDEMPOTENCY_IN_FLIGHT, Code::IDEMPOTENCY_KEY_REUSED, Code::BUSY];
/// Of what makes a transaction, besides what the ledger says.
const OF_TRANSACTIONS: [Code; 5] =
    [Code::NO_CUSTODY, Code::CHAIN_FULL, Code::REJECTED, Code::BUSY, Code::UNAVAILABLE];

/// What is not there if a path names nothing. The first beginning that fits counts.
const NAMED_BY_PATHS: [(&str, Code); 21] = [
    ("/v1/wallets/", Code::UNKNOWN_ACCOUNT),
    ("/v1/accounts/", Code::UNKNOWN_ACCOUNT),
    ("/v1/charges/policy/", Code::UNKNOWN_POLICY_PROPOSAL),
    ("/v1/charges/", Code::UNKNOWN_CHARGE),
    ("/v1/withdrawals/", Code::UNKNOWN_WITHDRAWAL),
    ("/v1/members/me/keys/", Code::UNKNOWN_KEY),
    ("/v1/recoveries/", Code::UNKNOWN_RECOVERY),
    ("/v1/listings/", Code::UNKNOWN_LISTING),
    ("/v1/blobs/", Code::UNKNOWN_BLOB),
    ("/v1/trades/", Code::UNKNOWN_TRADE),
    ("/v1/roles/changes/", Code::UNKNOWN_ROLE_CHANGE),
    ("/v1/payments/", Code::UNKNOWN_PAYMENT),
    ("/v1/tokens/", Code::UNKNOWN_TOKEN),
    ("/v1/markets/", Code::UNKNOWN_MARKET),
    ("/v1/orders/", Code::UNKNOWN_ORDER),
    ("/v1/polls/", Code::UNKNOWN_POLL),
    ("/v1/webhooks/", Code::UNKNOWN_WEBHOOK),
    ("/v1/blocks/", Code::UNKNOWN_BLOCK),
    ("/v1/transactions/", Code::UNKNOWN_TRANSACTION),
    ("/v1/network/replicas/changes/", Code::UNKNOWN_REPLICA_CHANGE),
    ("/v1/network/replicas/", Code::UNKNOWN_REPLICA),
];

/// What only some operations do.
const SPECIAL: [(&str, &[Code]); 20] = [
    ("POST /v1/members", &[Code::WEAK_PASSWORD, Code::NAME_TAKEN, Code::KEY_REGISTERED]),
    ("POST /v1/sessions", &[Code::INVALID_CREDENTIALS, Code::BUSY]),
    ("POST /v1/wallets", &[Code::UNAVAILABLE]),
    ("GET /v1/wallets/{address}", &[Code::FORBIDDEN, Code::NO_QUORUM]),
    ("GET /v1/charges", &[Code::FORBIDDEN]),
    ("GET /v1/charges/{id}", &[Code::FORBIDDEN]),
    ("GET /v1/withdrawals", &[Code::FORBIDDEN]),
    ("GET /v1/withdrawals/{id}", &[Code::FORBIDDEN]),
    ("POST /v1/listings", &[Code::UNKNOWN_PHOTO]),
    ("PATCH /v1/listings/{id}", &[Code::UNKNOWN_PHOTO]),
    ("POST /v1/blobs", &[Code::NOT_A_PICTURE, Code::BUSY]),
    ("GET /v1/trades/{id}", &[Code::NOT_A_PARTY]),
    ("GET /v1/payment-requests/qr", &[Code::INVALID_HEADER, Code::UNKNOWN_PAYEE, Code::ZERO_AMOUNT]),
    ("GET /v1/orders/{id}", &[Code::NOT_ORDER_OWNER]),
    ("POST /v1/webhooks", &[Code::BAD_WEBHOOK_URL, Code::TOO_MANY_WEBHOOKS, Code::UNKNOWN_EVENT_NAME]),
    ("GET /v1/transactions/{tx_id}/receipt", &[Code::FORBIDDEN, Code::UNKNOWN_BLOCK, Code::NOT_CERTIFIED]),
    (
        "POST /v1/transactions/{tx_id}/receipt",
        &[Code::FORBIDDEN, Code::UNKNOWN_BLOCK, Code::NOT_CERTIFIED, Code::MALFORMED],
    ),
    ("POST /v1/transactions", &[Code::MALFORMED]),
    ("GET /v1/events", &[Code::INVALID_HEADER, Code::BUSY, Code::UNKNOWN_EVENT_NAME]),
    ("GET /readyz", &[Code::UNAVAILABLE]),
];

/// Adds the problems of an operation to its answers. What several have alike is described once, in `shared`.
pub(super) fn add(responses: &mut Map<String, Value>, nature: &Nature, shared: &mut Map<String, Value>) {
    let own = own(nature);
    let of_ledger = if nature.submits { of_ledger() } else { Vec::new() };
    let statuses: BTreeSet<StatusCode> = own.iter().chain(&of_ledger).map(|code| code.status).collect();
    for status in statuses {
        let own: Vec<Code> = own.iter().copied().filter(|code| code.status == status).collect();
        let others = of_ledger.iter().copied().filter(|code| code.status == status && !own.contains(code));
        let problems = Problems { status, of_ledger: others.collect(), own };
        // What is on the chain is final. So is a fault of ours once the transaction is sent.
        let may_be_final = !problems.of_ledger.is_empty() || status == StatusCode::INTERNAL_SERVER_ERROR;
        let is_kept = nature.is_keyed() && nature.submits && may_be_final;
        let name = problems.name(is_kept);
        responses
            .insert(status.as_str().to_owned(), json!({"$ref": format!("#/components/responses/{name}")}));
        shared.entry(name).or_insert_with(|| problems.response(is_kept));
    }
}

/// What an operation answers by itself, in the order in which the codes are listed.
fn own(nature: &Nature) -> Vec<Code> {
    let (rule, mut codes) = (nature.rule, OF_ALL.to_vec());
    if rule.path.contains('{') {
        let named = NAMED_BY_PATHS.iter().find(|(start, _)| rule.path.starts_with(start));
        codes.extend(named.map(|(_, code)| *code));
        codes.push(Code::INVALID_PATH);
    }
    if rule.access == Access::Admin {
        codes.push(Code::FORBIDDEN);
    }
    if !rule.method.is_safe() {
        codes.push(Code::CROSS_SITE);
    }
    if nature.reads_body() {
        codes.extend(OF_BODIES);
        // A picture is what it is.
        codes.extend(OF_JSON.into_iter().filter(|_| rule.path != "/v1/blobs"));
    }
    if nature.may_be_heavy() {
        codes.extend(OF_HEAVY);
    }
    if nature.is_keyed() {
        codes.extend(OF_KEYS);
    }
    if nature.submits {
        codes.extend(OF_TRANSACTIONS);
    }
    let name = format!("{} {}", rule.method, rule.path);
    let special = SPECIAL.iter().find(|(operation, _)| *operation == name);
    codes.extend(special.into_iter().flat_map(|(_, codes)| *codes));
    Code::ALL.iter().copied().filter(|code| codes.contains(code)).collect()
}

/// What the ledger can say of a transaction.
fn of_ledger() -> Vec<Code> {
    let names: BTreeSet<&str> = Code::names_of_ledger().collect();
    Code::ALL.iter().copied().filter(|code| names.contains(code.name)).collect()
}

/// The problems of an operation with one status.
struct Problems {
    status: StatusCode,
    own: Vec<Code>,
    of_ledger: Vec<Code>,
}

impl Problems {
    /// The same for the same problems.
    fn name(&self, is_kept: bool) -> String {
        let mut name = self.status.as_str().to_owned();
        let of_ledger = (!self.of_ledger.is_empty()).then_some("LEDGER");
        let kept = is_kept.then_some("KEPT");
        for part in self.own.iter().map(|code| code.name).chain(of_ledger).chain(kept) {
            name.push('-');
            name.push_str(part);
        }
        name
    }

    fn response(&self, is_kept: bool) -> Value {
        let codes = [&self.own[..], &self.of_ledger].concat();
        let names: Vec<&str> = codes.iter().map(|code| code.name).collect();
        let details = <ProblemDetails as utoipa::ToSchema>::name();
        let schema = json!({
            "$ref": format!("#/components/schemas/{details}"),
            "properties": {"code": {"enum": names}},
        });
        json!({
            "description": self.description(),
            "headers": headers::of_problems(self.status, &codes, is_kept),
            "content": {PROBLEM_JSON: {"schema": schema}},
        })
    }

    fn description(&self) -> String {
        let own: Vec<String> = self.own.iter().map(|code| format!("`{}`", code.name)).collect();
        let ledger = "what the ledger says of the transaction";
        match (own.is_empty(), self.of_ledger.is_empty()) {
            (true, _) => format!("See `code`: {ledger}."),
            (false, true) => format!("{}.", own.join(", ")),
            (false, false) => format!("{}; or {ledger}.", own.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::access::{self, RULES};

    #[test]
    fn what_a_path_names_may_not_be_there() {
        for rule in RULES.iter().filter(|rule| access::is_api(rule.path) && rule.path.contains('{')) {
            assert!(NAMED_BY_PATHS.iter().any(|(start, _)| rule.path.starts_with(start)), "{}", rule.path);
        }
        for (start, code) in NAMED_BY_PATHS {
            assert!(RULES.iter().any(|rule| rule.path.starts_with(&format!("{start}{{"))), "{start}");
            assert_eq!(code.status, StatusCode::NOT_FOUND, "{start}");
        }
    }

    #[test]
    fn what_is_special_is_so_about_a_route() {
        for (name, codes) in SPECIAL {
            let rule = RULES.iter().find(|rule| format!("{} {}", rule.method, rule.path) == name);
            assert!(rule.is_some() && !codes.is_empty(), "{name}");
        }
    }
}
