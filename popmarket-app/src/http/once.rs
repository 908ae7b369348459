//! Requests that are done once, however often they come: idempotency keys.

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use pbft_crypto::{Address, Digest};
use serde::Serialize;

use super::code::Code;
use super::model::{Reply, WalletKey};
use super::problem::{Answer, Failed, Failure, PROBLEM_JSON, Problem, ProblemDetails};
use super::rate_limit::Client;
use super::state::AppState;
use crate::accounts_db::{AccountsError, IdempotencyBegin, IdempotencyScope, StoredAnswer};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const MAX_KEY_CHARS: usize = 64;
/// After how many seconds a client whose first request still runs may ask again.
const IN_FLIGHT_RETRY: u32 = 1;

/// What was done, as it is answered now and whenever the request comes again.
#[derive(Debug)]
pub(crate) struct Settled {
    status: StatusCode,
    content_type: &'static str,
    body: Vec<u8>,
    location: Option<String>,
    /// Whether something was done, so that it must not be done again.
    done: bool,
    replayed: bool,
    retry_after: Option<u32>,
}

impl Settled {
    /// It is done.
    pub(crate) fn done(status: StatusCode, location: String, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).unwrap_or_default();
        let content_type = "application/json";
        Self {
            status,
            content_type,
            body,
            location: Some(location),
            done: true,
            replayed: false,
            retry_after: None,
        }
    }

    /// It failed. If a transaction is on the chain because of it, that is final, and another try takes another key; else it may
    /// be tried again.
    pub(crate) fn failed(problem: &Problem) -> Self {
        let body = serde_json::to_vec(&problem.details()).unwrap_or_default();
        Self {
            status: problem.code.status,
            content_type: PROBLEM_JSON,
            body,
            location: None,
            done: problem.tx_id.is_some(),
            replayed: false,
            retry_after: problem.retry_after,
        }
    }

    /// For pages: what was done, or why not.
    ///
    /// # Errors
    /// The problem that is answered.
    pub(crate) fn into_reply(self) -> Result<Reply, Failure> {
        if self.status.is_success() {
            return serde_json::from_slice(&self.body).map_err(|error| Problem::internal(&error));
        }
        let details: ProblemDetails =
            serde_json::from_slice(&self.body).map_err(|error| Problem::internal(&error))?;
        let code = Code::ALL.iter().copied().find(|code| code.name == details.code).unwrap_or(Code::REJECTED);
        let tx_id = details.tx_id.and_then(|id| id.parse().ok());
        Err(Box::new(Problem { tx_id, ..*Problem::because(code, details.detail.unwrap_or_default()) }))
    }

    fn stored(&self) -> StoredAnswer {
        let content_type = self.content_type.to_owned();
        StoredAnswer { status: self.status.as_u16(), content_type, body: self.body.clone() }
    }

    fn replayed(answer: StoredAnswer) -> Self {
        let content_type =
            if answer.content_type == PROBLEM_JSON { PROBLEM_JSON } else { "application/json" };
        Self {
            status: StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK),
            content_type,
            location: location(&answer.body),
            body: answer.body,
            done: true,
            replayed: true,
            retry_after: None,
        }
    }
}

/// Where what was done is, as the answer says it. A problem is nowhere.
fn location(body: &[u8]) -> Option<String> {
    let key = || serde_json::from_slice(body).map(|key: WalletKey| key.location());
    serde_json::from_slice(body).map(|reply: Reply| reply.location()).or_else(|_| key()).ok()
}

impl IntoResponse for Settled {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if let Some(location) = self.location.and_then(|location| HeaderValue::try_from(location).ok()) {
            headers.insert(LOCATION, location);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(axum::http::header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// The route and the key of a request that is to be done once.
#[derive(Clone, Debug)]
pub(crate) struct RequestKey {
    route: String,
    key: Option<String>,
    client: Option<Client>,
}

impl<S: Sync> FromRequestParts<S> for RequestKey {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failed> {
        let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        // The alias is the same route.
        let path = if path == "/payment" { "/v1/payments" } else { parts.uri.path() };
        let client = parts.extensions.get::<Client>().cloned();
        Ok(Self { route: format!("{} {path}", parts.method), key: key(&parts.headers)?, client })
    }
}

impl RequestKey {
    /// With the key that a form carries.
    ///
    /// # Errors
    /// INVALID_IDEMPOTENCY_KEY.
    pub(crate) fn of_form(self, key: String) -> Result<Self, Failure> {
        Ok(Self { key: Some(checked(key)?), ..self })
    }

    /// The same request at another path: for aliases, so that a key that was used at one of them is used at the other.
    pub(crate) fn at(self, path: &str) -> Self {
        Self { route: format!("POST {path}"), ..self }
    }

    /// What stands for those who ask from where this request comes from and are not signed in. So nobody's keys are in
    /// the way of others'.
    pub(crate) fn stranger(&self) -> Address {
        let place = pbft_crypto::sha256(format!("stranger\n{:?}", self.client).as_bytes());
        Address::from_bytes(*place.as_bytes())
    }

    /// What the transaction is found by if the request comes again before it was answered. Derived from the key and from
    /// what was sent, so that other requests never find it; random without a key.
    pub(crate) fn client_ref(&self, member: &Address, fingerprint: &Digest) -> [u8; 16] {
        let mut bytes = [0; 16];
        let seed = self.key.as_ref().map(|key| format!("{member}\n{}\n{key}\n{fingerprint}", self.route));
        match seed {
            Some(seed) => bytes.copy_from_slice(&pbft_crypto::sha256(seed.as_bytes()).as_bytes()[..16]),
            // Without it the transaction can be found by its id all the same.
            None => drop(getrandom::fill(&mut bytes)),
        }
        bytes
    }

    fn scope(self, member: Address) -> Option<IdempotencyScope> {
        let Self { route, key, client: _ } = self;
        key.map(|key| IdempotencyScope { member, route, key })
    }
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get(KEY) else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| Problem::new(Code::INVALID_IDEMPOTENCY_KEY))?;
    checked(text.to_owned()).map(Some)
}

fn checked(key: String) -> Result<String, Failure> {
    let fits = (1..=MAX_KEY_CHARS).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(key) } else { Err(Problem::new(Code::INVALID_IDEMPOTENCY_KEY)) }
}

/// Does the work, or answers what was answered before. The work goes on if the client goes away: else it could not be
/// told from work that was never begun.
pub(crate) async fn once(
    state: &AppState,
    key: RequestKey,
    member: Address,
    fingerprint: Digest,
    work: impl Future<Output = Settled> + Send + 'static,
) -> Answer<Settled> {
    let ticket = match key.scope(member) {
        None => None,
        Some(scope) => match state.accounts.begin(scope, &fingerprint).await.map_err(accounts_problem)? {
            IdempotencyBegin::New(ticket) => Some(ticket),
            IdempotencyBegin::InFlight => {
                return Err(Problem::later(Code::IDEMPOTENCY_IN_FLIGHT, IN_FLIGHT_RETRY).into());
            }
            IdempotencyBegin::OtherRequest => return Err(Problem::new(Code::IDEMPOTENCY_KEY_REUSED).into()),
            IdempotencyBegin::Answered(answer) => return Ok(Settled::replayed(answer)),
        },
    };
    let accounts = state.accounts.clone();
    let work = async move {
        let settled = work.await;
        let kept = match ticket {
            Some(ticket) if settled.done => accounts.answer(ticket, &settled.stored()).await,
            Some(ticket) => accounts.abandon(ticket).await,
            None => Ok(()),
        };
        if let Err(error) = kept {
            tracing::error!(%error, "an answer was not kept");
        }
        settled
    };
    Ok(tokio::spawn(work).await.map_err(|error| Problem::internal(&error))?)
}

/// What a client is told when the members' database does not do what it should.
#[expect(clippy::needless_pass_by_value, reason = "this is how `map_err` calls it")]
pub(crate) fn accounts_problem(error: AccountsError) -> Failure {
    match error {
        AccountsError::NameTaken => Problem::new(Code::NAME_TAKEN),
        AccountsError::AccountTaken => Problem::new(Code::KEY_REGISTERED),
        AccountsError::WrongCredentials => Problem::new(Code::INVALID_CREDENTIALS),
        AccountsError::Busy => Problem::later(Code::BUSY, 2),
        AccountsError::Database(_)
        | AccountsError::Migrate(_)
        | AccountsError::OtherChain(_)
        | AccountsError::Damaged(_)
        | AccountsError::Hash(_) => Problem::of_database(&error, error.may_pass()),
    }
}
