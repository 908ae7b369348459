//! Withdrawals.

use ledger::{WithdrawalId, WithdrawalStatus};

use super::list::List;
use super::page::PageRequest;
use super::query::{WithdrawalPhase, WithdrawalQuery};
use super::records::WithdrawalRecord;
use super::{Found, Listed, ReadError, ReadModel};
use crate::sql::{
    Col,
    either::{self, QueryBuilder, Row},
};

const WITHDRAWALS: List = List {
    select: "SELECT withdrawals.*, accounts.name AS owner_name FROM withdrawals \
             JOIN accounts ON accounts.address = withdrawals.owner WHERE 1 = 1",
    table: "withdrawals",
    key: "id",
    order: &["position"],
    descending: true,
};

fn withdrawal(row: &Row) -> Result<WithdrawalRecord, sqlx::Error> {
    let phase: String = row.get("status")?;
    let status = match phase.as_str() {
        "REQUESTED" => WithdrawalStatus::Requested,
        "SETTLED" => WithdrawalStatus::Settled { by: row.col("decided_by")?, at: row.col("decided_at")? },
        _ => WithdrawalStatus::Voided { by: row.col("decided_by")?, at: row.col("decided_at")? },
    };
    Ok(WithdrawalRecord {
        id: row.col("id")?,
        owner: row.col("owner")?,
        owner_name: row.col("owner_name")?,
        amount: row.col("amount")?,
        memo: row.col("memo")?,
        status,
        reason: row.optional("reason")?,
        requested_at: row.col("requested_at")?,
    })
}

impl ReadModel {
    /// A withdrawal.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn withdrawal(&self, id: &WithdrawalId) -> Found<WithdrawalRecord> {
        let sql = "SELECT withdrawals.*, accounts.name AS owner_name FROM withdrawals \
                   JOIN accounts ON accounts.address = withdrawals.owner WHERE withdrawals.id = $1";
        let row = either::query(sql).bind(Col(*id)).fetch_optional(self.readers()).await?;
        Ok(row.as_ref().map(withdrawal).transpose()?)
    }

    /// Withdrawals, the newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn withdrawals(
        &self,
        query: WithdrawalQuery,
        page: PageRequest<WithdrawalId>,
    ) -> Listed<WithdrawalRecord> {
        let filter = |sql: &mut QueryBuilder| {
            if let Some(status) = query.status {
                sql.push(" AND withdrawals.status = ").push_bind(status.code());
            }
            if let Some(owner) = query.owner {
                sql.push(" AND withdrawals.owner = ").push_bind(Col(owner));
            }
        };
        WITHDRAWALS.page(self.readers(), page, filter, withdrawal).await
    }

    /// How many withdrawals nobody has decided on.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn open_withdrawals(&self) -> Result<u64, ReadError> {
        let sql = "SELECT COUNT(*) AS count FROM withdrawals WHERE status = $1";
        let requested = WithdrawalPhase::Requested.code();
        let row = either::query(sql).bind(requested).fetch_one(self.readers()).await?;
        Ok(row.col("count")?)
    }
}
