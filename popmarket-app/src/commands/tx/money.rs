//! Payments, charges and withdrawals.

use clap::{Args, Subcommand};
use ledger::{
    Amount, AssetId, ChargeId, ChargeOp, ChargePolicy, Memo, PaymentId, PaymentOp, PolicyProposalId, Reason,
    Reference, WithdrawalId, WithdrawalOp,
};
use pbft_crypto::Address;

use super::{Facts, values::When};

/// Whom to pay what.
#[derive(Debug, Args)]
pub(super) struct Payment {
    /// Whom
    #[arg(value_name = "ADDRESS")]
    to: Address,
    /// How much, in minor units
    amount: Amount,
    /// Of what: POP, or a token
    #[arg(long, default_value = "POP")]
    asset: AssetId,
    /// The payee's own number for it, which can be paid once only
    #[arg(long)]
    reference: Option<Reference>,
    /// A note to the payee
    #[arg(long, default_value = "")]
    memo: Memo,
}

#[derive(Debug, Subcommand)]
pub(super) enum MoneyKind {
    /// Pay someone
    Pay(Payment),
    /// Set money aside that the payee can take until a deadline
    Authorize {
        #[command(flatten)]
        payment: Payment,
        /// When it goes back by itself: a time, or a span from now such as 7d
        #[arg(long, value_name = "TIME", default_value = "7d")]
        until: When,
    },
    /// Take some or all of what was set aside for you; the rest goes back
    Capture {
        /// The payment
        payment: PaymentId,
        /// How much
        amount: Amount,
    },
    /// Let all go back that was set aside for you
    Void {
        /// The payment
        payment: PaymentId,
    },
    /// Give back some or all of what you were paid
    Refund {
        /// The payment
        payment: PaymentId,
        /// How much
        amount: Amount,
    },
}

impl MoneyKind {
    pub(super) fn operation(self, facts: &Facts<'_>) -> PaymentOp {
        match self {
            Self::Pay(Payment { to, amount, asset, reference, memo }) => {
                PaymentOp::Pay { to, asset, amount, reference, memo }
            }
            Self::Authorize { payment: Payment { to, amount, asset, reference, memo }, until } => {
                let until = until.from(facts.now);
                PaymentOp::Authorize { to, asset, amount, reference, memo, until }
            }
            Self::Capture { payment, amount } => PaymentOp::Capture { payment, amount },
            Self::Void { payment } => PaymentOp::Void { payment },
            Self::Refund { payment, amount } => PaymentOp::Refund { payment, amount },
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum ChargeKind {
    /// Ask to be topped up
    Request {
        /// By how much, in minor units
        amount: Amount,
        /// What an admin needs to find the deposit
        #[arg(long, default_value = "")]
        memo: Memo,
    },
    /// Top up who asked; for admins
    Approve {
        /// The charge
        charge: ChargeId,
    },
    /// Turn it down; for admins
    Reject {
        /// The charge
        charge: ChargeId,
        /// Why
        reason: Reason,
    },
    /// Which charges are approved at once; for admins
    #[command(subcommand)]
    Policy(PolicyKind),
}

impl ChargeKind {
    pub(super) fn operation(self) -> ChargeOp {
        match self {
            Self::Request { amount, memo } => ChargeOp::Request { amount, memo },
            Self::Approve { charge } => ChargeOp::Approve { charge },
            Self::Reject { charge, reason } => ChargeOp::Reject { charge, reason },
            Self::Policy(kind) => kind.operation(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum PolicyKind {
    /// Ask that charges within these bounds are approved at once
    Propose {
        /// The most that one charge may be, in minor units
        #[arg(long, value_name = "AMOUNT")]
        per_charge: Amount,
        /// The most for one account in a day (UTC)
        #[arg(long, value_name = "AMOUNT")]
        per_day: Amount,
        /// The most for all accounts together in a day (UTC)
        #[arg(long, value_name = "AMOUNT")]
        all_per_day: Amount,
        /// How many charges of the account were approved before, at least
        #[arg(long, value_name = "COUNT", default_value_t = 0)]
        min_charges: u64,
    },
    /// Ask that admins decide on every charge
    ProposeNone,
    /// Put into force what was asked for, as another admin
    Approve {
        /// What was asked for
        proposal: PolicyProposalId,
    },
    /// Turn it down, as another admin
    Reject {
        /// What was asked for
        proposal: PolicyProposalId,
        /// Why
        reason: Reason,
    },
}

impl PolicyKind {
    fn operation(self) -> ChargeOp {
        match self {
            Self::Propose { per_charge, per_day, all_per_day, min_charges } => {
                let policy = ChargePolicy { per_charge, per_day, all_per_day, min_charges };
                ChargeOp::ProposePolicy { policy: Some(policy) }
            }
            Self::ProposeNone => ChargeOp::ProposePolicy { policy: None },
            Self::Approve { proposal } => ChargeOp::ApprovePolicy { proposal },
            Self::Reject { proposal, reason } => ChargeOp::RejectPolicy { proposal, reason },
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum WithdrawalKind {
    /// Take money out
    Request {
        /// How much, in minor units
        amount: Amount,
        /// What an admin needs to pay it out; it is on the chain for all who run a replica
        #[arg(long, default_value = "")]
        memo: Memo,
    },
    /// It is being paid out; for admins
    Settle {
        /// The withdrawal
        withdrawal: WithdrawalId,
    },
    /// Nothing comes of it; for its owner and admins
    Void {
        /// The withdrawal
        withdrawal: WithdrawalId,
        /// Why
        reason: Reason,
    },
}

impl WithdrawalKind {
    pub(super) fn operation(self) -> WithdrawalOp {
        match self {
            Self::Request { amount, memo } => WithdrawalOp::Request { amount, memo },
            Self::Settle { withdrawal } => WithdrawalOp::Settle { withdrawal },
            Self::Void { withdrawal, reason } => WithdrawalOp::Void { withdrawal, reason },
        }
    }
}
