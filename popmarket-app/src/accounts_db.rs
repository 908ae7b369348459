//! What does not belong on a chain: who may sign in, who is signed in, what was answered to which request, and which
//! transactions were signed here. In a database of its own, which a rebuild of the read model leaves alone.
//!
//! What a member may do is not in here: that is the account's role on the ledger.
//!
//! What is committed survives a loss of power.

mod idempotency;
mod members;
mod outbox;
mod passwords;
mod sessions;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use ledger::UnixMillis;
use pbft_crypto::Digest;
use sqlx::Executor;
use thiserror::Error;

use crate::clock::{self, Clock};
use crate::sql::{self, Col, Database, Durability, OpenError, Step};
use idempotency::{Claims, Kept};
pub use idempotency::{IdempotencyBegin, IdempotencyScope, IdempotencyTicket, StoredAnswer};
pub use members::{KeyKeeping, Member};
use passwords::Hashing;
pub use passwords::{Password, WeakPassword};
pub use sessions::{Session, SessionToken};

pub use crate::sql::OtherChain;

const STEPS: &[Step] = &[
    (1, "initial", include_str!("../migrations/accounts_db/0001_initial.sql")),
    (2, "unfinished", include_str!("../migrations/accounts_db/0002_unfinished.sql")),
    (3, "chain", include_str!("../migrations/accounts_db/0003_chain.sql")),
];

/// Members, sessions, idempotency records and the outbox. Clones share it.
#[derive(Clone)]
pub struct AccountsDb {
    shared: Arc<Shared>,
}

struct Shared {
    database: Database,
    clock: Clock,
    hashing: Hashing,
    claims: Arc<Claims>,
    kept: Kept,
}

/// Why something about members does not work.
#[derive(Debug, Error)]
pub enum AccountsError {
    /// Another member has the name.
    #[error("the name is taken")]
    NameTaken,
    /// A member has this account.
    #[error("the account belongs to a member already")]
    AccountTaken,
    /// Name and password do not belong together; which one is wrong is not said.
    #[error("name and password do not belong together")]
    WrongCredentials,
    /// Too many passwords are being checked, or too many requests answered at a time: try again later.
    #[error("too much is going on at once")]
    Busy,
    /// The database said no.
    #[error("the members' database: {0}")]
    Database(#[from] sqlx::Error),
    /// The tables could not be made.
    #[error("the members' tables: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// They are members of another chain.
    #[error(transparent)]
    OtherChain(#[from] OtherChain),
    /// A row holds something that was never written there.
    #[error("the members' database is damaged: {0}")]
    Damaged(&'static str),
    /// There is not enough memory to hash the password.
    #[error("hashing the password: {0}")]
    Hash(argon2::Error),
}

impl AccountsError {
    /// Whether it passes by itself: the database is busy, or out of reach.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Database(error) if sql::may_pass(error))
    }
}

impl From<OpenError> for AccountsError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Database(error) => Self::Database(error),
            OpenError::Migrate(error) => Self::Migrate(error),
        }
    }
}

impl AccountsDb {
    /// Opens the database file of a chain, or begins it.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn open(file: &Path, chain: &Digest) -> Result<Self, AccountsError> {
        Self::open_with_clock(file, chain, clock::system()).await
    }

    /// Opens it with another clock than the system's.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn open_with_clock(file: &Path, chain: &Digest, clock: Clock) -> Result<Self, AccountsError> {
        let database = Database::open(file, STEPS, Durability::Committed).await?;
        database.belongs_to(chain, file).await??;
        let (claims, kept) = (Arc::new(Claims::default()), Kept::default());
        let db =
            Self { shared: Arc::new(Shared { database, clock, hashing: Hashing::new()?, claims, kept }) };
        db.forget_expired().await?;
        Ok(db)
    }

    /// Takes out what has expired. Call it now and then.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn forget_expired(&self) -> Result<(), AccountsError> {
        let statements = [
            "DELETE FROM sessions WHERE expires_at <= $1",
            "DELETE FROM idempotency WHERE expires_at <= $1",
            "DELETE FROM outbox WHERE expires_at <= $1",
        ];
        for sql in statements {
            self.shared.database.writer.execute(sqlx::query(sql).bind(Col(self.now()))).await?;
        }
        Ok(())
    }

    /// Closes the database. Whoever uses it after that gets an error.
    pub async fn close(&self) {
        self.shared.database.readers.close().await;
        self.shared.database.writer.close().await;
    }

    fn now(&self) -> UnixMillis {
        (self.shared.clock)()
    }
}
