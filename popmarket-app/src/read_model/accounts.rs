//! Accounts, their balances, charges and payments.

use ledger::{Approver, Balance, ChargeId, ChargeStatus, PaymentStatus, TxId};
use pbft_crypto::Address;

use super::list::List;
use super::page::{PageRequest, Position};
use super::query::{ChargePhase, ChargeQuery, PaymentQuery, PaymentSide};
use super::records::{AccountRecord, BalanceRecord, ChargeRecord, PaymentRecord};
use super::{Found, Listed, ReadError, ReadModel};
use crate::sql::{
    Col,
    either::{self, QueryBuilder, Row},
};

const CHARGES: List = List {
    select: "SELECT charges.*, accounts.name AS requester_name FROM charges \
             JOIN accounts ON accounts.address = charges.requester WHERE 1 = 1",
    table: "charges",
    key: "id",
    order: &["position"],
    descending: true,
};

const PAYMENTS: List = List {
    select: "SELECT * FROM payments WHERE 1 = 1",
    table: "payments",
    key: "tx",
    order: &["position"],
    descending: true,
};

fn account(row: &Row) -> Result<AccountRecord, sqlx::Error> {
    Ok(AccountRecord {
        address: row.col("address")?,
        name: row.col("name")?,
        public_key: row.col("public_key")?,
        role: row.col("role")?,
        charge_count: row.col("charge_count")?,
        registered_at: row.col("registered_at")?,
    })
}

fn balance(row: &Row) -> Result<BalanceRecord, sqlx::Error> {
    let balance = Balance { available: row.col("available")?, held: row.col("held")? };
    Ok(BalanceRecord { asset: row.col("asset")?, balance })
}

fn charge(row: &Row) -> Result<ChargeRecord, sqlx::Error> {
    let phase: String = row.get("status")?;
    let status = match phase.as_str() {
        "REQUESTED" => ChargeStatus::Requested,
        "APPROVED" => {
            let by = row.optional("decided_by")?.map_or(Approver::Policy, Approver::Admin);
            ChargeStatus::Approved { by, at: row.col("decided_at")? }
        }
        _ => ChargeStatus::Rejected { by: row.col("decided_by")?, at: row.col("decided_at")? },
    };
    Ok(ChargeRecord {
        id: row.col("id")?,
        requester: row.col("requester")?,
        requester_name: row.col("requester_name")?,
        amount: row.col("amount")?,
        memo: row.col("memo")?,
        status,
        first_approval: row.optional("first_approval")?,
        reason: row.optional("reason")?,
        requested_at: row.col("requested_at")?,
    })
}

fn payment(row: &Row) -> Result<PaymentRecord, sqlx::Error> {
    let position: Position = row.col("position")?;
    Ok(PaymentRecord {
        tx: row.col("tx")?,
        height: position.height(),
        from: row.col("payer")?,
        to: row.col("payee")?,
        asset: row.col("asset")?,
        amount: row.col("amount")?,
        reference: row.optional("reference")?,
        memo: row.col("memo")?,
        at: row.col("at")?,
        status: payment_status(row)?,
        updated_at: row.col("updated_at")?,
    })
}

fn payment_status(row: &Row) -> Result<PaymentStatus, sqlx::Error> {
    let status: String = row.get("status")?;
    Ok(match status.as_str() {
        "AUTHORIZED" => PaymentStatus::Authorized { until: row.col("until")? },
        "VOIDED" => PaymentStatus::Voided,
        _ => PaymentStatus::Paid { paid: row.col("paid")?, refunded: row.col("refunded")? },
    })
}

fn filter_payments(query: PaymentQuery, sql: &mut QueryBuilder) {
    if let Some(account) = query.account {
        match query.side {
            PaymentSide::Payer => sql.push(" AND payments.payer = ").push_bind(Col(account)),
            PaymentSide::Payee => sql.push(" AND payments.payee = ").push_bind(Col(account)),
            PaymentSide::Any => {
                sql.push(" AND (payments.payer = ").push_bind(Col(account));
                sql.push(" OR payments.payee = ").push_bind(Col(account)).push(")")
            }
        };
    }
    if let Some(status) = query.status {
        // Said outright: the index of those that are held is for this value alone.
        sql.push(" AND payments.status = '").push(status.code()).push("'");
    }
}

impl ReadModel {
    /// An account.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn account(&self, address: &Address) -> Found<AccountRecord> {
        let sql = "SELECT * FROM accounts WHERE address = $1";
        let row = either::query(sql).bind(Col(*address)).fetch_optional(self.readers()).await?;
        Ok(row.as_ref().map(account).transpose()?)
    }

    /// What an account has, by asset, where it ever had something.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn balances(&self, address: &Address) -> Result<Vec<BalanceRecord>, ReadError> {
        let sql = "SELECT asset, available, held FROM balances WHERE account = $1 ORDER BY asset";
        let rows = either::query(sql).bind(Col(*address)).fetch_all(self.readers()).await?;
        Ok(rows.iter().map(balance).collect::<Result<_, _>>()?)
    }

    /// A charge.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn charge(&self, id: &ChargeId) -> Found<ChargeRecord> {
        let sql = "SELECT charges.*, accounts.name AS requester_name FROM charges \
                   JOIN accounts ON accounts.address = charges.requester WHERE charges.id = $1";
        let row = either::query(sql).bind(Col(*id)).fetch_optional(self.readers()).await?;
        Ok(row.as_ref().map(charge).transpose()?)
    }

    /// Charges, the newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn charges(&self, query: ChargeQuery, page: PageRequest<ChargeId>) -> Listed<ChargeRecord> {
        let filter = |sql: &mut QueryBuilder| {
            if let Some(status) = query.status {
                sql.push(" AND charges.status = ").push_bind(status.code());
            }
            if let Some(requester) = query.requester {
                sql.push(" AND charges.requester = ").push_bind(Col(requester));
            }
        };
        CHARGES.page(self.readers(), page, filter, charge).await
    }

    /// How many charges nobody has decided on.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn open_charges(&self) -> Result<u64, ReadError> {
        let sql = "SELECT COUNT(*) AS count FROM charges WHERE status = $1";
        let row = either::query(sql).bind(ChargePhase::Requested.code()).fetch_one(self.readers()).await?;
        Ok(row.col("count")?)
    }

    /// A payment.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn payment(&self, tx: &TxId) -> Found<PaymentRecord> {
        let sql = "SELECT * FROM payments WHERE tx = $1";
        let row = either::query(sql).bind(Col(*tx)).fetch_optional(self.readers()).await?;
        Ok(row.as_ref().map(payment).transpose()?)
    }

    /// Payments, the newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn payments(&self, query: PaymentQuery, page: PageRequest<TxId>) -> Listed<PaymentRecord> {
        PAYMENTS.page(self.readers(), page, |sql| filter_payments(query, sql), payment).await
    }
}
