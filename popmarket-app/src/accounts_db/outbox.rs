//! Transactions that were signed here. They are written down before they are sent, so that after a crash the same request
//! leads to the same transaction and not to a second one.

use ledger::{AccountOp, Millis, Operation, Transaction};
use pbft_crypto::Address;

use super::{AccountsDb, AccountsError, Member};
use crate::sql::{Col, Row};

/// How much longer than the transaction is valid.
const KEPT: Millis = Millis::hours(24);
/// What a member signed may be valid for ever, and is kept for so long.
const MAX_KEPT: Millis = Millis::hours(24 * 7);
/// So many transactions of one sender are looked at.
const MAX_SEEN: u32 = 16;

impl AccountsDb {
    /// The transaction that was made for a sender and a `client_ref`, if one was.
    pub(crate) async fn outgoing(
        &self,
        sender: &Address,
        client_ref: &[u8; 16],
    ) -> Result<Option<Transaction>, AccountsError> {
        let sql = "SELECT body FROM outbox WHERE sender = $1 AND client_ref = $2";
        let query = sqlx::query(sql).bind(Col(*sender)).bind(client_ref.as_slice());
        let Some(row) = query.fetch_optional(&self.shared.database.readers).await? else { return Ok(None) };
        transaction(&row).map(Some)
    }

    /// The transaction in which a member asked for the account.
    pub(crate) async fn registration_of(
        &self,
        member: &Member,
    ) -> Result<Option<Transaction>, AccountsError> {
        let query =
            sqlx::query("SELECT body FROM outbox WHERE sender = $1 LIMIT $2").bind(Col(member.address));
        let rows = query.bind(MAX_SEEN).fetch_all(&self.shared.database.readers).await?;
        for row in rows {
            let transaction = transaction(&row)?;
            let operation = &transaction.body().operation;
            if matches!(operation, Operation::Account(AccountOp::Register { name }) if *name == member.name) {
                return Ok(Some(transaction));
            }
        }
        Ok(None)
    }

    /// Writes a transaction down before it is sent, unless another one is there for the same `client_ref`.
    pub(crate) async fn put_outgoing(&self, transaction: &Transaction) -> Result<bool, AccountsError> {
        let body = transaction.body();
        let sql = "INSERT INTO outbox (sender, client_ref, body, expires_at) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(Col(body.sender)).bind(body.client_ref.as_slice());
        let expires_at = body.valid_until.min(self.now().plus(MAX_KEPT)).plus(KEPT);
        let query = query.bind(transaction.encode()).bind(Col(expires_at));
        Ok(query.execute(&self.shared.database.writer).await?.rows_affected() == 1)
    }

    /// It was refused for good: the same request may lead to another transaction.
    pub(crate) async fn drop_outgoing(&self, transaction: &Transaction) -> Result<(), AccountsError> {
        let body = transaction.body();
        let sql = "DELETE FROM outbox WHERE sender = $1 AND client_ref = $2 AND body = $3";
        let query = sqlx::query(sql).bind(Col(body.sender)).bind(body.client_ref.as_slice());
        query.bind(transaction.encode()).execute(&self.shared.database.writer).await?;
        Ok(())
    }
}

fn transaction(row: &Row) -> Result<Transaction, AccountsError> {
    let body: Vec<u8> = sqlx::Row::try_get(row, "body")?;
    Transaction::decode(&body).map_err(|_| AccountsError::Damaged("a signed transaction"))
}
