//! Tables that can be made again from elsewhere, on SQLite or on PostgreSQL, with one writer and some readers.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};
use thiserror::Error;

use super::either::{Connection, Pool, Transaction};
use super::place::DatabasePlace;
use super::postgres::Writer as PostgresWriter;
use super::{Database, Durability, OpenError, READERS, Step};

/// How long a reader waits for a connection.
const READER_PATIENCE: Duration = Duration::from_secs(5);
/// Where the driver writes down which steps were taken.
const STEPS_TAKEN: &str = "_sqlx_migrations";

/// Why tables cannot be opened or written.
#[derive(Debug, Error)]
pub(crate) enum TablesError {
    #[error("{place} cannot be reached: {source}")]
    Unreachable { place: String, source: sqlx::Error },
    #[error("{0} is in use")]
    InUse(String),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
}

impl From<OpenError> for TablesError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Database(error) => Self::Database(error),
            OpenError::Migrate(error) => Self::Migrate(error),
        }
    }
}

/// Tables with their one writer.
pub(crate) struct Tables {
    writer: Writer,
    readers: Pool,
}

enum Writer {
    /// With the lock that keeps other processes out.
    Sqlite(sqlx::SqlitePool, Mutex<Option<File>>),
    Postgres(Box<PostgresWriter>),
}

impl Tables {
    /// Opens the tables, or begins them, and brings them up to date.
    pub(crate) async fn open(place: &DatabasePlace, steps: &[Step]) -> Result<Self, TablesError> {
        match place {
            DatabasePlace::Sqlite(file) => {
                let lock = lock(file)?;
                Self::of_file(file, lock, steps).await
            }
            DatabasePlace::Postgres(options) => {
                let writer = PostgresWriter::new((**options).clone(), place.to_string());
                Self::of_server(writer, options, steps).await
            }
        }
    }

    /// Throws away what is there, whatever it is, and begins anew. `tables` are all that the steps make.
    pub(crate) async fn begin_anew(
        place: &DatabasePlace,
        steps: &[Step],
        tables: &[&str],
    ) -> Result<Self, TablesError> {
        match place {
            DatabasePlace::Sqlite(file) => {
                let lock = lock(file)?;
                for suffix in ["", "-wal", "-shm"] {
                    remove(&with_suffix(file, suffix))?;
                }
                Self::of_file(file, lock, steps).await
            }
            DatabasePlace::Postgres(options) => {
                let writer = PostgresWriter::new((**options).clone(), place.to_string());
                // One statement: all or nothing.
                let drop = format!("DROP TABLE IF EXISTS {}, {STEPS_TAKEN}", tables.join(", "));
                let drop = AssertSqlSafe(drop).into_sql_str();
                let mut held = writer.hold().await?;
                held.connection().execute(drop).await?;
                held.give_back();
                Self::of_server(writer, options, steps).await
            }
        }
    }

    async fn of_file(file: &Path, lock: File, steps: &[Step]) -> Result<Self, TablesError> {
        let Database { writer, readers } = Database::open(file, steps, Durability::Rebuildable).await?;
        Ok(Self { writer: Writer::Sqlite(writer, Mutex::new(Some(lock))), readers: Pool::Sqlite(readers) })
    }

    async fn of_server(
        writer: PostgresWriter,
        options: &PgConnectOptions,
        steps: &[Step],
    ) -> Result<Self, TablesError> {
        let mut migrator = for_postgres(steps);
        // The writer holds a lock of its own.
        migrator.set_locking(false);
        let mut held = writer.hold().await?;
        migrator.run_direct(None, held.connection(), false).await?;
        held.give_back();
        let readers = PgPoolOptions::new().max_connections(READERS).acquire_timeout(READER_PATIENCE);
        let only_reads = options.clone().options([("default_transaction_read_only", "on")]);
        let readers = readers.connect_lazy_with(only_reads);
        Ok(Self { writer: Writer::Postgres(Box::new(writer)), readers: Pool::Postgres(readers) })
    }

    /// For everyone who only reads. They see what is committed.
    pub(crate) const fn readers(&self) -> &Pool {
        &self.readers
    }

    /// Begins a transaction, when the one before it is over.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static>, TablesError> {
        Ok(Transaction(match &self.writer {
            Writer::Sqlite(pool, _) => Connection::Sqlite(pool.begin().await?),
            Writer::Postgres(writer) => Connection::Postgres(writer.begin().await?),
        }))
    }

    /// Closes everything. Whoever uses them after that gets an error.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        match &self.writer {
            Writer::Sqlite(pool, lock) => {
                pool.close().await;
                lock.lock().unwrap_or_else(PoisonError::into_inner).take();
            }
            Writer::Postgres(writer) => writer.close().await,
        }
    }
}

/// The steps with the server's names of types. Texts are compared byte by byte, as SQLite does.
fn for_postgres(steps: &[Step]) -> Migrator {
    let migration = |(version, name, sql): &Step| {
        let sql = sql.replace("BLOB", "BYTEA").replace("TEXT", "TEXT COLLATE \"C\"");
        let sql = AssertSqlSafe(sql).into_sql_str();
        Migration::new(*version, (*name).into(), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(steps.iter().map(migration).collect())
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Keeps other processes out until the file is closed, also by the end of this process.
fn lock(file: &Path) -> Result<File, TablesError> {
    let failed = |error| TablesError::Database(sqlx::Error::Io(error));
    let path = with_suffix(file, ".lock");
    let lock = File::options().write(true).create(true).truncate(false).open(path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(TablesError::InUse(file.display().to_string())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn remove(file: &Path) -> Result<(), TablesError> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(TablesError::Database(sqlx::Error::Io(error)))
        }
        _ => Ok(()),
    }
}
