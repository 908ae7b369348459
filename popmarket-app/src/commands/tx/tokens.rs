//! Tokens.

use clap::Subcommand;
use ledger::{Amount, Decimals, TokenId, TokenName, TokenOp};
use pbft_crypto::Address;

fn decimals(text: &str) -> Result<Decimals, String> {
    let digits: u8 = text.parse().map_err(|_| "a number from 0 to 18")?;
    Decimals::try_from(digits).map_err(|error| error.to_string())
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenKind {
    /// Make a token; you are its issuer
    Create {
        /// Its symbol: 3 to 12 capital letters and digits
        token: TokenId,
        /// What it is called
        name: TokenName,
        /// How many digits of an amount are behind the point when it is shown
        #[arg(long, default_value = "0", value_parser = decimals)]
        decimals: Decimals,
        /// How much of it there may be at one time
        #[arg(long)]
        cap: Option<Amount>,
    },
    /// Make more of it; for its issuer
    Mint {
        /// Of which
        token: TokenId,
        /// Who gets it
        #[arg(value_name = "ADDRESS")]
        to: Address,
        /// How much, in minor units
        amount: Amount,
    },
    /// Destroy some that you have
    Burn {
        /// Of which
        token: TokenId,
        /// How much, in minor units
        amount: Amount,
    },
    /// Give some that you have to someone
    Transfer {
        /// Of which
        token: TokenId,
        /// Who gets it
        #[arg(value_name = "ADDRESS")]
        to: Address,
        /// How much, in minor units
        amount: Amount,
    },
    /// Set how much someone may transfer of what you have
    Approve {
        /// Of which
        token: TokenId,
        /// Who may
        spender: Address,
        /// How much it is now: if it is not, nothing happens
        #[arg(long, default_value = "0")]
        from: Amount,
        /// How much it will be
        #[arg(long)]
        to: Amount,
    },
    /// Give what somebody else has to a third one, as they have allowed
    TransferFrom {
        /// Of which
        token: TokenId,
        /// Who has it
        owner: Address,
        /// Who gets it
        #[arg(value_name = "ADDRESS")]
        to: Address,
        /// How much, in minor units
        amount: Amount,
    },
    /// Make someone else the issuer
    HandOver {
        /// Of which
        token: TokenId,
        /// The next issuer
        #[arg(value_name = "ADDRESS")]
        to: Address,
    },
}

impl TokenKind {
    pub(super) fn operation(self) -> TokenOp {
        match self {
            Self::Create { token, name, decimals, cap } => TokenOp::Create { token, name, decimals, cap },
            Self::Mint { token, to, amount } => TokenOp::Mint { token, to, amount },
            Self::Burn { token, amount } => TokenOp::Burn { token, amount },
            Self::Transfer { token, to, amount } => TokenOp::Transfer { token, to, amount },
            Self::Approve { token, spender, from, to } => TokenOp::Approve { token, spender, from, to },
            Self::TransferFrom { token, owner, to, amount } => {
                TokenOp::TransferFrom { token, owner, to, amount }
            }
            Self::HandOver { token, to } => TokenOp::HandOver { token, to },
        }
    }
}
