//! Transactions on their way: each once, and not too many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ledger::{Transaction, TxId};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use wallet::NonceLease;

use super::fate::{Fate, judge};
use super::{Gateway, GatewayError, GatewayOptions};
use crate::service::request_of;

type Progress = watch::Receiver<Option<Fate>>;

/// Which transactions are on their way.
pub(super) struct Flights {
    max: usize,
    seats: Arc<Mutex<HashMap<TxId, Progress>>>,
}

/// The right to bring a transaction on its way. Others who bring the same one wait for this.
pub(super) struct Seat {
    id: TxId,
    fate: watch::Sender<Option<Fate>>,
    seats: Arc<Mutex<HashMap<TxId, Progress>>>,
}

/// How to follow a transaction, and the seat if it had none.
pub(super) struct Begun {
    pub(super) seat: Option<Seat>,
    pub(super) progress: Progress,
}

impl Flights {
    pub(super) fn new(max: usize) -> Self {
        Self { max, seats: Arc::default() }
    }

    pub(super) fn count(&self) -> usize {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// A seat, unless the transaction has one.
    pub(super) fn begin(&self, id: TxId) -> Result<Begun, GatewayError> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = seats.get(&id) {
            return Ok(Begun { seat: None, progress: progress.clone() });
        }
        if seats.len() >= self.max {
            return Err(GatewayError::Busy);
        }
        let (fate, progress) = watch::channel(None);
        seats.insert(id, progress.clone());
        let seat = Seat { id, fate, seats: Arc::clone(&self.seats) };
        Ok(Begun { seat: Some(seat), progress })
    }
}

impl Seat {
    fn land(self, fate: Fate) {
        self.fate.send_replace(Some(fate));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Gateway {
    /// Brings a transaction to the replicas until its fate is known, and says so to everyone who waits.
    pub(super) async fn fly(&self, transaction: Transaction, lease: Option<NonceLease>, seat: Seat) {
        let fate = self.drive(&transaction).await;
        if let Some(lease) = lease {
            let nonces = self.shared.wallet.nonces();
            match &fate {
                Fate::Recorded(_) => nonces.confirm(lease),
                Fate::Refused(_) | Fate::Full => nonces.release(lease),
                // Dropped: the nonce stays taken until the transaction has expired.
                Fate::Unknown | Fate::Stopping => {}
            }
        }
        if matches!(fate, Fate::Refused(_) | Fate::Full)
            && let Err(error) = self.shared.accounts.drop_outgoing(&transaction).await
        {
            tracing::warn!(%error, tx_id = %transaction.id(), "a refused transaction stays written down");
        }
        seat.land(fate);
    }

    async fn drive(&self, transaction: &Transaction) -> Fate {
        let request = request_of(transaction);
        let GatewayOptions { patience, pause, .. } = self.shared.options;
        let (give_up, longest) = (Instant::now() + patience, pause * 40);
        let mut pause = pause;
        loop {
            let answer = self.shared.submitter.submit(request.clone()).await;
            match judge(&self.shared.view, transaction, answer) {
                Ok(Some(fate)) => return fate,
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "the ledger's store cannot be read"),
            }
            if Instant::now() + pause >= give_up {
                return Fate::Unknown;
            }
            sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }
}
