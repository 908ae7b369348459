//! From an operation to an answer: checked, signed, submitted, and waited for if the client wants.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use ledger::{Operation, TxId};
use pbft_crypto::{Address, Digest};

use super::caller::SignedIn;
use super::code::Code;
use super::model::{Kind, Reply, ReplyStatus};
use super::once::{RequestKey, Settled, accounts_problem, once};
use super::problem::{Answer, Failed, Failure, Problem};
use super::routes::read_problem;
use super::state::AppState;
use super::{prefer, preflight};
use crate::accounts_db::AccountsError;
use crate::gateway::{GatewayError, Recorded, Submission};

/// After how many seconds a client may try again when too much is going on.
const BUSY_RETRY: u32 = 1;

/// A member's wish to do something, as the headers have it: who, once with which key, and how long to wait.
pub(crate) struct Intent {
    /// Who.
    pub member: SignedIn,
    key: RequestKey,
    wait: Option<Duration>,
}

impl<S: Sync> FromRequestParts<S> for Intent {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let member = SignedIn::from_request_parts(parts, state).await?;
        let key = RequestKey::from_request_parts(parts, state).await?;
        Ok(Self { member, key, wait: prefer::wait(&parts.headers) })
    }
}

/// What a transaction is about.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    /// Something that it makes, which has its id.
    New(Kind),
    /// Something that is there.
    Old(Kind, String),
}

impl Subject {
    fn of(self, tx_id: TxId) -> (Kind, String) {
        match self {
            Self::New(kind) => (kind, tx_id.to_string()),
            Self::Old(kind, id) => (kind, id),
        }
    }
}

impl Intent {
    /// For forms of pages: with the key in the form, waiting for so long.
    ///
    /// # Errors
    /// INVALID_IDEMPOTENCY_KEY.
    pub(crate) fn of_form(self, key: String, wait: Duration) -> Result<Self, Failure> {
        Ok(Self { key: self.key.of_form(key)?, wait: Some(wait), ..self })
    }

    /// The same wish at another path, for aliases.
    pub(crate) fn at(self, path: &str) -> Self {
        Self { key: self.key.at(path), ..self }
    }

    /// Does it, once. `fingerprint` is the digest of what the client sent.
    pub(crate) async fn carry_out(
        self,
        state: &AppState,
        fingerprint: Digest,
        operation: impl Into<Operation>,
        subject: Subject,
    ) -> Answer<Settled> {
        let Self { member, key, wait } = self;
        let (sender, operation) = (member.address(), operation.into());
        let client_ref = key.client_ref(&sender, &fingerprint);
        let work = {
            let state = state.clone();
            async move {
                let done = async {
                    advise(&state, &sender, &operation, &client_ref).await?;
                    let submission = state.gateway.submit_as(sender, operation, client_ref).await;
                    settle(submission.map_err(|error| problem(&error))?, wait, subject).await
                };
                done.await.unwrap_or_else(|problem| Settled::failed(&problem))
            }
        };
        once(state, key, sender, fingerprint, work).await
    }
}

/// Whether it is worth sending. It is if a transaction was made for this request before, which was interrupted before it
/// was answered: what the ledger says now may be what came of that transaction.
async fn advise(
    state: &AppState,
    sender: &Address,
    operation: &Operation,
    client_ref: &[u8; 16],
) -> Result<(), Failure> {
    let advice = state.gateway.view().read(|ledger| preflight::check(ledger, sender, operation));
    let Err(rejection) = advice else {
        return Ok(());
    };
    let outgoing = state.accounts.outgoing(sender, client_ref).await.map_err(accounts_problem)?;
    let recorded = state.read.transaction_by_ref(sender, client_ref).await.map_err(read_problem)?;
    if outgoing.is_some() || recorded.is_some() {
        return Ok(());
    }
    Err(Problem::rejected(&rejection, None))
}

/// Answers for a transaction on its way: 201 if the client waits and it is carried out in time, else 202.
///
/// # Errors
/// It was refused, or rejected.
pub(crate) async fn settle(
    mut submission: Submission,
    wait: Option<Duration>,
    subject: Subject,
) -> Result<Settled, Failure> {
    let tx_id = submission.tx_id();
    let Some(wait) = wait else {
        return Ok(submitted(tx_id, subject));
    };
    match submission.recorded(wait).await.and_then(Recorded::applied) {
        Ok(recorded) => Ok(applied(&recorded, subject)),
        // It may still be recorded.
        Err(GatewayError::TimedOut { .. } | GatewayError::Stopping) => Ok(submitted(tx_id, subject)),
        Err(error @ (GatewayError::Refused(_) | GatewayError::Full)) => Err(problem(&error)),
        Err(error) => Err(Box::new(Problem { tx_id: Some(tx_id), ..*problem(&error) })),
    }
}

/// 202: it is on its way.
pub(crate) fn submitted(tx_id: TxId, subject: Subject) -> Settled {
    let (kind, id) = subject.of(tx_id);
    let href = kind.href(&id);
    let reply = Reply { tx_id, status: ReplyStatus::Submitted, height: None, kind, id, href };
    Settled::done(StatusCode::ACCEPTED, reply.location(), &reply)
}

/// 201: it is carried out.
pub(crate) fn applied(recorded: &Recorded, subject: Subject) -> Settled {
    let (tx_id, height) = (recorded.tx_id, Some(recorded.height.value()));
    let (kind, id) = subject.of(tx_id);
    let href = kind.href(&id);
    let reply = Reply { tx_id, status: ReplyStatus::Applied, height, kind, id, href };
    Settled::done(StatusCode::CREATED, reply.location(), &reply)
}

/// What a client is told when the gateway does not do what it should.
pub(crate) fn problem(error: &GatewayError) -> Failure {
    match error {
        GatewayError::Refused(refusal) => Problem::refused(refusal, None),
        GatewayError::Rejected { rejection, tx_id, .. } => Problem::rejected(rejection, Some(*tx_id)),
        GatewayError::Busy | GatewayError::Nonces(_) => Problem::later(Code::BUSY, BUSY_RETRY),
        GatewayError::Custody(wallet::CustodyError::UnknownAccount(_)) => Problem::new(Code::NO_CUSTODY),
        GatewayError::TimedOut { tx_id } => {
            Box::new(Problem { tx_id: Some(*tx_id), ..*Problem::later(Code::UNAVAILABLE, BUSY_RETRY) })
        }
        GatewayError::Full => Problem::new(Code::CHAIN_FULL),
        GatewayError::CatchingUp | GatewayError::Stopping => Problem::later(Code::UNAVAILABLE, BUSY_RETRY),
        GatewayError::Accounts(AccountsError::Busy) => Problem::later(Code::BUSY, BUSY_RETRY),
        GatewayError::Accounts(inner) => Problem::of_database(error, inner.may_pass()),
        GatewayError::Model(inner) => Problem::of_database(error, inner.may_pass()),
        GatewayError::Custody(_) | GatewayError::Store(_) => Problem::internal(error),
    }
}
