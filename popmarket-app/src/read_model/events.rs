//! What happened: lists of it, and a stream that misses nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use ledger::Height;
use tokio::sync::broadcast::{self, error::RecvError};

use super::list::List;
use super::page::{PageRequest, Position};
use super::records::EventRecord;
use super::{Found, Listed, ReadError, ReadModel};
use crate::sql::{
    Col,
    either::{self, Row},
};

/// How many events a stream reads at a time to catch up.
const CHUNK: u32 = 256;

const EVENTS: List = List {
    select: "SELECT position, at, body FROM events WHERE 1 = 1",
    table: "events",
    key: "position",
    order: &["position"],
    descending: false,
};

pub(super) fn event(row: &Row) -> Result<EventRecord, sqlx::Error> {
    let body: String = row.get("body")?;
    Ok(EventRecord {
        position: row.col("position")?,
        at: row.col("at")?,
        event: serde_json::from_str(&body).map_err(|e| sqlx::Error::Decode(e.into()))?,
    })
}

impl ReadModel {
    /// What happened, the oldest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn events(&self, page: PageRequest<Position>) -> Listed<EventRecord> {
        EVENTS.page(self.readers(), page, |_| {}, event).await
    }

    /// What happened at one place.
    pub(crate) async fn event(&self, at: Position) -> Found<EventRecord> {
        let sql = "SELECT position, at, body FROM events WHERE position = $1";
        let row = either::query(sql).bind(Col(at)).fetch_optional(self.readers()).await?;
        Ok(row.as_ref().map(event).transpose()?)
    }

    /// Some of what happened after a place, the oldest first.
    pub(crate) async fn events_after(&self, number: i64) -> Result<Vec<EventRecord>, ReadError> {
        let sql = "SELECT position, at, body FROM events WHERE position > $1 ORDER BY position LIMIT $2";
        let rows = either::query(sql).bind(number).bind(i64::from(CHUNK)).fetch_all(self.readers()).await?;
        Ok(rows.iter().map(event).collect::<Result<_, _>>()?)
    }

    /// The same for whoever looks through many events for a few: only some do so at a time, and in turns, so that none is in
    /// the way of those who look up one thing.
    pub(crate) async fn scan_events(&self, after: i64) -> Result<Vec<EventRecord>, ReadError> {
        let _turn = self.shared.scans.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        self.events_after(after).await
    }

    /// All that happens from now on, or after a position (`Last-Event-ID`).
    pub fn subscribe(&self, after: Option<Position>) -> EventStream {
        let live = self.published();
        let end = || self.watermark().and_then(|mark| Position::new(mark.height.next(), 0));
        let after = match after {
            Some(position) => position.to_number(),
            None => end().map_or(-1, |position| position.to_number() - 1),
        };
        EventStream { model: self.clone(), live, after, ready: VecDeque::new(), seen: None, is_live: false }
    }
}

/// Some blocks that are in the read model now.
pub(crate) struct Published {
    /// The last block that was in it before.
    pub(crate) after: Option<Height>,
    /// The last block that is in it now.
    pub(crate) up_to: Height,
    /// What happened in those between, in order.
    pub(crate) events: Vec<Arc<EventRecord>>,
}

/// Everything that happens, each thing once and in order. Whoever is too slow for the live events, or comes late, reads
/// from the tables until it has caught up.
pub struct EventStream {
    model: ReadModel,
    live: broadcast::Receiver<Arc<Published>>,
    /// The position up to which everything was read, as a number.
    after: i64,
    /// Read, and not handed out yet.
    ready: VecDeque<Arc<EventRecord>>,
    /// The block up to which everything was read.
    seen: Option<Height>,
    /// Whether nothing is missing between what was read and what comes live.
    is_live: bool,
}

impl EventStream {
    /// The next event. Waits for it if need be; can be cancelled without losing one.
    ///
    /// # Errors
    /// [`ReadError`]. The next call tries again.
    pub async fn next(&mut self) -> Result<Arc<EventRecord>, ReadError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            if self.is_live {
                self.follow().await;
            } else {
                self.catch_up().await?;
            }
        }
    }

    /// What is committed after the look at the tables comes live, as the subscription is older than the look.
    async fn catch_up(&mut self) -> Result<(), ReadError> {
        let projected = self.model.projection().await?.map(|projection| projection.height);
        let events = self.model.scan_events(self.after).await?;
        if events.is_empty() {
            self.seen = projected;
            self.is_live = true;
        }
        self.take(events.into_iter().map(Arc::new));
        Ok(())
    }

    async fn follow(&mut self) {
        match self.live.recv().await {
            Ok(published) if published.after <= self.seen => {
                self.seen = self.seen.max(Some(published.up_to));
                self.take(published.events.iter().cloned());
            }
            // Something was not published, or was published and is gone.
            Ok(_) | Err(RecvError::Lagged(_) | RecvError::Closed) => self.is_live = false,
        }
    }

    fn take(&mut self, events: impl Iterator<Item = Arc<EventRecord>>) {
        for event in events {
            let number = event.position.to_number();
            if number > self.after {
                self.after = number;
                self.ready.push_back(event);
            }
        }
    }
}
