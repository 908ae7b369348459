//! Errors as RFC 9457 problem details.

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ledger::{Refusal, Rejection, TxId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::code::Code;

/// The content type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// After how many seconds to ask again when a database does not answer.
const DATABASE_RETRY: u32 = 2;

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What went wrong, for programs.
    pub code: Code,
    /// What went wrong this time, for people.
    pub detail: Option<String>,
    /// The field of the body that it is about.
    pub field: Option<String>,
    /// The transaction that failed.
    pub tx_id: Option<TxId>,
    /// After how many seconds to try again.
    pub retry_after: Option<u32>,
}

/// What handlers fail with. Boxed: the good way is the one to keep small.
pub(crate) type Failure = Box<Problem>;

impl Problem {
    /// With nothing to add to the code.
    pub fn new(code: Code) -> Failure {
        Box::new(Self { code, detail: None, field: None, tx_id: None, retry_after: None })
    }

    /// With what went wrong this time.
    #[expect(clippy::needless_pass_by_value, reason = "so that errors are handed over as they are")]
    pub fn because(code: Code, detail: impl ToString) -> Failure {
        Box::new(Self { detail: Some(detail.to_string()), ..*Self::new(code) })
    }

    /// About a field of the body.
    pub fn in_field(code: Code, field: impl Into<String>, detail: impl ToString) -> Failure {
        Box::new(Self { field: Some(field.into()), ..*Self::because(code, detail) })
    }

    /// To be tried again after some seconds.
    pub fn later(code: Code, seconds: u32) -> Failure {
        Box::new(Self { retry_after: Some(seconds.max(1)), ..*Self::new(code) })
    }

    /// The ledger did not take a transaction.
    pub fn refused(refusal: &Refusal, tx_id: Option<TxId>) -> Failure {
        Box::new(Self { tx_id, ..*Self::because(Code::of_ledger(refusal.code()), refusal) })
    }

    /// The ledger recorded a transaction as failed; without an id it was not sent, since it would fail.
    pub fn rejected(rejection: &Rejection, tx_id: Option<TxId>) -> Failure {
        Box::new(Self { tx_id, ..*Self::because(Code::of_ledger(rejection.code()), rejection) })
    }

    /// A fault of ours: the log has what happened, the client does not.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Failure {
        tracing::error!(error, "a request failed");
        Self::new(Code::INTERNAL)
    }

    /// A database does not do what it should: to be tried again if that passes, or else a fault of ours.
    pub fn of_database(error: &(dyn std::error::Error + 'static), may_pass: bool) -> Failure {
        if !may_pass {
            return Self::internal(error);
        }
        tracing::warn!(error, "a database does not answer");
        Self::later(Code::DATABASE_UNAVAILABLE, DATABASE_RETRY)
    }

    /// The JSON that clients get.
    pub fn details(&self) -> ProblemDetails {
        ProblemDetails {
            r#type: format!("/docs#{}", self.code.name),
            title: self.code.title.to_owned(),
            status: self.code.status.as_u16(),
            code: self.code.name.to_owned(),
            detail: self.detail.clone(),
            field: self.field.clone(),
            tx_id: self.tx_id.map(|id| id.to_string()),
            retryable: self.code.retryable,
        }
    }
}

/// An error as RFC 9457 describes it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(title = "Problem")]
pub struct ProblemDetails {
    /// Where the code is explained.
    #[schema(example = "/docs#INSUFFICIENT_FUNDS")]
    pub r#type: String,
    /// What the code means.
    pub title: String,
    /// The HTTP status.
    #[schema(example = 409)]
    pub status: u16,
    /// What went wrong, for programs: a name that never changes.
    #[schema(example = "INSUFFICIENT_FUNDS")]
    pub code: String,
    /// What went wrong this time, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The field of the body that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The transaction that failed, if there is one.
    pub tx_id: Option<String>,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.code.status, Json(self.details())).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"popmarket\""));
        }
        // For the pages, which say it in HTML.
        response.extensions_mut().insert(self);
        response
    }
}

/// So that `?` takes a failure into a response.
#[derive(Debug)]
pub(crate) struct Failed(pub Failure);

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (*self.0).into_response()
    }
}

/// What handlers answer.
pub(crate) type Answer<T> = Result<T, Failed>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_has_all_that_is_promised() {
        let problem = Problem::in_field(Code::INVALID_BODY, "price", "too odd");
        let json = serde_json::to_value(problem.details()).unwrap();
        let expected = serde_json::json!({
            "type": "/docs#INVALID_BODY", "title": Code::INVALID_BODY.title, "status": 422, "code": "INVALID_BODY",
            "detail": "too odd", "field": "price", "tx_id": null, "retryable": false,
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn headers_say_when_to_retry_and_how_to_sign_in() {
        let response = Problem::later(Code::RATE_LIMITED, 0).into_response();
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(response.headers()["content-type"], PROBLEM_JSON);
        let response = Problem::new(Code::UNAUTHENTICATED).into_response();
        assert!(response.headers().contains_key("www-authenticate"));
    }
}
