//! The databases that tests of the read model run on: files, and a server if there is one.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;

use crate::read_model::ReadModel;
use crate::sql::{DatabasePlace, DatabaseUrl};

/// Names a server of PostgreSQL on which tests may make schemas.
pub(crate) const SERVER: &str = "POPMARKET_TEST_POSTGRES";

/// A place for databases that nobody else uses.
pub(crate) struct Databases {
    folder: TempDir,
    server: Option<Server>,
}

struct Server {
    options: PgConnectOptions,
    /// How the names of its schemas begin.
    prefix: String,
}

impl Databases {
    pub(crate) fn sqlite() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), server: None }
    }

    /// Says so if there is no server.
    pub(crate) fn postgres() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let Ok(url) = std::env::var(SERVER) else {
            println!("left out: {SERVER} names no server of PostgreSQL");
            return None;
        };
        let place = DatabaseUrl::from(url).place("".as_ref()).unwrap();
        let DatabasePlace::Postgres(options) = place else { panic!("{SERVER} is no URL of PostgreSQL") };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("popmarket_test_{}_{number}", std::process::id());
        Some(Self { server: Some(Server { options: *options, prefix }), ..Self::sqlite() })
    }

    /// A database of its own for each name.
    pub(crate) async fn place(&self, name: &str) -> DatabasePlace {
        let Some(Server { options, prefix }) = &self.server else {
            return DatabasePlace::Sqlite(self.folder.path().join(format!("{name}.db")));
        };
        let schema = format!("{prefix}_{name}");
        self.run(&format!("CREATE SCHEMA IF NOT EXISTS {schema}")).await;
        DatabasePlace::Postgres(Box::new(options.clone().options([("search_path", &schema)])))
    }

    pub(crate) async fn open(&self, name: &str) -> ReadModel {
        ReadModel::open_at(&self.place(name).await).await.unwrap()
    }

    /// Runs a statement on the server.
    pub(crate) async fn run(&self, sql: &str) {
        let mut connection =
            PgConnection::connect_with(&self.server.as_ref().unwrap().options).await.unwrap();
        connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Has the server end the connections that write to these databases.
    pub(crate) async fn cut_connections(&self) {
        let prefix = &self.server.as_ref().unwrap().prefix;
        // The schema's name is in the lock that a writer holds.
        self.run(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid() \
             AND objid IN (SELECT hashtext(nspname)::bigint & 4294967295 FROM pg_namespace WHERE starts_with(nspname, '{prefix}_'))"
        ))
        .await;
    }

    /// Takes away what was made on the server.
    pub(crate) async fn remove(self) {
        let Some(Server { prefix, .. }) = &self.server else { return };
        let sql = "DO $$ DECLARE name text; BEGIN FOR name IN SELECT nspname FROM pg_namespace \
                   WHERE nspname LIKE '{prefix}\\_%' LOOP EXECUTE format('DROP SCHEMA %I CASCADE', name); END LOOP; END $$";
        self.run(&sql.replace("{prefix}", &prefix.replace('_', "\\_"))).await;
    }
}

/// Makes of functions that take [`Databases`] tests that run on each kind.
macro_rules! on_each_database {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&crate::testing::Databases::sqlite()).await;
            })*
        }

        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                let Some(databases) = crate::testing::Databases::postgres() else { return };
                super::$test(&databases).await;
                databases.remove().await;
            })*
        }
    };
}

pub(crate) use on_each_database;
