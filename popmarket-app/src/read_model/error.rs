//! Why the read model gives no answer.

use thiserror::Error;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum ReadError {
    /// A page was to begin at an item that is not in the list. The caller's mistake.
    #[error("there is no item with the id that the page begins with")]
    UnknownCursor,
    /// The database said no.
    #[error("the read model's database: {0}")]
    Database(#[from] sqlx::Error),
    /// The tables could not be made.
    #[error("the read model's tables: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// What is in it is not of this chain, or of another one with the same height.
    #[error("the read model is of another chain: rebuild it")]
    OtherChain,
}
