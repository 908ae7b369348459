//! Extractors that fail with a [`Problem`]. Those of axum would answer in plain text.

use std::str::FromStr;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;

use super::code::Code;
use super::problem::{Failed, Failure, Problem};

/// The limit of most bodies.
pub(crate) const SMALL_BODY: usize = 16 * 1024;
/// The limit of bodies with long texts: a listing, a signed transaction in hex, a form.
pub(crate) const TEXT_BODY: usize = 64 * 1024;
/// The limit of an uploaded picture.
pub(crate) const PICTURE_BODY: usize = 8 * 1024 * 1024;

/// A JSON body of at most `LIMIT` bytes, and the digest of those bytes, by which a repeated request is known.
#[derive(Debug)]
pub(crate) struct JsonBody<T, const LIMIT: usize = SMALL_BODY> {
    /// What it says.
    pub value: T,
    /// SHA-256 of the bytes.
    pub fingerprint: pbft_crypto::Digest,
}

impl<S: Sync, T: DeserializeOwned, const LIMIT: usize> FromRequest<S> for JsonBody<T, LIMIT> {
    type Rejection = Failed;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failed> {
        if !is_json(request.headers()) {
            return Err(Problem::because(Code::UNSUPPORTED_MEDIA_TYPE, "application/json is needed").into());
        }
        let bytes = read_body(request.into_body(), LIMIT).await?;
        Ok(Self { value: parse_json(&bytes)?, fingerprint: pbft_crypto::sha256(&bytes) })
    }
}

/// A JSON body that may be left out.
#[derive(Debug)]
pub(crate) struct OptionalBody<T> {
    /// What it says.
    pub value: T,
    /// SHA-256 of the bytes.
    pub fingerprint: pbft_crypto::Digest,
}

/// For actions that need nothing said: an empty body or an empty object.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

impl<S: Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalBody<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failed> {
        let is_json = is_json(request.headers());
        let bytes = read_body(request.into_body(), SMALL_BODY).await?;
        let fingerprint = pbft_crypto::sha256(&bytes);
        if bytes.is_empty() {
            return Ok(Self { value: T::default(), fingerprint });
        }
        if !is_json {
            return Err(Problem::because(Code::UNSUPPORTED_MEDIA_TYPE, "application/json is needed").into());
        }
        Ok(Self { value: parse_json(&bytes)?, fingerprint })
    }
}

/// Reads a body to its end.
///
/// # Errors
/// BODY_TOO_LARGE or BODY_UNREADABLE.
pub(crate) async fn read_body(body: Body, limit: usize) -> Result<Bytes, Failure> {
    to_bytes(body, limit).await.map_err(|error| {
        let too_large =
            std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<LengthLimitError>);
        if too_large {
            Problem::because(Code::BODY_TOO_LARGE, format_args!("at most {limit} bytes"))
        } else {
            Problem::new(Code::BODY_UNREADABLE)
        }
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    // A struct could be read from an array, too, field by field.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::because(Code::INVALID_BODY, "an object is needed"));
    }
    let json = &mut serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut *json).map_err(|error| {
        let field = error.path().to_string();
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data if field == "." => Problem::because(Code::INVALID_BODY, inner),
            serde_json::error::Category::Data => Problem::in_field(Code::INVALID_BODY, field, inner),
            _ => Problem::because(Code::MALFORMED_JSON, inner),
        }
    })?;
    json.end().map_err(|error| Problem::because(Code::MALFORMED_JSON, error))?;
    Ok(value)
}

/// The query, whose parameters are all known. `min_height` is known everywhere: see [`super::freshness`].
#[derive(Debug)]
pub(crate) struct Query<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failed> {
        let query = parts.uri.query().unwrap_or_default();
        let mut others = form_urlencoded::Serializer::new(String::new());
        others
            .extend_pairs(form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "min_height"));
        let query = serde_urlencoded::from_str(&others.finish())
            .map_err(|error| Problem::because(Code::INVALID_QUERY, error))?;
        Ok(Self(query))
    }
}

/// The one parameter of the path.
#[derive(Debug)]
pub(crate) struct Id<T>(pub T);

impl<S: Sync + Send, T: FromStr<Err: std::fmt::Display>> FromRequestParts<S> for Id<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|error| Problem::because(Code::INVALID_PATH, error))?;
        let (_, text) = params.iter().next().ok_or_else(|| Problem::new(Code::INVALID_PATH))?;
        let value = text.parse().map_err(|error| Problem::because(Code::INVALID_PATH, error))?;
        Ok(Self(value))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request as HttpRequest;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        #[expect(dead_code)]
        size: ledger::Amount,
    }

    async fn code_of(content_type: &str, body: &'static str) -> (Code, Option<String>) {
        let request =
            HttpRequest::post("/").header("content-type", content_type).body(Body::from(body)).unwrap();
        let Failed(problem) = JsonBody::<Thing, 64>::from_request(request, &()).await.unwrap_err();
        (problem.code, problem.field)
    }

    #[tokio::test]
    async fn bodies_fail_with_the_code_that_fits() {
        let json = "application/json";
        assert_eq!(code_of("text/plain", "{}").await.0, Code::UNSUPPORTED_MEDIA_TYPE);
        for malformed in ["", "{", "nonsense", "{\"size\":\"1\"} trailing", "\u{0}"] {
            assert_eq!(code_of(json, malformed).await.0, Code::MALFORMED_JSON, "{malformed:?}");
        }
        for wrong in ["{}", "[]", "null", "{\"size\":\"1\",\"more\":1}"] {
            assert_eq!(code_of(json, wrong).await.0, Code::INVALID_BODY, "{wrong:?}");
        }
        for wrong in
            ["{\"size\":1}", "{\"size\":\"-1\"}", "{\"size\":\"18446744073709551616\"}", "{\"size\":null}"]
        {
            assert_eq!(code_of(json, wrong).await, (Code::INVALID_BODY, Some("size".into())), "{wrong:?}");
        }
        let long = "{\"size\":\"1\"                                                              }";
        assert_eq!(code_of(json, long).await.0, Code::BODY_TOO_LARGE);
    }

    #[tokio::test]
    async fn a_content_type_may_have_parameters() {
        let request = HttpRequest::post("/").header("content-type", "Application/JSON; charset=utf-8");
        let request = request.body(Body::from("{\"size\":\"7\"}")).unwrap();
        assert!(JsonBody::<Thing>::from_request(request, &()).await.is_ok());
    }
}
