//! Tokens: assets that members make, such as shares of a company. Each has an issuer, who alone makes more of it.
//!
//! How much there is and who has it are supplies and balances, as for the coin: [`PaymentOp::Pay`](crate::PaymentOp::Pay)
//! pays in tokens too. An allowance lets somebody else transfer up to an amount. It is changed by naming the old amount with
//! the new one: a spender who is quick cannot have both.

mod rules;

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::amount::{Amount, TokenId};
use crate::event::event_names;
use crate::table::{Row, Table, TableId};
use crate::text::TokenName;
use crate::time::UnixMillis;

pub(crate) use rules::{apply, check};

/// Transactions about tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenOp {
    /// Makes a token of which there is nothing yet. The sender is its issuer.
    Create {
        /// Its symbol, which no other token has.
        token: TokenId,
        /// What it is called.
        name: TokenName,
        /// How many digits of an amount are behind the point when it is shown.
        decimals: Decimals,
        /// How much of it there may be at one time, if that is bounded.
        cap: Option<Amount>,
    },
    /// Makes more. By the issuer.
    Mint {
        /// Of which.
        token: TokenId,
        /// Who gets it.
        to: Address,
        /// How much.
        amount: Amount,
    },
    /// Destroys what the sender has.
    Burn {
        /// Of which.
        token: TokenId,
        /// How much.
        amount: Amount,
    },
    /// Gives what the sender has to someone else.
    Transfer {
        /// Of which.
        token: TokenId,
        /// Who gets it.
        to: Address,
        /// How much.
        amount: Amount,
    },
    /// Sets how much someone may transfer of what the sender has.
    Approve {
        /// Of which.
        token: TokenId,
        /// Who may.
        spender: Address,
        /// How much it is now. If it is not, nothing happens.
        from: Amount,
        /// How much it will be.
        to: Amount,
    },
    /// Gives what somebody else has to a third one. The sender's allowance becomes smaller by it.
    TransferFrom {
        /// Of which.
        token: TokenId,
        /// Who has it.
        owner: Address,
        /// Who gets it.
        to: Address,
        /// How much.
        amount: Amount,
    },
    /// Makes someone else the issuer. By the issuer.
    HandOver {
        /// Which.
        token: TokenId,
        /// The next issuer.
        to: Address,
    },
}

/// How many digits of an amount are behind the point when it is shown: at most 18. The ledger counts minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8")]
pub struct Decimals(u8);

impl Decimals {
    /// The most there can be.
    pub const MAX: u8 = 18;
    /// Whole units.
    pub const NONE: Self = Self(0);

    /// So many digits, unless there are more than 18.
    pub const fn new(digits: u8) -> Option<Self> {
        if digits <= Self::MAX { Some(Self(digits)) } else { None }
    }

    /// The number of digits.
    pub const fn value(self) -> u8 {
        self.0
    }
}

/// More than 18.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an amount has at most 18 decimals")]
pub struct TooManyDecimals;

impl TryFrom<u8> for Decimals {
    type Error = TooManyDecimals;

    fn try_from(digits: u8) -> Result<Self, TooManyDecimals> {
        Self::new(digits).ok_or(TooManyDecimals)
    }
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Who makes more of it.
    pub issuer: Address,
    /// What it is called.
    pub name: TokenName,
    /// How many digits of an amount are behind the point when it is shown.
    pub decimals: Decimals,
    /// How much of it there may be at one time.
    pub cap: Option<Amount>,
    /// Since when it exists.
    pub created_at: UnixMillis,
}

impl Row for Token {
    type Key = TokenId;
    const TABLE: TableId = TableId::Tokens;
}

/// How much of what an owner has a spender may transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// So much.
    pub amount: Amount,
}

impl Row for Allowance {
    /// Owner, spender and token.
    type Key = (Address, Address, TokenId);
    const TABLE: TableId = TableId::Allowances;
}

/// Why nothing happens to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum TokenRejection {
    /// Another token has the symbol.
    #[error("the symbol is taken")]
    SymbolTaken,
    /// No such token.
    #[error("there is no such token")]
    UnknownToken,
    /// Only the issuer does this.
    #[error("only the issuer may do this")]
    NotIssuer,
    /// Nothing is made, destroyed or given.
    #[error("the amount is zero")]
    ZeroAmount,
    /// There would be more than the token's cap.
    #[error("there would be more than {cap}")]
    CapExceeded {
        /// How much there may be.
        cap: Amount,
        /// How much there is.
        supply: Amount,
    },
    /// Who should get it has no account.
    #[error("this address has no account")]
    UnknownAccount,
    /// It would go where it comes from.
    #[error("both sides are the same")]
    SameAccount,
    /// The allowance is not what the sender takes it for.
    #[error("the allowance is {current}")]
    AllowanceChanged {
        /// What it is.
        current: Amount,
    },
    /// The sender may not transfer so much.
    #[error("the allowance is {allowed}")]
    AllowanceTooSmall {
        /// How much the sender may transfer.
        allowed: Amount,
    },
}

codes_of! {
    pub(crate) TokenRejection {
        SymbolTaken => "SYMBOL_TAKEN",
        UnknownToken => "UNKNOWN_TOKEN",
        NotIssuer => "NOT_ISSUER",
        ZeroAmount => "ZERO_AMOUNT",
        CapExceeded => "CAP_EXCEEDED",
        UnknownAccount => "UNKNOWN_RECIPIENT",
        SameAccount => "SAME_ACCOUNT",
        AllowanceChanged => "ALLOWANCE_CHANGED",
        AllowanceTooSmall => "ALLOWANCE_TOO_SMALL",
    }
}

/// What happens to tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenEvent {
    /// There is a new token.
    Created {
        /// Its symbol.
        token: TokenId,
        /// Who makes it.
        issuer: Address,
        /// What it is called.
        name: TokenName,
        /// How many digits of an amount are behind the point.
        decimals: Decimals,
        /// How much of it there may be at one time.
        cap: Option<Amount>,
        /// When.
        at: UnixMillis,
    },
    /// There is more of it.
    Minted {
        /// Of which.
        token: TokenId,
        /// Who made it.
        issuer: Address,
        /// Who has it.
        to: Address,
        /// How much.
        amount: Amount,
        /// When.
        at: UnixMillis,
    },
    /// There is less of it.
    Burned {
        /// Of which.
        token: TokenId,
        /// Who had it.
        owner: Address,
        /// How much.
        amount: Amount,
        /// When.
        at: UnixMillis,
    },
    /// It went from one account to another.
    Transferred {
        /// Of which.
        token: TokenId,
        /// Who had it.
        from: Address,
        /// Who has it.
        to: Address,
        /// How much.
        amount: Amount,
        /// Who did it by an allowance, if not the owner.
        spender: Option<Address>,
        /// When.
        at: UnixMillis,
    },
    /// Somebody may transfer another amount.
    Approved {
        /// Of which.
        token: TokenId,
        /// Who has it.
        owner: Address,
        /// Who may.
        spender: Address,
        /// How much it was.
        before: Amount,
        /// How much it is.
        after: Amount,
        /// When.
        at: UnixMillis,
    },
    /// Someone else is the issuer.
    HandedOver {
        /// Which.
        token: TokenId,
        /// Who it was.
        from: Address,
        /// Who it is.
        to: Address,
        /// When.
        at: UnixMillis,
    },
}

event_names! {
    TokenEvent {
        Self::Created { .. } => "token.created",
        Self::Minted { .. } => "token.minted",
        Self::Burned { .. } => "token.burned",
        Self::Transferred { .. } => "token.transferred",
        Self::Approved { .. } => "token.approved",
        Self::HandedOver { .. } => "token.handed_over",
    }
}

#[derive(Default)]
pub(crate) struct Tokens {
    pub(crate) rows: Table<Token>,
    pub(crate) allowances: Table<Allowance>,
}

impl Tokens {
    pub(crate) fn find(&self, token: &TokenId) -> Option<&Token> {
        self.rows.find(token)
    }

    pub(crate) fn allowance(&self, owner: Address, spender: Address, token: TokenId) -> Amount {
        self.allowances.find(&(owner, spender, token)).map_or(Amount::ZERO, |row| row.amount)
    }

    /// What an owner has let others transfer, after one of them, in the order of their addresses and of the symbols.
    pub(crate) fn allowances_of(
        &self,
        owner: Address,
        after: Option<(Address, TokenId)>,
    ) -> impl Iterator<Item = (Address, TokenId, Amount)> {
        let (spender, token) = after.unwrap_or((Address::from_bytes([0; 32]), TokenId::BEFORE_ALL));
        let of_owner =
            self.allowances.range((owner, spender, token)).take_while(move |(key, _)| key.0 == owner);
        let rows = of_owner.map(|((_, spender, token), row)| (*spender, *token, row.amount));
        rows.filter(move |(spender, token, _)| after != Some((*spender, *token)))
    }
}
