//! Blocks and transactions.

use ledger::{BlockHeader, Height, Transaction, TxId};
use pbft_crypto::{Address, Digest};

use super::list::List;
use super::page::{Page, PageRequest, Position};
use super::query::TransactionQuery;
use super::records::{BlockRecord, TransactionRecord};
use super::{Found, Listed, ReadModel};
use crate::sql::{
    Col,
    either::{self, QueryBuilder, Row},
};

const BLOCKS: List = List {
    select: "SELECT hash, header, transactions, events FROM blocks WHERE 1 = 1",
    table: "blocks",
    key: "height",
    order: &["height"],
    descending: true,
};

const TRANSACTIONS: List = List {
    select: "SELECT position, at, body, outcome FROM transactions WHERE 1 = 1",
    table: "transactions",
    key: "id",
    order: &["position"],
    descending: true,
};

const OF_ACCOUNT: List = List {
    select: "SELECT transactions.position, at, body, outcome FROM account_transactions \
             JOIN transactions ON transactions.position = account_transactions.position WHERE 1 = 1",
    ..TRANSACTIONS
};

/// In the order in which they were carried out.
const OF_BLOCK: List = List { descending: false, ..TRANSACTIONS };

fn block(row: &Row) -> Result<BlockRecord, sqlx::Error> {
    let header: Vec<u8> = row.get("header")?;
    Ok(BlockRecord {
        hash: row.col("hash")?,
        header: BlockHeader::decode(&header).map_err(|e| sqlx::Error::Decode(e.into()))?,
        transactions: row.col("transactions")?,
        events: row.col("events")?,
    })
}

fn transaction(row: &Row) -> Result<TransactionRecord, sqlx::Error> {
    let body: Vec<u8> = row.get("body")?;
    let position: Position = row.col("position")?;
    Ok(TransactionRecord {
        height: position.height(),
        index: position.index(),
        time: row.col("at")?,
        transaction: Transaction::decode(&body).map_err(|e| sqlx::Error::Decode(e.into()))?,
        outcome: row.col("outcome")?,
    })
}

/// What a transaction is found by if its sender has given it a `client_ref`.
pub(crate) fn sender_ref(sender: &Address, client_ref: &[u8; 16]) -> Option<Vec<u8>> {
    (*client_ref != [0; 16]).then(|| [sender.as_bytes().as_slice(), client_ref].concat())
}

impl ReadModel {
    /// A block by its height.
    ///
    /// # Errors
    /// [`ReadError`](super::ReadError).
    pub async fn block_at(&self, height: Height) -> Found<BlockRecord> {
        let sql = "SELECT hash, header, transactions, events FROM blocks WHERE height = $1";
        let row = either::query(sql).bind(Col(height)).fetch_optional(self.readers()).await?;
        Ok(row.as_ref().map(block).transpose()?)
    }

    /// A block by its hash.
    ///
    /// # Errors
    /// [`ReadError`](super::ReadError).
    pub async fn block_by_hash(&self, hash: &Digest) -> Found<BlockRecord> {
        let sql = "SELECT hash, header, transactions, events FROM blocks WHERE hash = $1";
        let row = either::query(sql).bind(Col(*hash)).fetch_optional(self.readers()).await?;
        Ok(row.as_ref().map(block).transpose()?)
    }

    /// Blocks, the newest first.
    ///
    /// # Errors
    /// [`ReadError`](super::ReadError).
    pub async fn blocks(&self, page: PageRequest<Height>) -> Listed<BlockRecord> {
        BLOCKS.page(self.readers(), page, |_| {}, block).await
    }

    /// A transaction that is on the chain.
    ///
    /// # Errors
    /// [`ReadError`](super::ReadError).
    pub async fn transaction(&self, id: &TxId) -> Found<TransactionRecord> {
        let sql = "SELECT position, at, body, outcome FROM transactions WHERE id = $1";
        let row = either::query(sql).bind(Col(*id)).fetch_optional(self.readers()).await?;
        Ok(row.as_ref().map(transaction).transpose()?)
    }

    /// The last transaction of a sender with a `client_ref` that is not all zero.
    ///
    /// # Errors
    /// [`ReadError`](super::ReadError).
    pub async fn transaction_by_ref(
        &self,
        sender: &Address,
        client_ref: &[u8; 16],
    ) -> Found<TransactionRecord> {
        let Some(sender_ref) = sender_ref(sender, client_ref) else { return Ok(None) };
        let sql = "SELECT position, at, body, outcome FROM transactions WHERE sender_ref = $1 \
                   ORDER BY position DESC LIMIT 1";
        let row = either::query(sql).bind(sender_ref).fetch_optional(self.readers()).await?;
        Ok(row.as_ref().map(transaction).transpose()?)
    }

    /// The transactions of a block, in the order in which they were carried out.
    ///
    /// # Errors
    /// [`ReadError`](super::ReadError).
    pub async fn transactions_of_block(
        &self,
        height: Height,
        page: PageRequest<TxId>,
    ) -> Listed<TransactionRecord> {
        let (Some(first), Some(end)) = (Position::new(height, 0), Position::new(height.next(), 0)) else {
            return Ok(Page { items: Vec::new(), has_more: false });
        };
        let filter = |sql: &mut QueryBuilder| {
            sql.push(" AND transactions.position >= ").push_bind(Col(first));
            sql.push(" AND transactions.position < ").push_bind(Col(end));
        };
        OF_BLOCK.page(self.readers(), page, filter, transaction).await
    }

    /// Transactions, the newest first.
    ///
    /// # Errors
    /// [`ReadError`](super::ReadError).
    pub async fn transactions(
        &self,
        query: TransactionQuery,
        page: PageRequest<TxId>,
    ) -> Listed<TransactionRecord> {
        match query.account {
            None => TRANSACTIONS.page(self.readers(), page, |_| {}, transaction).await,
            Some(account) => {
                let filter = |sql: &mut QueryBuilder| {
                    sql.push(" AND account_transactions.account = ").push_bind(Col(account));
                };
                OF_ACCOUNT.page(self.readers(), page, filter, transaction).await
            }
        }
    }
}
