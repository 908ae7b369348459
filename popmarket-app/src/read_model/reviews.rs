//! Reviews, and what members have behind them.

use ledger::ReviewSide;
use pbft_crypto::Address;

use super::list::List;
use super::page::{PageRequest, Position};
use super::records::ReviewRecord;
use super::{Listed, ReadModel};
use crate::sql::{
    Col,
    either::{QueryBuilder, Row},
};

const REVIEWS: List = List {
    select: "SELECT reviews.*, accounts.name AS author_name, listing_versions.title FROM reviews \
             JOIN accounts ON accounts.address = reviews.author \
             JOIN trades ON trades.id = reviews.trade \
             JOIN listing_versions ON listing_versions.listing = trades.listing \
             AND listing_versions.version = trades.version WHERE 1 = 1",
    table: "reviews",
    key: "position",
    order: &["position"],
    descending: true,
};

/// A name that never changes.
pub(crate) const fn side_code(side: ReviewSide) -> &'static str {
    match side {
        ReviewSide::ByBuyer => "BUYER",
        ReviewSide::BySeller => "SELLER",
    }
}

fn review(row: &Row) -> Result<ReviewRecord, sqlx::Error> {
    let side: String = row.get("side")?;
    let is_buyers = side == side_code(ReviewSide::ByBuyer);
    Ok(ReviewRecord {
        position: row.col("position")?,
        trade: row.col("trade")?,
        side: if is_buyers { ReviewSide::ByBuyer } else { ReviewSide::BySeller },
        author: row.col("author")?,
        author_name: row.col("author_name")?,
        subject: row.col("subject")?,
        rating: row.col("rating")?,
        text: row.col("text")?,
        title: row.col("title")?,
        at: row.col("at")?,
    })
}

impl ReadModel {
    /// Reviews about an account, the newest first.
    ///
    /// # Errors
    /// [`ReadError`](super::ReadError).
    pub async fn reviews_of(&self, subject: Address, page: PageRequest<Position>) -> Listed<ReviewRecord> {
        let filter = |sql: &mut QueryBuilder| {
            sql.push(" AND reviews.subject = ").push_bind(Col(subject));
        };
        REVIEWS.page(self.readers(), page, filter, review).await
    }
}
