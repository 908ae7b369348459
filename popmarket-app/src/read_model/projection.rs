//! How far the read model is: what the projector reads, writes and tells.

use std::sync::Arc;

use ledger::{Height, UnixMillis};
use pbft_crypto::Digest;
use sqlx::{Executor, Transaction};

use super::{Published, ReadError, ReadModel, Watermark};
use crate::sql::{Col, Db, RowExt};

/// All tables of the read model.
const TABLES: [&str; 22] = [
    "projection",
    "blocks",
    "transactions",
    "account_transactions",
    "events",
    "accounts",
    "balances",
    "charges",
    "withdrawals",
    "listings",
    "listing_versions",
    "trades",
    "trade_steps",
    "payments",
    "reviews",
    "tokens",
    "markets",
    "orders",
    "fills",
    "candles",
    "polls",
    "poll_options",
];

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
    pub(crate) async fn write(&self, to: &mut Transaction<'_, Db>) -> Result<(), sqlx::Error> {
        let sql = "INSERT INTO projection (id, chain_id, height, hash, at) VALUES (1, $1, $2, $3, $4) \
                   ON CONFLICT (id) DO UPDATE SET chain_id = excluded.chain_id, height = excluded.height, \
                   hash = excluded.hash, at = excluded.at";
        let query = sqlx::query(sql).bind(Col(self.chain_id)).bind(Col(self.height));
        to.execute(query.bind(Col(self.hash)).bind(Col(self.at))).await?;
        Ok(())
    }
}

impl ReadModel {
    /// The last block that is in it.
    pub(crate) async fn projection(&self) -> Result<Option<Projection>, ReadError> {
        let sql = "SELECT chain_id, height, hash, at FROM projection";
        let Some(row) = sqlx::query(sql).fetch_optional(self.readers()).await? else { return Ok(None) };
        Ok(Some(Projection {
            chain_id: row.col("chain_id")?,
            height: row.col("height")?,
            hash: row.col("hash")?,
            at: row.col("at")?,
        }))
    }

    pub(crate) async fn begin_write(&self) -> Result<Transaction<'static, Db>, ReadError> {
        Ok(self.shared.database.writer.begin().await?)
    }

    /// Tells everyone who waits.
    pub(crate) fn publish(&self, watermark: Watermark, published: Published) {
        self.shared.watermark.send_replace(Some(watermark));
        // Nobody may be listening.
        let _ = self.shared.live.send(Arc::new(published));
    }

    /// Takes everything out, so that the projector begins anew.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn clear(&self) -> Result<(), ReadError> {
        let mut transaction = self.begin_write().await?;
        for table in TABLES {
            let sql = sqlx::AssertSqlSafe(format!("DELETE FROM {table}"));
            transaction.execute(sqlx::query(sql)).await?;
        }
        transaction.commit().await?;
        self.shared.watermark.send_replace(None);
        Ok(())
    }
}
