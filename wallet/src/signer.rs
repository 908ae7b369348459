//! From what is wanted to a signed transaction.

use std::convert::Infallible;

use ledger::{Body, Operation, Transaction, UnixMillis};
use pbft_crypto::{Address, Digest, KeyPair};

use crate::custody::Custody;
use crate::error::{CustodyError, SignError};
use crate::nonces::{NonceAllocator, NonceLease, NonceView};

/// Accounts with transactions in flight at a time.
const MAX_ACCOUNTS: usize = 100_000;

/// Whoever can sign for some accounts.
pub trait Signer {
    /// Why it cannot.
    type Error: std::error::Error;

    /// Signs for the body's sender.
    ///
    /// # Errors
    /// If it has no key of that account, or cannot get at it.
    fn sign(&self, body: Body) -> Result<Transaction, Self::Error>;
}

/// A key signs for every sender. Whether it may is for the ledger to say, which knows each account's keys.
impl Signer for KeyPair {
    type Error = Infallible;

    fn sign(&self, body: Body) -> Result<Transaction, Infallible> {
        Ok(Transaction::sign(body, self))
    }
}

impl Signer for Custody {
    type Error = CustodyError;

    fn sign(&self, body: Body) -> Result<Transaction, CustodyError> {
        Custody::sign(self, body)
    }
}

/// A transaction to be: what is known before it has a nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Whose account does it.
    pub sender: Address,
    /// What to do.
    pub operation: Operation,
    /// The last block time at which it may be recorded.
    pub valid_until: UnixMillis,
    /// Whatever the sender wants to find it by.
    pub client_ref: [u8; 16],
}

/// A transaction that is ready to be submitted.
#[derive(Debug)]
pub struct Signed {
    /// The transaction.
    pub transaction: Transaction,
    /// Its nonce: tell the [`NonceAllocator`] what became of it.
    pub lease: NonceLease,
}

/// Signs transactions for one chain.
#[derive(Debug)]
pub struct Wallet<S> {
    chain_id: Digest,
    signer: S,
    nonces: NonceAllocator,
}

impl<S: Signer> Wallet<S> {
    /// Signs for the chain with this genesis.
    pub fn new(chain_id: Digest, signer: S) -> Self {
        Self { chain_id, signer, nonces: NonceAllocator::new(MAX_ACCOUNTS) }
    }

    /// Takes the sender's next nonce and signs. If signing fails, the nonce is free again.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign(&self, draft: Draft, view: &NonceView) -> Result<Signed, SignError<S::Error>> {
        let Draft { sender, operation, valid_until, client_ref } = draft;
        let lease = self.nonces.hand_out(sender, view, valid_until)?;
        let body = Body {
            chain_id: self.chain_id,
            operation,
            sender,
            nonce: lease.nonce(),
            valid_until,
            client_ref,
        };
        match self.signer.sign(body) {
            Ok(transaction) => Ok(Signed { transaction, lease }),
            Err(e) => {
                self.nonces.release(lease);
                Err(SignError::Signer(e))
            }
        }
    }

    /// Where to say what became of a transaction.
    pub const fn nonces(&self) -> &NonceAllocator {
        &self.nonces
    }

    /// Whoever signs.
    pub const fn signer(&self) -> &S {
        &self.signer
    }
}
