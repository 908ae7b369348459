//! Polls and what they have come to.

use std::collections::BTreeMap;

use ledger::{PollClosing, PollId, PollOption, Question, UnixMillis};

use super::list::List;
use super::page::{Page, PageRequest};
use super::query::PollQuery;
use super::records::PollRecord;
use super::{Found, Listed, ReadError, ReadModel};
use crate::sql::{
    Col,
    either::{self, QueryBuilder, Row},
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

/// What a poll is found by. Databases make small letters of Latin ones only.
pub(crate) fn search_text(question: &Question) -> String {
    question.as_str().to_lowercase()
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

    /// Fills in what polls are found by, if a version that did not has written them.
    pub(super) async fn fill_search_texts(&self) -> Result<(), ReadError> {
        let sql = "SELECT id, question FROM polls WHERE search_text = ''";
        let rows = either::query(sql).fetch_all(self.readers()).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut to = self.begin_write().await?;
        for row in &rows {
            let (id, question): (PollId, Question) = (row.col("id")?, row.col("question")?);
            let query = either::query("UPDATE polls SET search_text = $1 WHERE id = $2");
            query.bind(search_text(&question)).bind(Col(id)).execute(&mut to).await?;
        }
        Ok(to.commit().await?)
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

#[cfg(test)]
mod tests {
    use pbft_crypto::{Address, Digest};

    use super::*;
    use crate::read_model::Hit;

    #[tokio::test]
    async fn polls_of_an_earlier_version_are_found_whatever_their_case() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.db");
        let model = ReadModel::open(&file).await.unwrap();
        let id = PollId::from(ledger::TxId::new(Digest::from_bytes([7; 32])));
        let question = Question::new("ÄPFEL oder Öl?").unwrap();
        let sql = "INSERT INTO polls (id, position, creator, question, changeable, opens_at, closes_at, ends_at, unrevealed, \
                   created_at) VALUES ($1, 1, $2, $3, $4, 1, 2, 2, 0, 1)";
        let mut to = model.begin_write().await.unwrap();
        let query = either::query(sql).bind(Col(id)).bind(Col(Address::from_bytes([4; 32])));
        query.bind(Col(question.clone())).bind(false).execute(&mut to).await.unwrap();
        to.commit().await.unwrap();
        assert_eq!(model.search("äpfel").await.unwrap(), []);
        model.close().await;

        let model = ReadModel::open(&file).await.unwrap();
        for text in ["äpfel", "ÄPFEL öL"] {
            assert_eq!(
                model.search(text).await.unwrap(),
                [Hit::Poll { id, question: question.clone() }],
                "{text}"
            );
        }
    }
}
