//! Polls and what they have come to.

use std::collections::BTreeMap;

use ledger::{PollClosing, PollId, PollOption, UnixMillis};

use super::list::List;
use super::page::{Page, PageRequest};
use super::query::PollQuery;
use super::records::PollRecord;
use super::{Found, Listed, ReadError, ReadModel};
use crate::sql::{
    Col,
    either::{QueryBuilder, Row},
};

const POLLS: List = List {
    select: "SELECT polls.*, accounts.name AS creator_name FROM polls \
             JOIN accounts ON accounts.address = polls.creator WHERE 1 = 1",
    table: "polls",
    key: "id",
    order: &["position"],
    descending: true,
};

/// Without its options.
fn poll(row: &Row) -> Result<PollRecord, sqlx::Error> {
    let closed_at: Option<UnixMillis> = row.optional("closed_at")?;
    let height = row.optional("closed_height")?;
    Ok(PollRecord {
        id: row.col("id")?,
        creator: row.col("creator")?,
        creator_name: row.col("creator_name")?,
        question: row.col("question")?,
        options: Vec::new(),
        reveal_by: row.optional("reveal_by")?,
        changeable: row.get("changeable")?,
        listed: row.optional("listed")?,
        opens_at: row.col("opens_at")?,
        closes_at: row.col("closes_at")?,
        unrevealed: row.col("unrevealed")?,
        created_at: row.col("created_at")?,
        closed: height.zip(closed_at).map(|(height, at)| PollClosing { height, at }),
    })
}

fn filter(query: PollQuery, sql: &mut QueryBuilder) {
    if let Some(creator) = query.creator {
        sql.push(" AND polls.creator = ").push_bind(Col(creator));
    }
    match query.running_at {
        Some((true, now)) => {
            sql.push(" AND polls.closed_at IS NULL AND polls.ends_at > ").push_bind(Col(now));
        }
        Some((false, now)) => {
            sql.push(" AND (polls.closed_at IS NOT NULL OR polls.ends_at <= ").push_bind(Col(now)).push(")");
        }
        None => {}
    }
}

impl ReadModel {
    /// A poll.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn poll(&self, id: &PollId) -> Found<PollRecord> {
        let mut sql = QueryBuilder::new(POLLS.select);
        sql.push(" AND polls.id = ").push_bind(Col(*id));
        let row = sql.build().fetch_optional(self.readers()).await?;
        let Some(record) = row.as_ref().map(poll).transpose()? else { return Ok(None) };
        Ok(self.with_options(vec![record]).await?.pop())
    }

    /// Polls, the newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn polls(&self, query: PollQuery, page: PageRequest<PollId>) -> Listed<PollRecord> {
        let page = POLLS.page(self.readers(), page, |sql| filter(query, sql), poll).await?;
        Ok(Page { items: self.with_options(page.items).await?, has_more: page.has_more })
    }

    async fn with_options(&self, mut polls: Vec<PollRecord>) -> Result<Vec<PollRecord>, ReadError> {
        if polls.is_empty() {
            return Ok(polls);
        }
        let mut sql = QueryBuilder::new("SELECT poll, text, votes FROM poll_options WHERE poll IN (");
        for (index, poll) in polls.iter().enumerate() {
            sql.push(if index == 0 { "" } else { ", " }).push_bind(Col(poll.id));
        }
        sql.push(") ORDER BY poll, choice");
        let rows = sql.build().fetch_all(self.readers()).await?;
        let mut options: BTreeMap<PollId, Vec<(PollOption, u64)>> = BTreeMap::new();
        for row in &rows {
            options.entry(row.col("poll")?).or_default().push((row.col("text")?, row.col("votes")?));
        }
        for poll in &mut polls {
            poll.options = options.remove(&poll.id).unwrap_or_default();
        }
        Ok(polls)
    }
}
