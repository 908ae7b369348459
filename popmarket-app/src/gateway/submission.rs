//! What a caller has in hand of a transaction on its way.

use std::time::Duration;

use ledger::{Height, Outcome, TxId};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::GatewayError;
use super::fate::Fate;
use crate::read_model::ReadModel;

/// A transaction that was submitted. It goes on whether this is dropped or not.
pub struct Submission {
    tx_id: TxId,
    progress: watch::Receiver<Option<Fate>>,
    model: ReadModel,
}

/// A transaction that is on the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The transaction.
    pub tx_id: TxId,
    /// Its block.
    pub height: Height,
    /// Its place among the block's transactions.
    pub index: u32,
    /// What came of it.
    pub outcome: Outcome,
}

impl Submission {
    pub(super) const fn new(tx_id: TxId, progress: watch::Receiver<Option<Fate>>, model: ReadModel) -> Self {
        Self { tx_id, progress, model }
    }

    /// Of a transaction that is on the chain.
    pub(super) fn settled(recorded: Recorded, model: ReadModel) -> Self {
        let tx_id = recorded.tx_id;
        let (_, progress) = watch::channel(Some(Fate::Recorded(recorded)));
        Self { tx_id, progress, model }
    }

    /// The transaction.
    pub const fn tx_id(&self) -> TxId {
        self.tx_id
    }

    /// Waits until it is recorded **and** in the read model, so that whoever reads next sees it.
    ///
    /// # Errors
    /// [`GatewayError::Refused`] or [`GatewayError::Full`]: it is never recorded. [`GatewayError::TimedOut`] or [`GatewayError::Stopping`]: it may
    /// still be recorded; wait on.
    pub async fn recorded(&mut self, at_most: Duration) -> Result<Recorded, GatewayError> {
        let deadline = Instant::now() + at_most;
        let recorded = match self.fate(deadline).await? {
            Fate::Recorded(recorded) => recorded,
            Fate::Refused(refusal) => return Err(GatewayError::Refused(refusal)),
            Fate::Full => return Err(GatewayError::Full),
            Fate::Unknown => return Err(GatewayError::TimedOut { tx_id: self.tx_id }),
            Fate::Stopping => return Err(GatewayError::Stopping),
        };
        let left = deadline.saturating_duration_since(Instant::now());
        match self.model.wait_for_height(recorded.height, left).await {
            Some(_) => Ok(recorded),
            None => Err(GatewayError::TimedOut { tx_id: self.tx_id }),
        }
    }

    async fn fate(&mut self, deadline: Instant) -> Result<Fate, GatewayError> {
        match timeout_at(deadline, self.progress.wait_for(Option::is_some)).await {
            Ok(Ok(fate)) => fate.clone().ok_or(GatewayError::Stopping),
            Ok(Err(_)) => Err(GatewayError::Stopping),
            Err(_) => Err(GatewayError::TimedOut { tx_id: self.tx_id }),
        }
    }
}

impl Recorded {
    /// Itself, if it was carried out.
    ///
    /// # Errors
    /// [`GatewayError::Rejected`].
    pub fn applied(self) -> Result<Self, GatewayError> {
        match self.outcome {
            Outcome::Applied => Ok(self),
            Outcome::Rejected(rejection) => {
                Err(GatewayError::Rejected { tx_id: self.tx_id, height: self.height, rejection })
            }
        }
    }
}
