//! The web of a market as a program sees it: for the commands that ask one which runs.

use std::time::Duration;

use reqwest::{RequestBuilder, Response, Url};
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::http::ProblemDetails;

/// So long a market may take to answer; it waits ten seconds for the ledger itself.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// So long it may take to be reached.
const REACHED_WITHIN: Duration = Duration::from_secs(5);
/// The longest answer that is read: the genesis of the largest chain is shorter.
const MAX_ANSWER_BYTES: usize = 64 << 20;

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
            .connect_timeout(REACHED_WITHIN)
            .timeout(ANSWERS_WITHIN)
            .user_agent(concat!("popmarket/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ApiError::Unreachable { base: base.clone(), why: causes(&error) })?;
        Ok(Self { base, client })
    }

    /// What it answers to GET, read as JSON.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.ask(self.client.get(self.url(path)?)).await
    }

    /// Posts as whom the session token is of, and waits until the ledger has recorded it.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        token: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<T, ApiError> {
        let request = self.client.post(self.url(path)?).bearer_auth(token).header("prefer", "wait=10");
        self.ask(body.into_iter().fold(request, RequestBuilder::json)).await
    }

    /// Posts as nobody in particular, and has the market wait for the ledger for so many seconds.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn send<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
        wait: u32,
    ) -> Result<T, ApiError> {
        let request = self.client.post(self.url(path)?).header("prefer", format!("wait={wait}"));
        self.ask(request.json(body)).await
    }

    /// What it answers to such a post, byte by byte.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn send_for_bytes(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Vec<u8>, ApiError> {
        self.ask_for_bytes(self.client.post(self.url(path)?).json(body)).await
    }

    /// Which market is asked.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    fn url(&self, path: &str) -> Result<Url, ApiError> {
        self.base.join(path.trim_start_matches('/')).map_err(|_| ApiError::Url { url: path.into() })
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ApiError> {
        let body = self.ask_for_bytes(request).await?;
        serde_json::from_slice(&body).map_err(|error| self.strange(error.to_string()))
    }

    async fn ask_for_bytes(&self, request: RequestBuilder) -> Result<Vec<u8>, ApiError> {
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let body = self.body(answer).await?;
        if status.is_success() {
            return Ok(body);
        }
        match serde_json::from_slice(&body) {
            Ok(problem) => Err(ApiError::Problem(Box::new(problem))),
            Err(_) => Err(self.strange(format!("it answers {status}"))),
        }
    }

    async fn body(&self, mut answer: Response) -> Result<Vec<u8>, ApiError> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len().saturating_add(chunk.len()) > MAX_ANSWER_BYTES {
                return Err(self.strange(format!("it answers more than {MAX_ANSWER_BYTES} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
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
