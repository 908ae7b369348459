//! Between requests of the consensus and transactions of the ledger.

use ledger::{Refusal, Transaction};
use pbft_core::message::{Operation, Request};
use pbft_core::{ClientId, RequestNumber};

/// The request that brings a transaction to the replicas.
pub fn request_of(transaction: &Transaction) -> Request {
    let body = transaction.body();
    Request {
        client: ClientId::from_bytes(*body.sender.as_bytes()),
        number: RequestNumber::new(body.nonce),
        operation: Operation::new(transaction.encode()),
    }
}

/// The transaction in a request. Its signature is not checked.
///
/// # Errors
/// [`Refusal::Malformed`] if there is none, or if client and number are not its sender and nonce.
pub fn transaction_of(request: &Request) -> Result<Transaction, Refusal> {
    let transaction = Transaction::decode(request.operation.as_bytes())?;
    let body = transaction.body();
    let fits = request.client.as_bytes() == body.sender.as_bytes() && request.number.value() == body.nonce;
    if fits { Ok(transaction) } else { Err(Refusal::Malformed) }
}
