//! The durable half of a replica's ledger.

use thiserror::Error;

/// Why the store does not work.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database said no.
    #[error("the ledger store: {0}")]
    Database(#[from] fjall::Error),
}
