//! What all tables have in common: how a database is opened, and how values stand in columns.
//!
//! There are two kinds of databases:
//! * what a node alone knows (members, webhooks): a file of SQLite ([`Database`], with the types of the driver);
//! * the read model: SQLite or PostgreSQL ([`Tables`], with the types of [`either`]). Its queries are portable: numbered
//!   placeholders (`$1`), `ON CONFLICT`, row values, sums cast to `BIGINT`.

mod columns;
pub(crate) mod either;
mod insert;
mod place;
mod postgres;
mod tables;
mod trouble;
mod value;

use std::path::{Path, PathBuf};
use std::time::Duration;

use pbft_crypto::Digest;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Pool, SqlStr};
use thiserror::Error;

pub(crate) use columns::{Col, Column, RowExt};
pub(crate) use insert::insert;
pub use place::{DatabasePlace, DatabaseUrl, NotADatabase};
pub(crate) use tables::{Tables, TablesError};
pub(crate) use trouble::may_pass;
pub(crate) use value::Value;

/// The database of what a node alone knows.
pub(crate) type Db = sqlx::Sqlite;
/// A row of a result.
pub(crate) type Row = sqlx::sqlite::SqliteRow;

/// Readers at a time, for each database.
pub(crate) const READERS: u32 = 8;

/// A database with its one writer.
#[derive(Clone)]
pub(crate) struct Database {
    /// One connection: writers wait for each other here and not in the database.
    pub(crate) writer: Pool<Db>,
    /// For everyone who only reads. They see what is committed.
    pub(crate) readers: Pool<Db>,
}

/// What a loss of power may take. A crash of the process takes nothing that is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Nothing that is committed: each commit waits for the disk.
    Committed,
    /// The last commits, which can be made again.
    Rebuildable,
}

/// Why a database cannot be opened.
#[derive(Debug, Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
}

/// What a node alone knows is of another chain than the node's.
#[derive(Debug, Error)]
#[error(
    "{} is of the chain {found}, and not of {expected}: choose the folder of this chain, or, if the other one is given up, \
     remove the file; see \"A new chain\" in docs/OPERATIONS.md",
    .file.display()
)]
pub struct OtherChain {
    /// The database.
    pub file: PathBuf,
    /// The chain that it is of.
    pub found: Digest,
    /// The node's chain.
    pub expected: Digest,
}

/// A step from one layout of the tables to the next: number, name and statements.
pub(crate) type Step = (i64, &'static str, &'static str);

impl Database {
    /// Opens a file, or begins it, and brings its tables up to date.
    pub(crate) async fn open(file: &Path, steps: &[Step], durability: Durability) -> Result<Self, OpenError> {
        let synchronous = match durability {
            Durability::Committed => SqliteSynchronous::Full,
            Durability::Rebuildable => SqliteSynchronous::Normal,
        };
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .busy_timeout(Duration::from_secs(10))
            .foreign_keys(false);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone().create_if_missing(true))
            .await?;
        migrator(steps).run(&writer).await?;
        let readers =
            SqlitePoolOptions::new().max_connections(READERS).connect_with(options.read_only(true)).await?;
        Ok(Self { writer, readers })
    }

    /// Refuses another chain than the one that is in the table `chain`. The first one that asks is written there.
    pub(crate) async fn belongs_to(
        &self,
        chain: &Digest,
        file: &Path,
    ) -> Result<Result<(), OtherChain>, sqlx::Error> {
        let sql = "INSERT INTO chain (id, chain_id) VALUES (1, $1) ON CONFLICT (id) DO NOTHING";
        sqlx::query(sql).bind(Col(*chain)).execute(&self.writer).await?;
        let row = sqlx::query("SELECT chain_id FROM chain").fetch_one(&self.writer).await?;
        let found: Digest = row.col("chain_id")?;
        if found == *chain {
            return Ok(Ok(()));
        }
        Ok(Err(OtherChain { file: file.into(), found, expected: *chain }))
    }
}

fn migrator(steps: &[Step]) -> Migrator {
    let migration = |(version, name, sql): &Step| {
        let sql = SqlStr::from_static(sql);
        Migration::new(*version, (*name).into(), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(steps.iter().map(migration).collect())
}
