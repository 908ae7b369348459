//! From blocks to the read model.
//!
//! Each step takes some blocks from the local replica's store and writes what they say, together with the mark of how far
//! it got, in one SQL transaction: wherever the process is killed, no block is lost and none is written twice. Only then
//! are the events told to those who listen.

mod exchange;
mod rows;
mod write;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use ledger::Height;
use thiserror::Error;

use crate::read_model::{Projection, Published, ReadError, ReadModel, Watermark};
use crate::service::LedgerView;
use crate::store::{StoreError, StoredBlock};
use rows::Rows;

/// Blocks in one step at most.
const MAX_BLOCKS: usize = 512;
/// Transactions with which a step has enough.
const ENOUGH_TRANSACTIONS: usize = 4_096;
/// How long to wait after the database said no; twice as long each time, and not longer than [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Why blocks do not get into the read model.
#[derive(Debug, Error)]
pub enum ProjectorError {
    /// The read model.
    #[error(transparent)]
    Model(#[from] ReadError),
    /// The ledger's store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A block has more events than can be numbered.
    #[error("block {0} has too many events")]
    TooManyEvents(Height),
    /// The thread that reads blocks is gone.
    #[error("the runtime stops")]
    Stopping,
}

impl ProjectorError {
    const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Model(ReadError::Database(_) | ReadError::Unreachable { .. } | ReadError::InUse(_))
        )
    }
}

/// Keeps a read model up to date. Run one at a time for each read model. May be dropped at any point.
pub struct Projector {
    view: LedgerView,
    model: ReadModel,
    /// Whether the contents of blocks are compared with their headers.
    verifies: bool,
}

impl Projector {
    /// From this ledger to this read model.
    pub const fn new(view: LedgerView, model: ReadModel) -> Self {
        Self { view, model, verifies: false }
    }

    /// Also checks that transactions and receipts are those that the headers name. That headers form a chain is always
    /// checked.
    #[must_use]
    pub fn verifying(self) -> Self {
        Self { verifies: true, ..self }
    }

    /// Follows the ledger for good. Goes on after troubles of the database, from what is in it then.
    ///
    /// # Errors
    /// What does not pass by itself: another chain, damage. The read model must be rebuilt.
    pub async fn run(self) -> Result<(), ProjectorError> {
        let mut height = self.view.height();
        let mut pause = PAUSE;
        loop {
            let seen = *height.borrow_and_update();
            match self.catch_up().await {
                Ok(mark) if mark.is_some_and(|mark| mark.height >= seen) => {
                    pause = PAUSE;
                    if height.changed().await.is_err() {
                        return Ok(());
                    }
                }
                Ok(_) => pause = PAUSE,
                Err(error) if error.may_pass() => {
                    tracing::warn!(%error, "the read model does not advance");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes what is on the chain and not in the read model yet, and says how far it is then.
    ///
    /// # Errors
    /// [`ProjectorError`].
    pub async fn catch_up(&self) -> Result<Option<Watermark>, ProjectorError> {
        self.fill(|_| {}).await
    }

    /// The same; `progress` is told how far it is after each step.
    ///
    /// # Errors
    /// [`ProjectorError`].
    pub async fn fill(
        &self,
        mut progress: impl FnMut(Watermark),
    ) -> Result<Option<Watermark>, ProjectorError> {
        let mut last = self.model.projection().await?;
        self.check_chain(last.as_ref())?;
        self.tell(last);
        loop {
            let blocks = self.blocks_after(last).await?;
            if blocks.is_empty() {
                return Ok(last.map(|last| last.watermark()));
            }
            let projection = self.project(last, blocks).await?;
            progress(projection.watermark());
            last = Some(projection);
        }
    }

    /// Whether what is in the read model is of this chain.
    ///
    /// # Errors
    /// [`ReadError::OtherChain`] if not.
    pub async fn check(&self) -> Result<(), ProjectorError> {
        self.check_chain(self.model.projection().await?.as_ref())
    }

    /// Blocks may be in the tables that nobody was told of: the database said nothing any more after it was told to
    /// commit. Who listens reads them from the tables then.
    fn tell(&self, last: Option<Projection>) {
        let Some(last) = last else { return };
        let untold = self.model.watermark().is_none_or(|told| told.height != last.height);
        if untold {
            let (after, up_to) = (Some(last.height), last.height);
            self.model.publish(last.watermark(), Published { after, up_to, events: Vec::new() });
        }
    }

    /// The store may be behind the read model for a moment, after a loss of power.
    fn check_chain(&self, last: Option<&Projection>) -> Result<(), ProjectorError> {
        let Some(last) = last else { return Ok(()) };
        let chain_id = self.view.read(|ledger| *ledger.chain_id());
        let block = self.view.store().block(last.height)?;
        let differs = block.is_some_and(|block| block.hash() != last.hash);
        if differs || chain_id != last.chain_id { Err(ReadError::OtherChain.into()) } else { Ok(()) }
    }

    async fn blocks_after(&self, last: Option<Projection>) -> Result<Vec<StoredBlock>, ProjectorError> {
        let store = self.view.store().clone();
        let from = last.map_or(Height::GENESIS, |last| last.height.next());
        let verifies = self.verifies;
        let read = move || {
            let blocks = store.blocks_from(from, MAX_BLOCKS, ENOUGH_TRANSACTIONS)?;
            let is_damaged = |stored: &StoredBlock| !stored.block.roots_match();
            if verifies && blocks.iter().any(is_damaged) {
                return Err(StoreError::Damaged("a block has other contents than its header says"));
            }
            Ok(blocks)
        };
        Ok(tokio::task::spawn_blocking(read).await.map_err(|_| ProjectorError::Stopping)??)
    }

    /// One step.
    async fn project(
        &self,
        last: Option<Projection>,
        blocks: Vec<StoredBlock>,
    ) -> Result<Projection, ProjectorError> {
        let chain_id = self.view.read(|ledger| *ledger.chain_id());
        let gather = move || Rows::of(chain_id, last, blocks);
        let rows = tokio::task::spawn_blocking(gather).await.map_err(|_| ProjectorError::Stopping)??;
        let projection = rows.projection;
        let mut transaction = self.model.begin_write().await?;
        rows.write(&mut transaction).await.map_err(ReadError::from)?;
        transaction.commit().await.map_err(ReadError::from)?;
        let events = rows.events.into_iter().map(|event| Arc::new(event.record)).collect();
        let after = last.map(|last| last.height);
        self.model.publish(projection.watermark(), Published { after, up_to: projection.height, events });
        Ok(projection)
    }
}
