//! Reviews, and what members have behind them.

use ledger::{End, Record, ReviewSide, TradeState};
use pbft_crypto::Address;

use super::list::List;
use super::page::{PageRequest, Position};
use super::records::ReviewRecord;
use super::{Listed, ReadError, ReadModel};
use crate::sql::{
    Col,
    either::{self, QueryBuilder, Row},
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
    /// [`ReadError`].
    pub async fn reviews_of(&self, subject: Address, page: PageRequest<Position>) -> Listed<ReviewRecord> {
        let filter = |sql: &mut QueryBuilder| {
            sql.push(" AND reviews.subject = ").push_bind(Col(subject));
        };
        REVIEWS.page(self.readers(), page, filter, review).await
    }

    /// What a member has behind them, counted from all trades and reviews.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn record(&self, who: &Address) -> Result<Record, ReadError> {
        let mut record = Record::default();
        let sql = "SELECT buyer = $1 AS bought, state, disputed, COUNT(*) AS count FROM trades \
                   WHERE buyer = $1 OR seller = $1 GROUP BY bought, state, disputed";
        for row in either::query(sql).bind(Col(*who)).fetch_all(self.readers()).await? {
            let (state, count): (TradeState, u64) = (row.col("state")?, row.col("count")?);
            let bought: bool = row.get("bought")?;
            let tally = if bought { &mut record.as_buyer } else { &mut record.as_seller };
            match End::of(state) {
                Some(End::Completed) => tally.completed += count,
                Some(End::Cancelled) => tally.cancelled += count,
                None => {}
            }
            if row.get("disputed")? {
                tally.disputed += count;
            }
        }
        let sql = "SELECT side, COUNT(*) AS count, CAST(SUM(rating) AS BIGINT) AS stars FROM reviews WHERE subject = $1 GROUP BY side";
        for row in either::query(sql).bind(Col(*who)).fetch_all(self.readers()).await? {
            let side: String = row.get("side")?;
            let is_buyers = side == side_code(ReviewSide::ByBuyer);
            let tally = if is_buyers { &mut record.as_seller } else { &mut record.as_buyer };
            (tally.reviews, tally.stars) = (row.col("count")?, row.col("stars")?);
        }
        Ok(record)
    }
}
