//! Trades and their history.

use ledger::{EventKind, Photos, TradeId, TradeState, UnixMillis};

use super::list::List;
use super::page::PageRequest;
use super::query::{TradeQuery, TradeSide};
use super::records::{EventRecord, TradeRecord, TradeStep};
use super::{Found, Listed, ReadError, ReadModel, events};
use crate::sql::{
    Col,
    either::{self, QueryBuilder, Row},
};

const TRADES: List = List {
    select: "SELECT trades.*, listing_versions.title, listing_versions.photos, buyers.name AS buyer_name, \
             sellers.name AS seller_name FROM trades \
             JOIN listing_versions ON listing_versions.listing = trades.listing \
             AND listing_versions.version = trades.version \
             JOIN accounts AS buyers ON buyers.address = trades.buyer \
             JOIN accounts AS sellers ON sellers.address = trades.seller WHERE 1 = 1",
    table: "trades",
    key: "id",
    order: &["position"],
    descending: true,
};

fn trade(row: &Row) -> Result<TradeRecord, sqlx::Error> {
    let photos: Photos = row.col("photos")?;
    Ok(TradeRecord {
        id: row.col("id")?,
        listing: row.col("listing")?,
        version: row.col("version")?,
        content_hash: row.col("content_hash")?,
        title: row.col("title")?,
        photo: photos.as_slice().first().copied(),
        buyer: row.col("buyer")?,
        buyer_name: row.col("buyer_name")?,
        seller: row.col("seller")?,
        seller_name: row.col("seller_name")?,
        state: row.col("state")?,
        tracking: row.optional("tracking")?,
        return_tracking: row.optional("return_tracking")?,
        row: row.col("body")?,
    })
}

fn step(row: &Row) -> Result<TradeStep, sqlx::Error> {
    let EventRecord { position, at, event } = events::event(row)?;
    let EventKind::Trade(trade) = event.kind else {
        return Err(sqlx::Error::Decode("the step of a trade is no event of a trade".into()));
    };
    Ok(TradeStep {
        position,
        at,
        cause: event.cause,
        from: trade.from,
        to: trade.to,
        by: trade.by,
        change: trade.change,
        deadline: trade.deadline,
    })
}

fn filter(query: TradeQuery, sql: &mut QueryBuilder) {
    if let Some(member) = query.member {
        match query.side {
            TradeSide::Buyer => sql.push(" AND trades.buyer = ").push_bind(Col(member)),
            TradeSide::Seller => sql.push(" AND trades.seller = ").push_bind(Col(member)),
            TradeSide::Arbiter => sql.push(" AND trades.arbiter = ").push_bind(Col(member)),
            TradeSide::Any => {
                sql.push(" AND (trades.buyer = ").push_bind(Col(member));
                sql.push(" OR trades.seller = ").push_bind(Col(member)).push(")")
            }
        };
    }
    if let Some(state) = query.state {
        sql.push(" AND trades.state = ").push_bind(Col(state));
    }
    if let Some(listing) = query.listing {
        sql.push(" AND trades.listing = ").push_bind(Col(listing));
    }
    if query.only_closed {
        let closed = TradeState::ALL.into_iter().filter(|state| state.is_final());
        for (state, before) in
            closed.zip([" AND trades.state IN ("].into_iter().chain(std::iter::repeat(", ")))
        {
            sql.push(before).push_bind(Col(state));
        }
        sql.push(")");
    }
}

impl ReadModel {
    /// A trade.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn trade(&self, id: &TradeId) -> Found<TradeRecord> {
        let mut sql = QueryBuilder::new(TRADES.select);
        sql.push(" AND trades.id = ").push_bind(Col(*id));
        let row = sql.build().fetch_optional(self.readers()).await?;
        Ok(row.as_ref().map(trade).transpose()?)
    }

    /// All that happened to a trade, the oldest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn trade_history(&self, id: &TradeId) -> Result<Vec<TradeStep>, ReadError> {
        let sql = "SELECT events.* FROM trade_steps JOIN events ON events.position = trade_steps.position \
                   WHERE trade_steps.trade = $1 ORDER BY events.position";
        let rows = either::query(sql).bind(Col(*id)).fetch_all(self.readers()).await?;
        Ok(rows.iter().map(step).collect::<Result<_, _>>()?)
    }

    /// When a trade came to its end; for one that goes on, when something happened to it last.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn closed_at(&self, trade: &TradeRecord) -> Result<UnixMillis, ReadError> {
        // Nothing happens after the end, unless the seller gives something back.
        if trade.row.given_back.is_zero() {
            return Ok(trade.row.updated_at);
        }
        let history = self.trade_history(&trade.id).await?;
        let end = history.iter().find(|step| step.to.is_final());
        Ok(end.map_or(trade.row.updated_at, |step| step.at))
    }

    /// Trades, the newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn trades(&self, query: TradeQuery, page: PageRequest<TradeId>) -> Listed<TradeRecord> {
        TRADES.page(self.readers(), page, |sql| filter(query, sql), trade).await
    }
}
