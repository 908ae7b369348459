//! How a page is cut from a list.

use super::error::ReadError;
use super::page::{Page, PageRequest, PageStart};
use crate::sql::{
    Col, Column,
    either::{Pool, QueryBuilder, Row},
};

/// A list: a query that ends with a `WHERE` clause, and the order of its rows.
pub(super) struct List {
    /// The query, up to and with `WHERE` and a first condition.
    pub(super) select: &'static str,
    /// The table whose rows are listed.
    pub(super) table: &'static str,
    /// Its column that names a row in requests.
    pub(super) key: &'static str,
    /// Its columns that the list is ordered by; together unique.
    pub(super) order: &'static [&'static str],
    /// Whether the largest come first.
    pub(super) descending: bool,
}

impl List {
    /// Cuts out a page of those rows that `filter` lets pass: it adds conditions, each with a leading `AND`.
    pub(super) async fn page<K, T>(
        &self,
        pool: &Pool,
        request: PageRequest<K>,
        filter: impl FnOnce(&mut QueryBuilder),
        read: impl Fn(&Row) -> Result<T, sqlx::Error>,
    ) -> Result<Page<T>, ReadError>
    where
        K: Key,
    {
        self.fetch(pool, request, self.statement(request, filter), read).await
    }

    /// The page for which one of the statements below was made.
    pub(super) async fn fetch<K: Key, T>(
        &self,
        pool: &Pool,
        request: PageRequest<K>,
        statement: QueryBuilder,
        read: impl Fn(&Row) -> Result<T, sqlx::Error>,
    ) -> Result<Page<T>, ReadError> {
        self.check_exists(pool, request).await?;
        found(&statement.build().fetch_all(pool).await?, &request, read)
    }

    /// Finds the rows of a page that `filter` lets pass, and one more.
    pub(super) fn statement<K: Key>(
        &self,
        request: PageRequest<K>,
        filter: impl FnOnce(&mut QueryBuilder),
    ) -> QueryBuilder {
        let mut query = QueryBuilder::new("");
        self.rows(&mut query, request, filter);
        query
    }

    /// The same of those that one of two filters lets pass; none passes both. Each filter has an index to go by, where for
    /// one with an `OR` all rows would be sorted.
    pub(super) fn statement_of_either<K: Key>(
        &self,
        request: PageRequest<K>,
        one: impl FnOnce(&mut QueryBuilder),
        other: impl FnOnce(&mut QueryBuilder),
    ) -> QueryBuilder {
        let mut query = QueryBuilder::new("SELECT * FROM (");
        self.rows(&mut query, request, one);
        query.push(") AS one UNION ALL SELECT * FROM (");
        self.rows(&mut query, request, other);
        query.push(") AS other");
        self.first_of(&mut query, "", &request);
        query
    }

    fn rows<K: Key>(
        &self,
        query: &mut QueryBuilder,
        request: PageRequest<K>,
        filter: impl FnOnce(&mut QueryBuilder),
    ) {
        query.push(self.select);
        filter(query);
        if let PageStart::After(key) | PageStart::Before(key) = request.start {
            self.begin_at(query, key, is_backwards(&request));
        }
        self.first_of(query, self.table, &request);
    }

    fn first_of<K>(&self, query: &mut QueryBuilder, table: &str, request: &PageRequest<K>) {
        let ascending = self.descending == is_backwards(request);
        query.push(" ORDER BY ");
        self.columns(query, table, if ascending { " ASC" } else { " DESC" });
        query.push(" LIMIT ").push_bind(i64::from(request.limit.value()) + 1);
    }

    async fn check_exists<K: Key>(&self, pool: &Pool, request: PageRequest<K>) -> Result<(), ReadError> {
        let (PageStart::After(key) | PageStart::Before(key)) = request.start else { return Ok(()) };
        let mut query = QueryBuilder::new("SELECT 1 FROM ");
        query.push(self.table).push(" WHERE ").push(self.key).push(" = ");
        key.bind(&mut query);
        let found = query.build().fetch_optional(pool).await?;
        found.map(|_| ()).ok_or(ReadError::UnknownCursor)
    }

    /// Only what comes after (or before) the row with this key.
    fn begin_at(&self, query: &mut QueryBuilder, key: impl Key, backwards: bool) {
        let comparison = if self.descending == backwards { ") > (" } else { ") < (" };
        query.push(" AND (");
        self.columns(query, self.table, "");
        query.push(comparison).push("SELECT ");
        self.columns(query, self.table, "");
        query.push(" FROM ").push(self.table).push(" WHERE ").push(self.key).push(" = ");
        key.bind(query);
        query.push(")");
    }

    /// The columns that the list is ordered by: of a table, or of what has no name.
    fn columns(&self, query: &mut QueryBuilder, table: &str, suffix: &str) {
        for (index, column) in self.order.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let dot = if table.is_empty() { "" } else { "." };
            query.push(comma).push(table).push(dot).push(column).push(suffix);
        }
    }
}

const fn is_backwards<K>(request: &PageRequest<K>) -> bool {
    matches!(request.start, PageStart::Before(_))
}

/// The page, of its rows and perhaps one more.
fn found<K, T>(
    rows: &[Row],
    request: &PageRequest<K>,
    read: impl Fn(&Row) -> Result<T, sqlx::Error>,
) -> Result<Page<T>, ReadError> {
    let limit = usize::try_from(request.limit.value()).unwrap_or(usize::MAX);
    let mut items = rows.iter().take(limit).map(read).collect::<Result<Vec<T>, _>>()?;
    if is_backwards(request) {
        items.reverse();
    }
    Ok(Page { items, has_more: rows.len() > limit })
}

/// What names a row.
pub(super) trait Key: Copy + Send {
    /// Adds it to a query.
    fn bind(self, query: &mut QueryBuilder);
}

impl<T: Column + Copy + Send> Key for T {
    fn bind(self, query: &mut QueryBuilder) {
        query.push_bind(Col(self));
    }
}
