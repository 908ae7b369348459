//! The way to a real cluster.

use std::pin::Pin;

use pbft_core::Request;
use pbft_core::client::ClientError;
use pbft_core::message::DeclineReason;
use pbft_node::Client;
use pbft_node::client::SubmitError;

use super::{Answer, NoAnswer, Submitter};

impl Submitter for Client {
    fn submit(
        &self,
        request: Request,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, NoAnswer>> + Send + '_>> {
        Box::pin(async move {
            let receipt = Self::submit(self, request).await.map_err(no_answer)?;
            Ok(Answer { seq: receipt.seq, outcome: receipt.outcome })
        })
    }
}

fn no_answer(error: SubmitError) -> NoAnswer {
    match error {
        SubmitError::Failed(ClientError::Declined(reason)) => NoAnswer::Declined(reason),
        SubmitError::Failed(ClientError::NumberInUse) => NoAnswer::Declined(DeclineReason::NumberInUse),
        SubmitError::Failed(ClientError::TimedOut { .. }) => NoAnswer::TimedOut,
        // A transaction is no question: it never waits for a quorum.
        SubmitError::Failed(ClientError::TooManyOutstanding | ClientError::NoQuorum { .. })
        | SubmitError::WindowBlocked => NoAnswer::NotSent,
        SubmitError::TooLarge { .. } => NoAnswer::Declined(DeclineReason::TooLarge),
        SubmitError::Stopped => NoAnswer::Closed,
    }
}
