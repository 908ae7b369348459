//! What the blocks say, as SQL: for lists, searches and pages. It can be dropped and rebuilt from the blocks, and only
//! the [projector](crate::projector) writes to it.

mod error;
mod page;
mod query;
mod records;

use std::path::Path;
use std::time::Duration;

use ledger::{ChargeId, Height, ListingId, TradeId, TxId};
use pbft_crypto::{Address, Digest};

pub use error::ReadError;
pub use page::{NotAPosition, Page, PageLimit, PageRequest, PageStart, Position};
pub use query::{
    ChargePhase, ChargeQuery, ListingPhase, ListingQuery, ListingSort, PaymentQuery, TradeQuery, TradeSide,
    TransactionQuery,
};
pub use records::{
    AccountRecord, BalanceRecord, BlockRecord, ChargeRecord, EventRecord, ListingRecord, ListingVersion,
    PaymentRecord, TradeRecord, TradeStep, TransactionRecord, Watermark,
};

/// The read model. Clones share it.
#[derive(Clone)]
pub struct ReadModel {}

type Found<T> = Result<Option<T>, ReadError>;
type Listed<T> = Result<Page<T>, ReadError>;

#[allow(unused_variables, clippy::unused_async, missing_docs, clippy::todo)]
impl ReadModel {
    /// Opens the database file, or begins it.
    pub async fn open(file: &Path) -> Result<Self, ReadError> {
        todo!()
    }

    /// How far it is.
    pub fn watermark(&self) -> Option<Watermark> {
        todo!()
    }

    /// Waits until the block at this height is in it. `None` if that takes too long.
    pub async fn wait_for_height(&self, height: Height, at_most: Duration) -> Option<Watermark> {
        todo!()
    }

    /// All that happens from now on, or after a position (`Last-Event-ID`).
    pub fn subscribe(&self, after: Option<Position>) -> EventStream {
        todo!()
    }

    pub async fn block_at(&self, height: Height) -> Found<BlockRecord> {
        todo!()
    }
    pub async fn block_by_hash(&self, hash: &Digest) -> Found<BlockRecord> {
        todo!()
    }
    /// Newest first.
    pub async fn blocks(&self, page: PageRequest<Height>) -> Listed<BlockRecord> {
        todo!()
    }

    pub async fn transaction(&self, id: &TxId) -> Found<TransactionRecord> {
        todo!()
    }
    /// Of a block, in the order in which they were carried out.
    pub async fn transactions_of_block(&self, height: Height) -> Result<Vec<TransactionRecord>, ReadError> {
        todo!()
    }
    /// Newest first.
    pub async fn transactions(
        &self,
        query: TransactionQuery,
        page: PageRequest<TxId>,
    ) -> Listed<TransactionRecord> {
        todo!()
    }

    pub async fn account(&self, address: &Address) -> Found<AccountRecord> {
        todo!()
    }
    pub async fn balances(&self, address: &Address) -> Result<Vec<BalanceRecord>, ReadError> {
        todo!()
    }

    pub async fn charge(&self, id: &ChargeId) -> Found<ChargeRecord> {
        todo!()
    }
    /// Newest first.
    pub async fn charges(&self, query: ChargeQuery, page: PageRequest<ChargeId>) -> Listed<ChargeRecord> {
        todo!()
    }

    pub async fn listing(&self, id: &ListingId) -> Found<ListingRecord> {
        todo!()
    }
    /// Oldest first.
    pub async fn listing_versions(&self, id: &ListingId) -> Result<Vec<ListingVersion>, ReadError> {
        todo!()
    }
    /// In the order that the query names.
    pub async fn listings(
        &self,
        query: &ListingQuery,
        page: PageRequest<ListingId>,
    ) -> Listed<ListingRecord> {
        todo!()
    }

    pub async fn trade(&self, id: &TradeId) -> Found<TradeRecord> {
        todo!()
    }
    /// Oldest first.
    pub async fn trade_history(&self, id: &TradeId) -> Result<Vec<TradeStep>, ReadError> {
        todo!()
    }
    /// Newest first.
    pub async fn trades(&self, query: TradeQuery, page: PageRequest<TradeId>) -> Listed<TradeRecord> {
        todo!()
    }

    pub async fn payment(&self, tx: &TxId) -> Found<PaymentRecord> {
        todo!()
    }
    /// Newest first.
    pub async fn payments(&self, query: PaymentQuery, page: PageRequest<TxId>) -> Listed<PaymentRecord> {
        todo!()
    }

    /// Oldest first.
    pub async fn events(&self, page: PageRequest<Position>) -> Listed<EventRecord> {
        todo!()
    }
}

/// Everything that happens, each thing once and in order.
pub struct EventStream {}

#[allow(clippy::unused_async, clippy::todo)]
impl EventStream {
    /// The next event. Waits for it if need be; can be cancelled without losing one.
    pub async fn next(&mut self) -> Result<std::sync::Arc<EventRecord>, ReadError> {
        todo!()
    }
}
