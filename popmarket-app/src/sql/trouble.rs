//! Which errors of a database pass by themselves, and which are mistakes.

use sqlx::Error;
use sqlx::sqlite::SqliteError;

/// What SQLite says when another has the file, or the machine does not give what it needs: busy, locked, no memory,
/// interrupted, an error of the disk, a full disk, a file that cannot be opened.
const OF_SQLITE: [u32; 7] = [5, 6, 7, 9, 10, 13, 14];
/// The part of a code of SQLite that says what it is; the rest says more about it.
const PRIMARY: u32 = 0xff;
/// How what PostgreSQL says begins when it is about the connection, about two transactions in each other's way, about
/// memory, disk or too many connections, about its operator, or about its machine.
const OF_POSTGRES: [&str; 5] = ["08", "40", "53", "57", "58"];
/// What it says when it has waited long enough for a lock.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Whether the same may work later. It does not if the statement, or what is in the tables, is wrong.
pub(crate) fn may_pass(error: &Error) -> bool {
    match error {
        Error::Io(_) | Error::Tls(_) | Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed => true,
        Error::Database(said) => {
            let code = said.code().unwrap_or_default();
            if said.try_downcast_ref::<SqliteError>().is_some() {
                of_sqlite(&code)
            } else {
                of_postgres(&code)
            }
        }
        _ => false,
    }
}

fn of_sqlite(code: &str) -> bool {
    code.parse().is_ok_and(|code: u32| OF_SQLITE.contains(&(code & PRIMARY)))
}

fn of_postgres(code: &str) -> bool {
    code == LOCK_NOT_AVAILABLE || OF_POSTGRES.iter().any(|class| code.starts_with(class))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
    use sqlx::{ConnectOptions, Executor};

    use super::*;

    async fn connect(folder: &tempfile::TempDir) -> SqliteConnection {
        let options =
            SqliteConnectOptions::new().filename(folder.path().join("a.db")).create_if_missing(true);
        options.busy_timeout(Duration::ZERO).connect().await.unwrap()
    }

    #[tokio::test]
    async fn a_locked_file_passes_and_a_wrong_statement_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (connect(&folder).await, connect(&folder).await);
        one.execute("CREATE TABLE a (b BIGINT PRIMARY KEY)").await.unwrap();
        one.execute("BEGIN EXCLUSIVE").await.unwrap();
        assert!(may_pass(&other.execute("INSERT INTO a VALUES (1)").await.unwrap_err()));
        one.execute("ROLLBACK").await.unwrap();
        other.execute("INSERT INTO a VALUES (1)").await.unwrap();
        for wrong in ["INSERT INTO a VALUES (1)", "SELECT c FROM a", "SELECT FROM", "SELECT * FROM none"] {
            assert!(!may_pass(&other.execute(wrong).await.unwrap_err()), "{wrong}");
        }
    }

    #[test]
    fn what_a_server_says_is_told_apart() {
        for passes in ["08006", "40001", "40P01", "53300", "55P03", "57P01", "57014", "58030"] {
            assert!(of_postgres(passes), "{passes}");
        }
        for stays in ["", "22P02", "23505", "42601", "42P01", "55000", "XX000"] {
            assert!(!of_postgres(stays), "{stays}");
        }
    }

    #[test]
    fn no_connection_passes_and_a_value_that_is_none_does_not() {
        for passes in [Error::PoolTimedOut, Error::PoolClosed, Error::Io(std::io::ErrorKind::TimedOut.into())]
        {
            assert!(may_pass(&passes), "{passes}");
        }
        for stays in [Error::RowNotFound, Error::ColumnNotFound("a".into()), Error::Decode("b".into())] {
            assert!(!may_pass(&stays), "{stays}");
        }
    }
}
