//! The one connection that writes to PostgreSQL.
//!
//! It holds a lock of the server for as long as it lives, so no two nodes write to the same tables. Whoever drops a
//! transaction drops the connection with it: the server takes everything back, and the next transaction connects anew.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Executor};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::either::in_time;
use super::tables::TablesError;

/// What the lock is called, with the schema. Any number would do that nobody else takes.
const LOCK: i32 = 0x506f_704d;
/// How long to wait for the lock: a connection that was lost may hold it for a moment.
const LOCK_LIMIT: &str = "SET lock_timeout = '5s'";
const NO_LIMIT: &str = "SET lock_timeout = 0";
const TAKE_LOCK: &str = "SELECT pg_advisory_lock($1, hashtext(coalesce(current_schema(), '')))";
/// The server's code for a lock that did not become free in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// How long a server may take to let somebody in.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Opens the connection when it is needed, and again after it was lost.
pub(super) struct Writer {
    options: PgConnectOptions,
    /// For errors: without a password.
    place: String,
    state: Arc<Mutex<State>>,
}

enum State {
    Open(Box<PgConnection>),
    /// Not connected yet, or not any more.
    Apart,
    Closed,
}

/// The connection, for one transaction.
pub(crate) struct Held {
    connection: Box<PgConnection>,
    state: OwnedMutexGuard<State>,
}

impl Held {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        in_time(self.connection.execute("COMMIT")).await?;
        self.give_back();
        Ok(())
    }

    /// For whoever comes next.
    pub(super) fn give_back(mut self) {
        *self.state = State::Open(self.connection);
    }
}

impl Writer {
    pub(super) fn new(options: PgConnectOptions, place: String) -> Self {
        Self { options, place, state: Arc::new(Mutex::new(State::Apart)) }
    }

    /// Begins a transaction, when the one before it is over.
    pub(super) async fn begin(&self) -> Result<Held, TablesError> {
        let mut held = self.hold().await?;
        in_time(held.connection.execute("BEGIN")).await?;
        Ok(held)
    }

    /// The connection, without a transaction: [`Held::give_back`] ends that.
    pub(super) async fn hold(&self) -> Result<Held, TablesError> {
        let mut state = Arc::clone(&self.state).lock_owned().await;
        let connection = match std::mem::replace(&mut *state, State::Apart) {
            State::Open(connection) => connection,
            State::Apart => Box::new(self.connect().await?),
            State::Closed => {
                *state = State::Closed;
                return Err(sqlx::Error::PoolClosed.into());
            }
        };
        Ok(Held { connection, state })
    }

    async fn connect(&self) -> Result<PgConnection, TablesError> {
        let connecting = tokio::time::timeout(CONNECT_LIMIT, PgConnection::connect_with(&self.options)).await;
        let late = |_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()));
        let unreachable = |source| TablesError::Unreachable { place: self.place.clone(), source };
        let mut connection = connecting.unwrap_or_else(late).map_err(unreachable)?;
        in_time(connection.execute(LOCK_LIMIT)).await?;
        let lock = sqlx::query(TAKE_LOCK).bind(LOCK).execute(&mut connection);
        match in_time(lock).await {
            Ok(_) => {}
            Err(error) if is_locked(&error) => return Err(TablesError::InUse(self.place.clone())),
            Err(error) => return Err(error.into()),
        }
        in_time(connection.execute(NO_LIMIT)).await?;
        Ok(connection)
    }

    /// Closes it for good.
    pub(super) async fn close(&self) {
        let mut state = self.state.lock().await;
        if let State::Open(connection) = std::mem::replace(&mut *state, State::Closed) {
            // The server sees that it is gone, if not that it went in peace.
            let _ = in_time(connection.close()).await;
        }
    }
}

fn is_locked(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == LOCK_NOT_AVAILABLE)
}
