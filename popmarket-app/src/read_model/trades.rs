//! Trades and their history.

use ledger::{EventKind, MAX_EVIDENCE, MAX_GIVE_BACKS, MAX_HANDOVERS, MAX_OFFERS, Photos, TradeId};

use super::list::List;
use super::page::PageRequest;
use super::query::{TradeQuery, TradeSide};
use super::records::{EventRecord, TradeRecord, TradeStep};
use super::{Found, Listed, ReadError, ReadModel, events};
use crate::sql::{
    Col,
    either::{self, QueryBuilder, Row},
};

/// More than can happen to a trade: what can be done again and again is counted by the ledger, and the rest is some steps
/// of two disputes.
const LONGEST_HISTORY: i64 = 512;
const _: () = {
    let talks = 2 * MAX_OFFERS as i64 + MAX_HANDOVERS as i64 + MAX_GIVE_BACKS as i64;
    assert!(talks + 2 * 3 * MAX_EVIDENCE as i64 + 64 < LONGEST_HISTORY);
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
        closed_at: row.optional("closed_at")?,
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
        let is = match query.side {
            TradeSide::Buyer => Some(" AND trades.buyer = "),
            TradeSide::Seller => Some(" AND trades.seller = "),
            TradeSide::Arbiter => Some(" AND trades.arbiter = "),
            // They are looked for one after the other: see below.
            TradeSide::Any => None,
        };
        if let Some(is) = is {
            sql.push(is).push_bind(Col(member));
        }
    }
    if let Some(state) = query.state {
        sql.push(" AND trades.state = ").push_bind(Col(state));
    }
    if let Some(listing) = query.listing {
        sql.push(" AND trades.listing = ").push_bind(Col(listing));
    }
    if query.only_closed {
        sql.push(" AND trades.closed_at IS NOT NULL");
    }
}

/// Finds trades.
pub(super) fn statement(query: TradeQuery, page: PageRequest<TradeId>) -> QueryBuilder {
    let Some((member, TradeSide::Any)) = query.member.map(|member| (member, query.side)) else {
        return TRADES.statement(page, |sql| filter(query, sql));
    };
    let bought = |sql: &mut QueryBuilder| filter(TradeQuery { side: TradeSide::Buyer, ..query }, sql);
    let sold = |sql: &mut QueryBuilder| {
        filter(TradeQuery { side: TradeSide::Seller, ..query }, sql);
        sql.push(" AND trades.buyer <> ").push_bind(Col(member));
    };
    TRADES.statement_of_either(page, bought, sold)
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
                   WHERE trade_steps.trade = $1 ORDER BY trade_steps.position LIMIT $2";
        let query = either::query(sql).bind(Col(*id)).bind(LONGEST_HISTORY);
        let rows = query.fetch_all(self.readers()).await?;
        Ok(rows.iter().map(step).collect::<Result<_, _>>()?)
    }

    /// Trades, the newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn trades(&self, query: TradeQuery, page: PageRequest<TradeId>) -> Listed<TradeRecord> {
        TRADES.fetch(self.readers(), page, statement(query, page), trade).await
    }
}
