//! What an operation is like, as far as its parameters, its headers and its problems follow from that.

use axum::http::Method;
use serde_json::{Map, Value};

use crate::http::access::Rule;
use crate::http::rate_limit::Kind;

/// What an operation is like.
pub(super) struct Nature {
    /// Its route.
    pub(super) rule: &'static Rule,
    /// Whether it makes a transaction.
    pub(super) submits: bool,
}

impl Nature {
    /// By what its handler says of it.
    pub(super) fn of(rule: &'static Rule, operation: &Map<String, Value>) -> Self {
        let on_its_way = operation.get("responses").and_then(|responses| responses.get("202"));
        let schema = on_its_way.and_then(|answer| answer.pointer("/content/application~1json/schema/$ref"));
        let submits = schema.and_then(Value::as_str).is_some_and(|schema| schema.ends_with("/Reply"));
        Self { rule, submits }
    }

    /// Whether it is done once for each `Idempotency-Key`. A signed transaction is its own key.
    pub(super) fn is_keyed(&self) -> bool {
        let makes_key = self.rule.path == "/v1/wallets";
        makes_key || (self.submits && self.rule.path != "/v1/transactions")
    }

    /// Whether who asks can wait for the ledger with `Prefer`. A new member always waits.
    pub(super) fn may_wait(&self) -> bool {
        self.submits && self.rule.path != "/v1/members"
    }

    /// Whether it may have to wait for its turn: always, or by what is asked of it. Whoever wants a table has to, whether
    /// there is one or not.
    pub(super) fn may_be_heavy(&self) -> bool {
        self.rule.kind == Kind::Heavy
            || (self.rule.method == Method::GET && self.rule.path.starts_with("/v1/"))
    }

    /// Whether it reads what is sent along, also if nothing has to be.
    pub(super) fn reads_body(&self) -> bool {
        let method = &self.rule.method;
        !method.is_safe() && (self.submits || method != Method::DELETE)
    }
}
