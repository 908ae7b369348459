//! All freezes that there ever were: the ledger keeps the last one of each account.

use ledger::{AccountEvent, Cause, Event, EventKind, Name, Reason, TxId, UnixMillis};
use pbft_crypto::Address;

use super::events::event;
use super::list::List;
use super::page::PageRequest;
use super::records::EventRecord;
use super::{Listed, ReadError, ReadModel};
use crate::sql::{
    Col,
    either::{self, QueryBuilder, Row, Transaction},
};

/// Events of older tables that are looked at in one step.
const CHUNK: i64 = 256;

/// A time in which an account could not spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreezeRecord {
    /// The transaction that stopped it. Names it.
    pub tx: TxId,
    /// Which account.
    pub account: Address,
    /// The name of the account.
    pub account_name: Name,
    /// The admin who stopped it.
    pub by: Address,
    /// Why.
    pub reason: Reason,
    /// Since when.
    pub at: UnixMillis,
    /// The end of it, if it has come.
    pub lifted: Option<Lifting>,
}

/// That an account may spend again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifting {
    /// The transaction.
    pub tx: TxId,
    /// The admin who let it go on.
    pub by: Address,
    /// Since when.
    pub at: UnixMillis,
}

const FREEZES: List = List {
    select: "SELECT freezes.*, accounts.name AS account_name FROM freezes \
             JOIN accounts ON accounts.address = freezes.account WHERE 1 = 1",
    table: "freezes",
    key: "tx",
    order: &["position"],
    descending: true,
};

fn freeze(row: &Row) -> Result<FreezeRecord, sqlx::Error> {
    let lifted = match row.optional("lifted_tx")? {
        Some(tx) => Some(Lifting { tx, by: row.col("lifted_by")?, at: row.col("lifted_at")? }),
        None => None,
    };
    Ok(FreezeRecord {
        tx: row.col("tx")?,
        account: row.col("account")?,
        account_name: row.col("account_name")?,
        by: row.col("frozen_by")?,
        reason: row.col("reason")?,
        at: row.col("frozen_at")?,
        lifted,
    })
}

impl ReadModel {
    /// Freezes, the newest first: of one account, or of all.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn freezes(&self, account: Option<Address>, page: PageRequest<TxId>) -> Listed<FreezeRecord> {
        let filter = |sql: &mut QueryBuilder| {
            if let Some(account) = account {
                sql.push(" AND freezes.account = ").push_bind(Col(account));
            }
        };
        FREEZES.page(self.readers(), page, filter, freeze).await
    }

    /// Writes down the freezes of before there was a table for them: all of them, or none.
    pub(super) async fn note_older_freezes(&self) -> Result<(), ReadError> {
        let known = either::query("SELECT position FROM freezes LIMIT 1");
        if known.fetch_optional(self.readers()).await?.is_some() {
            return Ok(());
        }
        let mut to: Option<Transaction<'static>> = None;
        let mut after = -1;
        loop {
            // The names are those of the index.
            let sql = "SELECT position, at, body FROM events WHERE name IN ('account.frozen', 'account.unfrozen') \
                       AND position > $1 ORDER BY position LIMIT $2";
            let rows = either::query(sql).bind(after).bind(CHUNK).fetch_all(self.readers()).await?;
            let records = rows.iter().map(event).collect::<Result<Vec<_>, _>>()?;
            let Some(last) = records.last() else { break };
            after = last.position.to_number();
            let to = match &mut to {
                Some(to) => to,
                none => none.insert(self.begin_write().await?),
            };
            for record in &records {
                note_freeze(to, record).await?;
            }
        }
        match to {
            Some(to) => Ok(to.commit().await?),
            None => Ok(()),
        }
    }
}

/// Writes down that an account is frozen, or that it may spend again, if that is what an event says.
pub(crate) async fn note_freeze(to: &mut Transaction<'_>, record: &EventRecord) -> Result<(), sqlx::Error> {
    let EventRecord { position, event: Event { cause, kind }, .. } = record;
    let (Cause::Transaction { id: tx, .. }, EventKind::Account(event)) = (cause, kind) else {
        return Ok(());
    };
    match event {
        AccountEvent::Frozen { address, by, reason, at } => {
            let sql = "INSERT INTO freezes (tx, position, account, frozen_by, reason, frozen_at) \
                       VALUES ($1, $2, $3, $4, $5, $6)";
            let query = either::query(sql).bind(Col(*tx)).bind(Col(*position)).bind(Col(*address));
            query.bind(Col(*by)).bind(reason.as_str()).bind(Col(*at)).execute(to).await
        }
        AccountEvent::Unfrozen { address, by, at } => {
            let sql = "UPDATE freezes SET lifted_tx = $1, lifted_by = $2, lifted_at = $3 \
                       WHERE account = $4 AND lifted_tx IS NULL";
            let query = either::query(sql).bind(Col(*tx)).bind(Col(*by)).bind(Col(*at));
            query.bind(Col(*address)).execute(to).await
        }
        _ => Ok(()),
    }
}
