//! The web of a market as a program sees it: for the commands that ask one which runs.

use std::time::Duration;

use reqwest::Url;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::http::ProblemDetails;

/// So long a market may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Asks one market.
#[derive(Clone, Debug)]
pub struct Api {
    base: Url,
    client: reqwest::Client,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum ApiError {
    /// What was given is no address of a web.
    #[error("{url} is no address of a market: http://HOST:PORT is one")]
    Url {
        /// What was given.
        url: String,
    },
    /// Nobody answers there, or not in time.
    #[error("no market answers at {base}: {why}")]
    Unreachable {
        /// Where.
        base: Url,
        /// What went wrong, down to its cause.
        why: String,
    },
    /// It said no.
    #[error("{} ({})", .0.detail.as_ref().unwrap_or(&.0.title), .0.code)]
    Problem(Box<ProblemDetails>),
    /// Something answers that is no market, or one of another version.
    #[error("what answers at {base} is no market that this program knows: {why}")]
    Strange {
        /// Where.
        base: Url,
        /// What it said.
        why: String,
    },
}

impl Api {
    /// For the market at `http://HOST:PORT`, with or without a path before its routes.
    ///
    /// # Errors
    /// [`ApiError::Url`].
    pub fn new(url: &str) -> Result<Self, ApiError> {
        let wrong = || ApiError::Url { url: url.into() };
        let base = Url::parse(&format!("{}/", url.trim_end_matches('/'))).map_err(|_| wrong())?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(wrong());
        }
        let client = reqwest::Client::builder()
            .timeout(ANSWERS_WITHIN)
            .user_agent(concat!("popmarket/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ApiError::Unreachable { base: base.clone(), why: causes(&error) })?;
        Ok(Self { base, client })
    }

    /// What it answers to GET, read as JSON; `path` without the first slash.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let url = self.base.join(path).map_err(|_| ApiError::Url { url: path.into() })?;
        let answer = self.client.get(url).send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| self.strange(error.to_string()));
        }
        match serde_json::from_slice(&body) {
            Ok(problem) => Err(ApiError::Problem(Box::new(problem))),
            Err(_) => Err(self.strange(format!("it answers {status}"))),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> ApiError {
        ApiError::Unreachable { base: self.base.clone(), why: causes(error) }
    }

    fn strange(&self, why: String) -> ApiError {
        ApiError::Strange { base: self.base.clone(), why }
    }
}

/// The last of an error's causes: the others only say that something failed.
fn causes(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
