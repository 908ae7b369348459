//! Why the read model gives no answer.

use thiserror::Error;

use crate::sql::{self, TablesError};

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum ReadError {
    /// A page was to begin at an item that is not in the list. The caller's mistake.
    #[error("there is no item with the id that the page begins with")]
    UnknownCursor,
    /// There is no way to the database.
    #[error("the read model's database: {place} cannot be reached: {source}")]
    Unreachable {
        /// Which one.
        place: String,
        /// What went wrong.
        source: sqlx::Error,
    },
    /// Somebody else writes to it.
    #[error("the read model's database: another process writes to {0}; each node needs one of its own")]
    InUse(String),
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

impl ReadError {
    /// Whether it passes by itself: the database is busy, or out of reach. The rest is a mistake, or damage.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::InUse(_) => true,
            Self::Database(error) => sql::may_pass(error),
            Self::UnknownCursor | Self::Migrate(_) | Self::OtherChain => false,
        }
    }
}

impl From<TablesError> for ReadError {
    fn from(error: TablesError) -> Self {
        match error {
            TablesError::Unreachable { place, source } => Self::Unreachable { place, source },
            TablesError::InUse(place) => Self::InUse(place),
            TablesError::Database(error) => Self::Database(error),
            TablesError::Migrate(error) => Self::Migrate(error),
        }
    }
}
