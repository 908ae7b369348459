//! Why a transaction that is on the chain did nothing.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    AccountRejection, ChargeRejection, ExchangeRejection, ListingRejection, MoneyRejection, PaymentRejection,
    PollRejection, ReplicaRejection, ReviewRejection, TokenRejection, TradeRejection, WithdrawalRejection,
};

/// A failure by the rules of the business. It is recorded and the nonce is used up, so that sending the same transaction
/// again cannot change what came of it. Each kind of business has its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// Moving money.
    #[error(transparent)]
    Money(#[from] MoneyRejection),
    /// Accounts.
    #[error(transparent)]
    Account(#[from] AccountRejection),
    /// Charges.
    #[error(transparent)]
    Charge(#[from] ChargeRejection),
    /// Payments.
    #[error(transparent)]
    Payment(#[from] PaymentRejection),
    /// Listings.
    #[error(transparent)]
    Listing(#[from] ListingRejection),
    /// Trades.
    #[error(transparent)]
    Trade(#[from] TradeRejection),
    /// Replicas.
    #[error(transparent)]
    Replica(#[from] ReplicaRejection),
    /// Reviews.
    #[error(transparent)]
    Review(#[from] ReviewRejection),
    /// Withdrawals.
    #[error(transparent)]
    Withdrawal(#[from] WithdrawalRejection),
    /// Tokens.
    #[error(transparent)]
    Token(#[from] TokenRejection),
    /// The exchange.
    #[error(transparent)]
    Exchange(#[from] ExchangeRejection),
    /// Polls.
    #[error(transparent)]
    Poll(#[from] PollRejection),
}

codes_of! {
    pub Rejection {
        ..Money => MoneyRejection,
        ..Account => AccountRejection,
        ..Charge => ChargeRejection,
        ..Payment => PaymentRejection,
        ..Listing => ListingRejection,
        ..Trade => TradeRejection,
        ..Replica => ReplicaRejection,
        ..Review => ReviewRejection,
        ..Withdrawal => WithdrawalRejection,
        ..Token => TokenRejection,
        ..Exchange => ExchangeRejection,
        ..Poll => PollRejection,
    }
}
