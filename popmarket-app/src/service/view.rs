//! For those who read the ledger while the service is at work.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use ledger::{Height, Ledger};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::outcome::encode;
use crate::store::{LedgerStore, StateName, StoreError};

/// The ledger of one replica, to look at. Clones share it.
#[derive(Clone)]
pub struct LedgerView {
    shared: Arc<Shared>,
}

struct Shared {
    ledger: RwLock<Ledger>,
    store: LedgerStore,
    height: watch::Sender<Height>,
    failure: OnceLock<String>,
}

/// What a replica says of its ledger to those who ask for the state of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The ledger as it is now.
    pub state: StateName,
}

impl Report {
    /// Reads what [`LedgerView::report`] wrote.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }
}

impl LedgerView {
    pub(super) fn new(ledger: Ledger, store: LedgerStore) -> Self {
        let height = watch::Sender::new(ledger.height());
        Self {
            shared: Arc::new(Shared { ledger: RwLock::new(ledger), store, height, failure: OnceLock::new() }),
        }
    }

    /// Looks something up. Batches wait meanwhile, so be short: copy out what is wanted. What is seen is in the store.
    pub fn read<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        // The one writer stops its replica if it panics.
        look(&self.shared.ledger.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The blocks, and what happened in them.
    pub fn store(&self) -> &LedgerStore {
        &self.shared.store
    }

    /// The height of the last block; changes with each block.
    pub fn height(&self) -> watch::Receiver<Height> {
        self.shared.height.subscribe()
    }

    /// The bytes of a [`Report`].
    pub fn report(&self) -> Vec<u8> {
        encode(&Report { state: self.read(StateName::of) })
    }

    /// Why the service had to stop, if it had to.
    pub fn failure(&self) -> Option<String> {
        self.shared.failure.get().cloned()
    }

    /// Remembers the first failure.
    pub(super) fn fail(&self, error: &StoreError) {
        let _ = self.shared.failure.set(error.to_string());
    }

    /// Changes ledger and store together: whoever sees the new state finds the block.
    pub(super) fn advance<T>(&self, change: impl FnOnce(&mut Ledger, &LedgerStore) -> T) -> T {
        let mut ledger = self.shared.ledger.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut ledger, &self.shared.store);
        let height = ledger.height();
        drop(ledger);
        self.shared.height.send_if_modified(|last| std::mem::replace(last, height) != height);
        result
    }
}
