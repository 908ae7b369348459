//! Transactions that were signed here. They are written down before they are sent, so that after a crash the same request
//! leads to the same transaction and not to a second one.

use ledger::{Millis, Transaction};
use pbft_crypto::Address;

use super::{AccountsDb, AccountsError};
use crate::sql::Col;

/// How much longer than the transaction is valid.
const KEPT: Millis = Millis::hours(24);

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
        let body: Vec<u8> = sqlx::Row::try_get(&row, "body")?;
        let transaction =
            Transaction::decode(&body).map_err(|_| AccountsError::Damaged("a signed transaction"))?;
        Ok(Some(transaction))
    }

    /// Writes a transaction down before it is sent, unless another one is there for the same `client_ref`.
    pub(crate) async fn put_outgoing(&self, transaction: &Transaction) -> Result<bool, AccountsError> {
        let body = transaction.body();
        let sql = "INSERT INTO outbox (sender, client_ref, body, expires_at) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(Col(body.sender)).bind(body.client_ref.as_slice());
        let query = query.bind(transaction.encode()).bind(Col(body.valid_until.plus(KEPT)));
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
