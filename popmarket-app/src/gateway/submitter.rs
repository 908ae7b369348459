//! The port to the replicas.

use std::future::Future;
use std::pin::Pin;

use pbft_core::message::DeclineReason;
use pbft_core::service::Outcome;
use pbft_core::{Request, Seq};
use thiserror::Error;

/// What f + 1 replicas say about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Where it was executed.
    pub seq: Seq,
    /// What came of it.
    pub outcome: Outcome,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoAnswer {
    /// f + 1 replicas do not take it. Others may have.
    #[error("declined: {0:?}")]
    Declined(DeclineReason),
    /// It was not sent: too much is on its way.
    #[error("too many requests are on their way")]
    NotSent,
    /// Too few replicas answered in time.
    #[error("too few replicas answered in time")]
    TimedOut,
    /// Nobody will answer any more.
    #[error("the client is closed")]
    Closed,
}

/// Brings requests to the replicas.
///
/// # To be correct
/// * An answer is the word of f + 1 replicas, so of a correct one.
/// * The same request may be submitted any number of times, also at the same time.
pub trait Submitter: Send + Sync {
    /// Submits a request and waits for the answer, for a bounded time.
    fn submit(&self, request: Request)
    -> Pin<Box<dyn Future<Output = Result<Answer, NoAnswer>> + Send + '_>>;
}
