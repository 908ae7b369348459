//! How far the read model is: what the projector reads, writes and tells.

use std::sync::Arc;

use ledger::{Height, UnixMillis};
use pbft_crypto::Digest;

use super::{Published, ReadError, ReadModel, Watermark};
use crate::sql::{
    Col,
    either::{self, Transaction},
};

/// The last block that is in the read model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Projection {
    pub(crate) chain_id: Digest,
    pub(crate) height: Height,
    pub(crate) hash: Digest,
    pub(crate) at: UnixMillis,
}

impl Projection {
    pub(crate) const fn watermark(&self) -> Watermark {
        Watermark { height: self.height, time: self.at }
    }

    /// Writes it down, in the same step as what is in the blocks.
    pub(crate) async fn write(&self, to: &mut Transaction<'_>) -> Result<(), sqlx::Error> {
        let sql = "INSERT INTO projection (id, chain_id, height, hash, at) VALUES (1, $1, $2, $3, $4) \
                   ON CONFLICT (id) DO UPDATE SET chain_id = excluded.chain_id, height = excluded.height, \
                   hash = excluded.hash, at = excluded.at";
        let query = either::query(sql).bind(Col(self.chain_id)).bind(Col(self.height));
        query.bind(Col(self.hash)).bind(Col(self.at)).execute(to).await
    }
}

impl ReadModel {
    /// The last block that is in it.
    pub(crate) async fn projection(&self) -> Result<Option<Projection>, ReadError> {
        let sql = "SELECT chain_id, height, hash, at FROM projection";
        let Some(row) = either::query(sql).fetch_optional(self.readers()).await? else { return Ok(None) };
        Ok(Some(Projection {
            chain_id: row.col("chain_id")?,
            height: row.col("height")?,
            hash: row.col("hash")?,
            at: row.col("at")?,
        }))
    }

    pub(crate) async fn begin_write(&self) -> Result<Transaction<'static>, ReadError> {
        Ok(self.shared.tables.begin().await?)
    }

    /// Tells everyone who waits.
    pub(crate) fn publish(&self, watermark: Watermark, published: Published) {
        self.shared.watermark.send_replace(Some(watermark));
        // Nobody may be listening.
        let _ = self.shared.live.send(Arc::new(published));
    }

    /// Whether a rebuild has begun that did not come to its end.
    pub(crate) async fn is_being_rebuilt(&self) -> Result<bool, ReadError> {
        let row = either::query("SELECT id FROM rebuild").fetch_optional(self.readers()).await?;
        Ok(row.is_some())
    }

    /// Writes down that a rebuild begins, or that it is over.
    pub(crate) async fn set_being_rebuilt(&self, is: bool) -> Result<(), ReadError> {
        let sql = if is { "INSERT INTO rebuild (id) VALUES (1)" } else { "DELETE FROM rebuild" };
        let mut transaction = self.begin_write().await?;
        either::query(sql).execute(&mut transaction).await?;
        Ok(transaction.commit().await?)
    }
}
