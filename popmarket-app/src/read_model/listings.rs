//! Listings: search, filters, versions.

use ledger::{ListingContent, ListingId, ListingStatus};

use super::list::List;
use super::page::PageRequest;
use super::query::{ListingQuery, ListingSort};
use super::records::{ListingRecord, ListingVersion};
use super::{Found, Listed, ReadError, ReadModel};
use crate::sql::{
    Col,
    either::{self, QueryBuilder, Row},
};

/// How many words of a search count.
const MAX_WORDS: usize = 8;

const NEWEST: List = List {
    select: "SELECT listings.id, listings.seller, listings.status, listings.trade, listings.version, \
             listings.created_at, listings.updated_at, listing_versions.title, listing_versions.description, \
             listing_versions.price, listing_versions.photos, listing_versions.content_hash, \
             accounts.name AS seller_name FROM listings \
             JOIN listing_versions ON listing_versions.listing = listings.id \
             AND listing_versions.version = listings.version \
             JOIN accounts ON accounts.address = listings.seller WHERE 1 = 1",
    table: "listings",
    key: "id",
    order: &["position"],
    descending: true,
};

const CHEAPEST: List = List { order: &["price", "position"], descending: false, ..NEWEST };
const DEAREST: List = List { order: &["price", "position"], descending: true, ..NEWEST };

fn content(row: &Row) -> Result<ListingContent, sqlx::Error> {
    Ok(ListingContent {
        title: row.col("title")?,
        description: row.col("description")?,
        price: row.col("price")?,
        photos: row.col("photos")?,
    })
}

fn listing(row: &Row) -> Result<ListingRecord, sqlx::Error> {
    let phase: String = row.get("status")?;
    let status = match phase.as_str() {
        "OPEN" => ListingStatus::Open,
        "RESERVED" => ListingStatus::Reserved { trade: row.col("trade")? },
        "SOLD" => ListingStatus::Sold { trade: row.col("trade")? },
        _ => ListingStatus::Closed,
    };
    Ok(ListingRecord {
        id: row.col("id")?,
        seller: row.col("seller")?,
        seller_name: row.col("seller_name")?,
        status,
        version: row.col("version")?,
        content: content(row)?,
        content_hash: row.col("content_hash")?,
        created_at: row.col("created_at")?,
        updated_at: row.col("updated_at")?,
    })
}

fn version(row: &Row) -> Result<ListingVersion, sqlx::Error> {
    Ok(ListingVersion {
        version: row.col("version")?,
        content: content(row)?,
        content_hash: row.col("content_hash")?,
        at: row.col("at")?,
    })
}

/// What a listing is found by.
pub(crate) fn search_text(content: &ListingContent) -> String {
    format!("{}\n{}", content.title, content.description).to_lowercase()
}

/// The words of a search that count. No text on the ledger has control characters, and PostgreSQL takes none that is zero.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_between = |c: char| c.is_whitespace() || c.is_control();
    text.split(is_between).filter(|word| !word.is_empty()).take(MAX_WORDS)
}

/// A pattern for texts with a word in them, whatever characters are in it.
pub(super) fn pattern(word: &str) -> String {
    let mut pattern = String::from("%");
    for character in word.to_lowercase().chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

fn filter(query: &ListingQuery, sql: &mut QueryBuilder) {
    for word in words(query.text.as_deref().unwrap_or_default()) {
        sql.push(" AND listings.search_text LIKE ").push_bind(pattern(word)).push(" ESCAPE '\\'");
    }
    if let Some(status) = query.status {
        sql.push(" AND listings.status = ").push_bind(status.code());
    }
    if let Some(seller) = query.seller {
        sql.push(" AND listings.seller = ").push_bind(Col(seller));
    }
    if let Some(price) = query.min_price {
        sql.push(" AND listings.price >= ").push_bind(Col(price));
    }
    if let Some(price) = query.max_price {
        sql.push(" AND listings.price <= ").push_bind(Col(price));
    }
}

impl ReadModel {
    /// A listing in its last version.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn listing(&self, id: &ListingId) -> Found<ListingRecord> {
        let mut sql = QueryBuilder::new(NEWEST.select);
        sql.push(" AND listings.id = ").push_bind(Col(*id));
        let row = sql.build().fetch_optional(self.readers()).await?;
        Ok(row.as_ref().map(listing).transpose()?)
    }

    /// All versions of a listing, the oldest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn listing_versions(&self, id: &ListingId) -> Result<Vec<ListingVersion>, ReadError> {
        let sql = "SELECT * FROM listing_versions WHERE listing = $1 ORDER BY version";
        let rows = either::query(sql).bind(Col(*id)).fetch_all(self.readers()).await?;
        Ok(rows.iter().map(version).collect::<Result<_, _>>()?)
    }

    /// Listings, in the order that the query names.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn listings(
        &self,
        query: &ListingQuery,
        page: PageRequest<ListingId>,
    ) -> Listed<ListingRecord> {
        let list = match query.sort {
            ListingSort::Newest => NEWEST,
            ListingSort::PriceAscending => CHEAPEST,
            ListingSort::PriceDescending => DEAREST,
        };
        list.page(self.readers(), page, |sql| filter(query, sql), listing).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_their_words() {
        assert_eq!(pattern("50%_off\\"), "%50\\%\\_off\\\\%");
        assert_eq!(pattern("카메라"), "%카메라%");
        assert_eq!(pattern("ÄPFEL"), "%äpfel%");
    }
}
