//! What the blocks say, as SQL: for lists, searches and pages. It can be dropped and rebuilt from the blocks, and only
//! the [projector](crate::projector) writes to it.

mod accounts;
mod audience;
mod blocks;
mod concerned;
mod contents;
mod error;
mod events;
mod exchange;
mod freezes;
mod list;
mod listings;
mod names;
mod page;
mod polls;
mod projection;
mod query;
mod records;
mod reviews;
mod search;
mod tokens;
mod trades;
mod withdrawals;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ledger::Height;
use tokio::sync::{Semaphore, broadcast, watch};

pub(crate) use audience::note_guardians;
pub(crate) use blocks::sender_ref;
pub(crate) use concerned::concerned;
pub use contents::{CONTENTS, Contents, Difference};
pub use error::ReadError;
pub use events::EventStream;
pub(crate) use events::Published;
pub use exchange::{CANDLE_SPANS, Candle, FillRecord, MarketRecord, OrderQuery, OrderRecord, Volume};
pub(crate) use freezes::note_freeze;
pub use freezes::{FreezeRecord, Lifting};
pub(crate) use listings::search_text;
pub use page::{NotAPosition, Page, PageLimit, PageRequest, PageStart, Position};
pub(crate) use polls::search_text as poll_search_text;
pub(crate) use projection::Projection;
pub use query::{
    ChargePhase, ChargeQuery, ListingPhase, ListingQuery, ListingSort, PaymentPhase, PaymentQuery,
    PaymentSide, PollQuery, TradeQuery, TradeSide, TransactionQuery, WithdrawalPhase, WithdrawalQuery,
};
pub use records::{
    AccountRecord, BalanceRecord, Balances, BlockRecord, ChargeRecord, EventRecord, ListingRecord,
    ListingVersion, PaymentRecord, PollRecord, ReviewRecord, TradeRecord, TradeStep, TransactionRecord,
    Watermark, WithdrawalRecord,
};
pub(crate) use reviews::side_code;
pub use search::Hit;
pub use tokens::{HolderRecord, TokenRecord};

use crate::sql::{DatabasePlace, Step, Tables, either::Pool};

const STEPS: &[Step] = &[
    (1, "initial", include_str!("../migrations/read_model/0001_initial.sql")),
    (16, "reviews", include_str!("../migrations/read_model/0016_reviews.sql")),
    (32, "exchange", include_str!("../migrations/read_model/0032_exchange.sql")),
    (48, "rebuild", include_str!("../migrations/read_model/0048_rebuild.sql")),
    (64, "explorer", include_str!("../migrations/read_model/0064_explorer.sql")),
    (80, "audience", include_str!("../migrations/read_model/0080_audience.sql")),
    (96, "poll_search", include_str!("../migrations/read_model/0096_poll_search.sql")),
    (112, "findable", include_str!("../migrations/read_model/0112_findable.sql")),
    (128, "bounded", include_str!("../migrations/read_model/0128_bounded.sql")),
];

/// How many publications a slow stream may be behind before it reads from the tables again.
const LIVE: usize = 1_024;
/// How many look through events at a time. With heavy requests that are fewer than there are readers.
pub(crate) const SCANS: usize = 2;

type Found<T> = Result<Option<T>, ReadError>;
type Listed<T> = Result<Page<T>, ReadError>;

/// The read model. Clones share it.
#[derive(Clone)]
pub struct ReadModel {
    shared: Arc<Shared>,
}

struct Shared {
    tables: Tables,
    watermark: watch::Sender<Option<Watermark>>,
    live: broadcast::Sender<Arc<Published>>,
    /// Turns of those who look through events.
    scans: Semaphore,
}

impl ReadModel {
    /// Opens a file of SQLite, or begins it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn open(file: &Path) -> Result<Self, ReadError> {
        Self::open_at(&DatabasePlace::Sqlite(file.into())).await
    }

    /// Opens it where it is, or begins it.
    ///
    /// # Errors
    /// [`ReadError`], also if another process writes to it.
    pub async fn open_at(place: &DatabasePlace) -> Result<Self, ReadError> {
        Self::of(Tables::open(place, STEPS).await?).await
    }

    /// Throws away what is there, whatever it is, and begins anew. What was not rebuilt to its end is marked.
    ///
    /// # Errors
    /// [`ReadError`], also if another process writes to it.
    pub(crate) async fn begin_anew(place: &DatabasePlace) -> Result<Self, ReadError> {
        let tables: Vec<_> = contents::names().chain(["rebuild"]).collect();
        let model = Self::of(Tables::begin_anew(place, STEPS, &tables).await?).await?;
        model.set_being_rebuilt(true).await?;
        Ok(model)
    }

    async fn of(tables: Tables) -> Result<Self, ReadError> {
        let (watermark, live) = (watch::Sender::new(None), broadcast::Sender::new(LIVE));
        let shared = Shared { tables, watermark, live, scans: Semaphore::new(SCANS) };
        let model = Self { shared: Arc::new(shared) };
        model.note_older_guardians().await?;
        model.fill_search_texts().await?;
        model.note_older_freezes().await?;
        let projection = model.projection().await?;
        model.shared.watermark.send_replace(projection.map(|projection| projection.watermark()));
        Ok(model)
    }

    /// How far it is. `None`: nothing is in it yet.
    pub fn watermark(&self) -> Option<Watermark> {
        *self.shared.watermark.borrow()
    }

    /// How far it is; changes with each block.
    pub fn watermarks(&self) -> watch::Receiver<Option<Watermark>> {
        self.shared.watermark.subscribe()
    }

    /// Waits until the block at this height is in it. `None` if that takes too long.
    pub async fn wait_for_height(&self, height: Height, at_most: Duration) -> Option<Watermark> {
        let mut watermarks = self.watermarks();
        let reached = |mark: &Option<Watermark>| mark.is_some_and(|mark| mark.height >= height);
        let mark = tokio::time::timeout(at_most, watermarks.wait_for(reached)).await.ok()?;
        mark.ok().and_then(|mark| *mark)
    }

    /// Closes the database. Whoever uses the read model after that gets an error.
    pub async fn close(&self) {
        self.shared.tables.close().await;
    }

    fn readers(&self) -> &Pool {
        self.shared.tables.readers()
    }

    fn published(&self) -> broadcast::Receiver<Arc<Published>> {
        self.shared.live.subscribe()
    }
}
