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
        let backwards = matches!(request.start, PageStart::Before(_));
        let mut query = QueryBuilder::new(self.select);
        filter(&mut query);
        if let PageStart::After(key) | PageStart::Before(key) = request.start {
            self.check_exists(pool, key).await?;
            self.begin_at(&mut query, key, backwards);
        }
        let limit = i64::from(request.limit.value());
        self.order(&mut query, backwards);
        query.push(" LIMIT ").push_bind(limit + 1);
        let rows = query.build().fetch_all(pool).await?;
        let has_more = rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        let rows = rows.iter().take(usize::try_from(limit).unwrap_or(usize::MAX));
        let mut items = rows.map(read).collect::<Result<Vec<T>, _>>()?;
        if backwards {
            items.reverse();
        }
        Ok(Page { items, has_more })
    }

    async fn check_exists(&self, pool: &Pool, key: impl Key) -> Result<(), ReadError> {
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
        self.columns(query, "");
        query.push(comparison).push("SELECT ");
        self.columns(query, "");
        query.push(" FROM ").push(self.table).push(" WHERE ").push(self.key).push(" = ");
        key.bind(query);
        query.push(")");
    }

    fn order(&self, query: &mut QueryBuilder, backwards: bool) {
        query.push(" ORDER BY ");
        self.columns(query, if self.descending == backwards { " ASC" } else { " DESC" });
    }

    fn columns(&self, query: &mut QueryBuilder, suffix: &str) {
        for (index, column) in self.order.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            query.push(comma).push(self.table).push(".").push(column).push(suffix);
        }
    }
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
