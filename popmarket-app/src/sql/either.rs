//! Statements and rows that are the same on SQLite and on PostgreSQL.
//!
//! What differs is told apart here, in [`insert`](super::insert) and in [`tables`](super::tables), and nowhere else.

use std::fmt::Write as _;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{
    Arguments, AssertSqlSafe, Column as _, ColumnIndex, Decode, Encode, Executor, Postgres, Row as _,
    SqlSafeStr, SqlStr, Sqlite, Type, TypeInfo as _, ValueRef as _,
};

use super::columns::Column;
use super::postgres::Held;
use super::value::{Stored, Value};

/// How long a server may take over one statement. A connection whose other end is gone says nothing for much longer.
const PATIENCE: Duration = Duration::from_secs(60);
pub(super) type Result<T> = std::result::Result<T, sqlx::Error>;

/// A statement with its values.
pub(crate) struct Query {
    pub(super) sql: SqlStr,
    pub(super) values: Vec<Value>,
}

/// A statement, without values so far.
pub(crate) const fn query(sql: &'static str) -> Query {
    Query { sql: SqlStr::from_static(sql), values: Vec::new() }
}

impl Query {
    /// With the value of its next placeholder.
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    pub(crate) async fn fetch_all(self, from: impl Runs) -> Result<Vec<Row>> {
        from.rows(self).await
    }

    /// For statements that find one row at most.
    pub(crate) async fn fetch_optional(self, from: impl Runs) -> Result<Option<Row>> {
        Ok(from.rows(self).await?.into_iter().next())
    }

    pub(crate) async fn fetch_one(self, from: impl Runs) -> Result<Row> {
        self.fetch_optional(from).await?.ok_or(sqlx::Error::RowNotFound)
    }

    pub(crate) async fn execute(self, on: &mut Connection<'_>) -> Result<()> {
        let Self { sql, values } = self;
        match on {
            Connection::Sqlite(on) => {
                let values: SqliteArguments = arguments(values)?;
                sqlx::query_with::<Sqlite, _>(sql, values).execute(&mut **on).await?;
            }
            Connection::Postgres(on) => {
                let values: PgArguments = arguments(values)?;
                let work = sqlx::query_with::<Postgres, _>(sql, values).execute(on.connection());
                in_time(work).await?;
            }
        }
        Ok(())
    }
}

/// As the driver takes them. Values are moved and not copied.
fn arguments<A: Arguments>(values: Vec<Value>) -> Result<A>
where
    Option<i64>: Encode<'static, A::Database> + Type<A::Database>,
    Option<String>: Encode<'static, A::Database> + Type<A::Database>,
    Option<Vec<u8>>: Encode<'static, A::Database> + Type<A::Database>,
    Option<bool>: Encode<'static, A::Database> + Type<A::Database>,
{
    let mut arguments = A::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        let added = match value {
            Value::Integer(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
            Value::Boolean(value) => arguments.add(value),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

pub(super) async fn in_time<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    tokio::time::timeout(PATIENCE, work).await.map_err(late)?
}

/// What statements run on.
pub(crate) trait Runs {
    /// What a statement finds.
    fn rows(self, query: Query) -> impl Future<Output = Result<Vec<Row>>> + Send;
}

/// Connections for readers.
#[derive(Clone)]
pub(crate) enum Pool {
    Sqlite(sqlx::SqlitePool),
    Postgres(sqlx::PgPool),
}

impl Pool {
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Runs for &Pool {
    async fn rows(self, Query { sql, values }: Query) -> Result<Vec<Row>> {
        match self {
            Pool::Sqlite(pool) => on_sqlite(pool, sql, values).await,
            Pool::Postgres(pool) => on_postgres(pool, sql, values).await,
        }
    }
}

/// A connection on which a transaction has begun.
pub(crate) enum Connection<'c> {
    Sqlite(sqlx::Transaction<'c, Sqlite>),
    Postgres(Held),
}

impl Runs for &mut Connection<'_> {
    async fn rows(self, Query { sql, values }: Query) -> Result<Vec<Row>> {
        match self {
            Connection::Sqlite(on) => on_sqlite(&mut **on, sql, values).await,
            Connection::Postgres(on) => on_postgres(on.connection(), sql, values).await,
        }
    }
}

async fn on_sqlite<'e>(
    on: impl Executor<'e, Database = Sqlite>,
    sql: SqlStr,
    values: Vec<Value>,
) -> Result<Vec<Row>> {
    let values: SqliteArguments = arguments(values)?;
    let rows = sqlx::query_with::<Sqlite, _>(sql, values).fetch_all(on).await?;
    Ok(rows.into_iter().map(Row::Sqlite).collect())
}

async fn on_postgres<'e>(
    on: impl Executor<'e, Database = Postgres>,
    sql: SqlStr,
    values: Vec<Value>,
) -> Result<Vec<Row>> {
    let values: PgArguments = arguments(values)?;
    let rows = in_time(sqlx::query_with::<Postgres, _>(sql, values).fetch_all(on)).await?;
    Ok(rows.into_iter().map(Row::Postgres).collect())
}

/// A transaction. Nothing of it stays if it is dropped before [`commit`](Self::commit).
pub(crate) struct Transaction<'c>(pub(super) Connection<'c>);

impl Transaction<'_> {
    pub(crate) async fn commit(self) -> Result<()> {
        match self.0 {
            Connection::Sqlite(transaction) => transaction.commit().await,
            Connection::Postgres(held) => held.commit().await,
        }
    }
}

impl<'c> Deref for Transaction<'c> {
    type Target = Connection<'c>;

    fn deref(&self) -> &Connection<'c> {
        &self.0
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// A row of a result.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// What stands in a column.
    pub(crate) fn get<T: Stored>(&self, name: &'static str) -> Result<T> {
        match self {
            Self::Sqlite(row) => row.try_get(name),
            Self::Postgres(row) => row.try_get(name),
        }
    }

    /// A value.
    pub(crate) fn col<T: Column>(&self, name: &'static str) -> Result<T> {
        T::from_raw(self.get(name)?).ok_or_else(|| damaged(name))
    }

    /// A value that may be missing.
    pub(crate) fn optional<T: Column>(&self, name: &'static str) -> Result<Option<T>> {
        let stored: Option<T::Raw> = match self {
            Self::Sqlite(row) => row.try_get(name)?,
            Self::Postgres(row) => row.try_get(name)?,
        };
        stored.map(|stored| T::from_raw(stored).ok_or_else(|| damaged(name))).transpose()
    }

    /// The names of the columns.
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Self::Sqlite(row) => row.columns().iter().map(|column| column.name().to_owned()).collect(),
            Self::Postgres(row) => row.columns().iter().map(|column| column.name().to_owned()).collect(),
        }
    }

    /// All values, in a form that is the same on both databases: truth is a number, and nothing is of one kind.
    pub(crate) fn values(&self) -> Result<Vec<Value>> {
        match self {
            Self::Sqlite(row) => values(row),
            Self::Postgres(row) => values(row),
        }
    }
}

fn damaged(name: &'static str) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: name.to_owned(), source: "not a value of this column".into() }
}

fn values<R: sqlx::Row>(row: &R) -> Result<Vec<Value>>
where
    usize: ColumnIndex<R>,
    i64: for<'r> Decode<'r, R::Database> + Type<R::Database>,
    String: for<'r> Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: for<'r> Decode<'r, R::Database> + Type<R::Database>,
    bool: for<'r> Decode<'r, R::Database> + Type<R::Database>,
{
    let value = |index: usize| {
        let raw = row.try_get_raw(index)?;
        if raw.is_null() {
            return Ok(Value::Bytes(None));
        }
        let kind = raw.type_info().name().to_owned();
        Ok(match kind.as_str() {
            "INTEGER" | "INT8" => Value::Integer(Some(row.try_get(index)?)),
            "BOOLEAN" | "BOOL" => Value::Integer(Some(i64::from(row.try_get::<bool, _>(index)?))),
            "TEXT" => Value::Text(Some(row.try_get(index)?)),
            "BLOB" | "BYTEA" => Value::Bytes(Some(row.try_get(index)?)),
            _ => return Err(sqlx::Error::Decode(format!("a column of type {kind}").into())),
        })
    };
    (0..row.len()).map(value).collect()
}

/// A statement that is put together.
pub(crate) struct QueryBuilder {
    sql: String,
    values: Vec<Value>,
}

impl QueryBuilder {
    pub(crate) fn new(sql: &str) -> Self {
        Self { sql: sql.to_owned(), values: Vec::new() }
    }

    pub(crate) fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// A placeholder, with its value.
    pub(crate) fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        // Writing to a string cannot fail.
        let _ = write!(self.sql, "${}", self.values.len());
        self
    }

    /// What SQLite says that it will do, instead of doing it.
    #[cfg(test)]
    pub(crate) fn explained(mut self) -> Self {
        self.sql.insert_str(0, "EXPLAIN QUERY PLAN ");
        self
    }

    pub(crate) fn build(self) -> Query {
        Query { sql: AssertSqlSafe(self.sql).into_sql_str(), values: self.values }
    }
}
