//! Many rows at once.

use sqlx::postgres::PgArguments;
use sqlx::{Arguments, AssertSqlSafe, Postgres, SqlSafeStr, SqlStr};

use super::either::{Connection, Query, Result, Transaction, in_time};
use super::value::Value;

/// Values in one statement. SQLite takes 32,766.
const MAX_VALUES: usize = 16_000;

/// The values of a row that is inserted.
pub(crate) struct NewRow<'a>(&'a mut Vec<Value>);

impl NewRow<'_> {
    /// The next one.
    pub(crate) fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.0.push(value.into());
        self
    }
}

/// Inserts many rows in as few statements as possible; `table` names the columns, too.
pub(crate) async fn insert<T>(
    to: &mut Transaction<'_>,
    table: &'static str,
    columns: usize,
    suffix: &'static str,
    rows: impl IntoIterator<Item = T>,
    push: impl Fn(NewRow<'_>, T),
) -> Result<()> {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let mut values = Vec::new();
        for row in rows.by_ref().take(MAX_VALUES / columns) {
            push(NewRow(&mut values), row);
        }
        match &mut **to {
            Connection::Sqlite(_) => many(table, columns, suffix, values).execute(to).await?,
            Connection::Postgres(on) => {
                let (sql, values) = columnwise(table, columns, suffix, values)?;
                in_time(sqlx::query_with::<Postgres, _>(sql, values).execute(on.connection())).await?;
            }
        }
    }
    Ok(())
}

/// A placeholder for each value. Without numbers: SQLite looks for each number among all before it.
fn many(table: &str, columns: usize, suffix: &str, values: Vec<Value>) -> Query {
    let row = format!("({})", vec!["?"; columns].join(", "));
    let rows = vec![row; values.len() / columns].join(", ");
    let sql = format!("INSERT INTO {table} VALUES {rows}{suffix}");
    Query { sql: AssertSqlSafe(sql).into_sql_str(), values }
}

/// An array for each column: the statement is the same for any number of rows, so the server reads and plans it once.
fn columnwise(
    table: &str,
    columns: usize,
    suffix: &str,
    values: Vec<Value>,
) -> Result<(SqlStr, PgArguments)> {
    let mut arrays: Vec<Array> = values.iter().take(columns).map(Array::of).collect();
    for (index, value) in values.into_iter().enumerate() {
        let array = arrays.get_mut(index % columns);
        array
            .and_then(|array| array.push(value))
            .ok_or_else(|| sqlx::Error::Encode("a mixed column".into()))?;
    }
    let placeholders: Vec<String> = (1..=columns).map(|number| format!("${number}")).collect();
    let sql = format!("INSERT INTO {table} SELECT * FROM UNNEST({}){suffix}", placeholders.join(", "));
    let mut arguments = PgArguments::default();
    for array in arrays {
        let added = match array {
            Array::Integer(values) => arguments.add(values),
            Array::Text(values) => arguments.add(values),
            Array::Bytes(values) => arguments.add(values),
            Array::Boolean(values) => arguments.add(values),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok((AssertSqlSafe(sql).into_sql_str(), arguments))
}

enum Array {
    Integer(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Boolean(Vec<Option<bool>>),
}

impl Array {
    /// An empty one for values of the same kind.
    const fn of(value: &Value) -> Self {
        match value {
            Value::Integer(_) => Self::Integer(Vec::new()),
            Value::Text(_) => Self::Text(Vec::new()),
            Value::Bytes(_) => Self::Bytes(Vec::new()),
            Value::Boolean(_) => Self::Boolean(Vec::new()),
        }
    }

    /// `None` if the value is of another kind.
    fn push(&mut self, value: Value) -> Option<()> {
        match (self, value) {
            (Self::Integer(values), Value::Integer(value)) => values.push(value),
            (Self::Text(values), Value::Text(value)) => values.push(value),
            (Self::Bytes(values), Value::Bytes(value)) => values.push(value),
            (Self::Boolean(values), Value::Boolean(value)) => values.push(value),
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_gets_rows_and_postgresql_gets_columns() {
        let values: Vec<Value> =
            vec![1_i64.into(), "a".into(), 2_i64.into(), None::<&str>.into(), 3_i64.into(), "c".into()];
        let query = many("t (n, name)", 2, " ON CONFLICT DO NOTHING", values.clone());
        let expected = "INSERT INTO t (n, name) VALUES (?, ?), (?, ?), (?, ?) ON CONFLICT DO NOTHING";
        assert_eq!((query.sql.as_str(), query.values), (expected, values.clone()));
        let (sql, arguments) = columnwise("t (n, name)", 2, "", values).unwrap();
        assert_eq!(sql.as_str(), "INSERT INTO t (n, name) SELECT * FROM UNNEST($1, $2)");
        assert_eq!(arguments.len(), 2);
        let mixed = vec![1_i64.into(), "a".into()];
        assert!(columnwise("t (n)", 1, "", mixed).is_err());
    }
}
