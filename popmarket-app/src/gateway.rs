//! What makes things happen: signs for members, checks what can be known beforehand, submits, and knows what came of it.

mod error;
mod submitter;

use std::time::Duration;

use ledger::{Height, Name, Operation, Outcome, Transaction, TxId};
use pbft_crypto::{Address, PublicKey};

use crate::accounts_db::{AccountsDb, Member, Password};

pub use error::{EnrolError, GatewayError};
pub use submitter::{Answer, NoAnswer, Submitter};

/// The gateway. Clones share it.
#[derive(Clone)]
pub struct Gateway {}

/// A transaction that was submitted. Goes on whether this is dropped or not.
pub struct Submission {
    tx_id: TxId,
}

/// A transaction that is on the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The transaction.
    pub tx_id: TxId,
    /// Its block.
    pub height: Height,
    /// Its place among the block's transactions.
    pub index: u32,
    /// What came of it.
    pub outcome: Outcome,
}

#[allow(unused_variables, clippy::unused_async, clippy::todo)]
impl Gateway {
    /// Signs an operation with the key that is kept for the account, and submits it. Fails at once, and for certain, if
    /// the ledger would refuse it now.
    pub async fn submit_as(
        &self,
        sender: Address,
        operation: impl Into<Operation> + Send,
        client_ref: [u8; 16],
    ) -> Result<Submission, GatewayError> {
        todo!()
    }

    /// Submits what a member signed. One that is on the chain already is not submitted again: its submission answers
    /// with what came of it.
    pub async fn submit_signed(&self, transaction: Transaction) -> Result<Submission, GatewayError> {
        todo!()
    }

    /// A new member whose key is kept here: makes the key, the login and the account, and waits for the account.
    pub async fn enrol_custodial(
        &self,
        accounts: &AccountsDb,
        name: Name,
        password: &Password,
        wait: Duration,
    ) -> Result<(Member, Recorded), EnrolError> {
        todo!()
    }

    /// A new member who signs: `registration` is the signed transaction that opens the account with this name.
    pub async fn enrol_self_custody(
        &self,
        accounts: &AccountsDb,
        registration: Transaction,
        password: &Password,
        wait: Duration,
    ) -> Result<(Member, Recorded), EnrolError> {
        todo!()
    }

    /// Makes a key for an account to be, and keeps it.
    pub async fn create_key(&self) -> Result<PublicKey, GatewayError> {
        todo!()
    }
}

#[allow(unused_variables, clippy::unused_async, clippy::todo)]
impl Submission {
    /// The transaction.
    pub const fn tx_id(&self) -> TxId {
        self.tx_id
    }

    /// Waits until it is recorded **and** in the read model, so that whoever reads next sees it.
    /// [`GatewayError::TimedOut`]: it may still be recorded. [`GatewayError::Refused`]: it never is.
    pub async fn recorded(&mut self, at_most: Duration) -> Result<Recorded, GatewayError> {
        todo!()
    }
}

impl Recorded {
    /// Itself, if it was carried out.
    ///
    /// # Errors
    /// [`GatewayError::Rejected`].
    pub fn applied(self) -> Result<Self, GatewayError> {
        match self.outcome {
            Outcome::Applied => Ok(self),
            Outcome::Rejected(rejection) => {
                Err(GatewayError::Rejected { tx_id: self.tx_id, height: self.height, rejection })
            }
        }
    }
}
