//! What things are called, for texts about them.

use ledger::{ListingId, PollId, Question, Title, TokenId, TradeId};

use super::{Found, ReadModel};
use crate::sql::{
    Col,
    either::{self, QueryBuilder},
};

impl ReadModel {
    /// What a listing is called, in one of its versions or in the last one.
    ///
    /// # Errors
    /// [`ReadError`](super::ReadError).
    pub async fn listing_title(&self, id: &ListingId, version: Option<u32>) -> Found<Title> {
        let mut sql = QueryBuilder::new("SELECT title FROM listing_versions WHERE listing = ");
        sql.push_bind(Col(*id));
        if let Some(version) = version {
            sql.push(" AND version = ").push_bind(Col(version));
        }
        sql.push(" ORDER BY version DESC LIMIT 1");
        let row = sql.build().fetch_optional(self.readers()).await?;
        Ok(row.map(|row| row.col("title")).transpose()?)
    }

    /// What is bought in a trade.
    ///
    /// # Errors
    /// [`ReadError`](super::ReadError).
    pub async fn trade_title(&self, id: &TradeId) -> Found<Title> {
        let sql = "SELECT listing_versions.title FROM trades \
                   JOIN listing_versions ON listing_versions.listing = trades.listing \
                   AND listing_versions.version = trades.version WHERE trades.id = $1";
        let row = either::query(sql).bind(Col(*id)).fetch_optional(self.readers()).await?;
        Ok(row.map(|row| row.col("title")).transpose()?)
    }

    /// What a poll asks.
    ///
    /// # Errors
    /// [`ReadError`](super::ReadError).
    pub async fn poll_question(&self, id: &PollId) -> Found<Question> {
        let sql = "SELECT question FROM polls WHERE id = $1";
        let row = either::query(sql).bind(Col(*id)).fetch_optional(self.readers()).await?;
        Ok(row.map(|row| row.col("question")).transpose()?)
    }

    /// How many digits of an amount of a token are behind the point.
    ///
    /// # Errors
    /// [`ReadError`](super::ReadError).
    pub async fn token_decimals(&self, symbol: TokenId) -> Found<u8> {
        let sql = "SELECT decimals FROM tokens WHERE symbol = $1";
        let row = either::query(sql).bind(Col(symbol)).fetch_optional(self.readers()).await?;
        Ok(row.map(|row| row.col("decimals")).transpose()?)
    }
}
