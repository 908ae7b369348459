//! Why something did not happen, or is not known to have happened.

use ledger::{Height, Refusal, Rejection, TxId};
use thiserror::Error;
use wallet::{CustodyError, NonceError};

use crate::accounts_db::AccountsError;
use crate::read_model::ReadError;
use crate::store::StoreError;

/// Why a transaction is not carried out, or not known to be.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// It is not recorded, and the account's nonce is free again.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// It is recorded as failed.
    #[error("rejected: {rejection}")]
    Rejected {
        /// The transaction.
        tx_id: TxId,
        /// Its block.
        height: Height,
        /// Why.
        rejection: Rejection,
    },
    /// It is not recorded: the chain has as many accounts as it can have.
    #[error("the chain takes no more accounts")]
    Full,
    /// What is on the chain is still being read: nothing was submitted.
    #[error("the chain is still being read")]
    CatchingUp,
    /// Too much is going on at once: nothing was submitted.
    #[error("too many transactions are in flight")]
    Busy,
    /// The account has too many transactions in flight: nothing was submitted.
    #[error(transparent)]
    Nonces(#[from] NonceError),
    /// Not known yet. It may still be recorded; submitting the same transaction again is safe.
    #[error("it is not known yet what came of transaction {tx_id}")]
    TimedOut {
        /// The transaction.
        tx_id: TxId,
    },
    /// The custody cannot sign: nothing was submitted.
    #[error(transparent)]
    Custody(#[from] CustodyError),
    /// The ledger's store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The outbox cannot be used: nothing was submitted.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// The read model cannot be read: nothing was submitted.
    #[error(transparent)]
    Model(#[from] ReadError),
    /// The server is going down.
    #[error("the gateway stops")]
    Stopping,
}

impl GatewayError {
    /// A name that never changes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Rejected { rejection, .. } => rejection.code(),
            Self::Busy | Self::Nonces(_) => "BUSY",
            Self::TimedOut { .. } => "TIMED_OUT",
            Self::Custody(CustodyError::UnknownAccount(_)) => "NO_CUSTODY",
            Self::Full => "CHAIN_FULL",
            Self::Stopping | Self::CatchingUp => "UNAVAILABLE",
            _ if self.is_database_trouble() => "DATABASE_UNAVAILABLE",
            Self::Custody(_) | Self::Store(_) | Self::Accounts(_) | Self::Model(_) => "INTERNAL",
        }
    }

    /// Whether the same request may succeed later. After [`TimedOut`](Self::TimedOut) only the same *transaction* may be
    /// sent again, else it may be carried out twice.
    pub fn is_retryable(&self) -> bool {
        match self {
            _ if self.is_database_trouble() => true,
            Self::Busy | Self::Nonces(_) | Self::TimedOut { .. } | Self::CatchingUp | Self::Stopping => true,
            Self::Refused(refusal) => matches!(refusal, Refusal::NonceTooFar { .. }),
            Self::Rejected { .. }
            | Self::Full
            | Self::Custody(_)
            | Self::Store(_)
            | Self::Accounts(_)
            | Self::Model(_) => false,
        }
    }

    /// A database did not answer, and may do so later.
    fn is_database_trouble(&self) -> bool {
        match self {
            Self::Accounts(error) => error.may_pass(),
            Self::Model(error) => error.may_pass(),
            _ => false,
        }
    }

    /// The transaction, if one was submitted.
    pub const fn tx_id(&self) -> Option<TxId> {
        match self {
            Self::Rejected { tx_id, .. } | Self::TimedOut { tx_id } => Some(*tx_id),
            _ => None,
        }
    }
}

/// Why someone does not become a member.
#[derive(Debug, Error)]
pub enum EnrolError {
    /// About the login.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// About the account.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The transaction is not one that opens an account.
    #[error("the transaction does not open an account")]
    NotARegistration,
    /// Whoever asks need not be who has signed the transaction.
    #[error("the registration's client_ref is not the first half of the SHA-256 of the proof")]
    NotProven,
    /// The key was not made here.
    #[error("no such key was made here")]
    UnknownWallet,
}
