//! Accounts, their balances, charges and payments.

use ledger::{Approver, AssetId, Balance, ChargeId, ChargeStatus, PaymentStatus, TokenId, TxId};
use pbft_crypto::Address;

use super::list::List;
use super::page::{Page, PageLimit, PageRequest, Position};
use super::query::{ChargePhase, ChargeQuery, PaymentQuery, PaymentSide};
use super::records::{AccountRecord, BalanceRecord, Balances, ChargeRecord, PaymentRecord};
use super::tokens::decimals;
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

/// The first condition is that of the index, to the letter. The order is that of the ledger, so that a page of one can go on
/// where one of the other ended.
pub(super) const TOKENS_OF_ACCOUNT: &str = "SELECT balances.*, tokens.decimals FROM balances \
    JOIN tokens ON tokens.symbol = balances.asset \
    WHERE (balances.available > '00000000000000000000' OR balances.held > '00000000000000000000') \
    AND balances.account = $1 AND (balances.length, balances.asset) > (LENGTH($2), $2) \
    ORDER BY balances.length, balances.asset LIMIT $3";

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

fn balance(row: &Row) -> Result<Balance, sqlx::Error> {
    Ok(Balance { available: row.col("available")?, held: row.col("held")? })
}

fn token_balance(row: &Row) -> Result<BalanceRecord, sqlx::Error> {
    Ok(BalanceRecord { token: row.col("asset")?, decimals: decimals(row)?, balance: balance(row)? })
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
        let is = match query.side {
            PaymentSide::Payer => Some(" AND payments.payer = "),
            PaymentSide::Payee => Some(" AND payments.payee = "),
            // They are looked for one after the other: see below.
            PaymentSide::Any => None,
        };
        if let Some(is) = is {
            sql.push(is).push_bind(Col(account));
        }
    }
    if let Some(status) = query.status {
        sql.push(" AND payments.status = ").push_bind(status.code());
    }
}

/// Finds payments.
pub(super) fn payments(query: PaymentQuery, page: PageRequest<TxId>) -> QueryBuilder {
    let Some((account, PaymentSide::Any)) = query.account.map(|account| (account, query.side)) else {
        return PAYMENTS.statement(page, |sql| filter_payments(query, sql));
    };
    let made = |sql: &mut QueryBuilder| {
        filter_payments(PaymentQuery { side: PaymentSide::Payer, ..query }, sql);
    };
    let got = |sql: &mut QueryBuilder| {
        filter_payments(PaymentQuery { side: PaymentSide::Payee, ..query }, sql);
        sql.push(" AND payments.payer <> ").push_bind(Col(account));
    };
    PAYMENTS.statement_of_either(page, made, got)
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

    /// What an account has: of the coin, and of at most so many tokens, from the one after `after` on, those with the shortest
    /// symbols first. Everybody can send anybody some of a token of their own, so there may be any number.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn balances(
        &self,
        address: &Address,
        after: Option<TokenId>,
        limit: PageLimit,
    ) -> Result<Balances, ReadError> {
        let sql = "SELECT available, held FROM balances WHERE account = $1 AND asset = $2";
        let query = either::query(sql).bind(Col(*address)).bind(Col(AssetId::Pop));
        let coin = query.fetch_optional(self.readers()).await?;
        let coin = coin.as_ref().map(balance).transpose()?.unwrap_or_default();
        let after = after.map(|token| token.to_string()).unwrap_or_default();
        let query = either::query(TOKENS_OF_ACCOUNT).bind(Col(*address)).bind(after);
        let query = query.bind(i64::from(limit.value()) + 1);
        let rows = query.fetch_all(self.readers()).await?;
        let most = usize::try_from(limit.value()).unwrap_or(usize::MAX);
        let items = rows.iter().take(most).map(token_balance).collect::<Result<_, _>>()?;
        Ok(Balances { coin, tokens: Page { items, has_more: rows.len() > most } })
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
        PAYMENTS.fetch(self.readers(), page, payments(query, page), payment).await
    }
}
