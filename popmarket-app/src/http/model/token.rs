use ledger::{Amount, Decimals, Name, TokenId, TokenName};
use pbft_crypto::Address;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::List;
use crate::http::timestamp::rfc3339;
use crate::read_model::{HolderRecord, TokenRecord};

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Its symbol, which no other token has.
    #[schema(value_type = String, example = "SHOP", pattern = "^[A-Z][A-Z0-9]{2,11}$")]
    pub symbol: TokenId,
    /// What it is called.
    #[schema(value_type = String, max_length = 64, example = "Shop shares")]
    pub name: TokenName,
    /// How many digits of an amount are behind the point when it is shown. Amounts in the API are minor units.
    #[serde(default = "no_decimals")]
    #[schema(value_type = u8, maximum = 18, default = 0)]
    pub decimals: Decimals,
    /// How much of it there may be at one time, in minor units.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "1000000", pattern = "^[0-9]{1,20}$")]
    pub cap: Option<Amount>,
}

fn no_decimals() -> Decimals {
    Decimals::new(0).expect("0 is at most 18: see the test")
}

/// More of a token. By its issuer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Minting {
    /// Who gets it.
    #[schema(value_type = String)]
    pub to: Address,
    /// How much, in minor units.
    #[schema(value_type = String, example = "1000", pattern = "^[0-9]{1,20}$")]
    pub amount: Amount,
}

/// Less of a token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Burning {
    /// How much of what you have, in minor units.
    #[schema(value_type = String, example = "1000", pattern = "^[0-9]{1,20}$")]
    pub amount: Amount,
}

/// Tokens for someone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Giving {
    /// Who gets them.
    #[schema(value_type = String)]
    pub to: Address,
    /// How much, in minor units.
    #[schema(value_type = String, example = "1000", pattern = "^[0-9]{1,20}$")]
    pub amount: Amount,
    /// Who has them, if not you: your allowance becomes smaller by the amount.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub owner: Option<Address>,
}

/// How much someone may transfer of what you have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Allowing {
    /// Who may.
    #[schema(value_type = String)]
    pub spender: Address,
    /// How much it is now: if it is not, nothing happens, and the spender cannot have both the old and the new amount.
    #[schema(value_type = String, example = "0", pattern = "^[0-9]{1,20}$")]
    pub from: Amount,
    /// How much it will be.
    #[schema(value_type = String, example = "500", pattern = "^[0-9]{1,20}$")]
    pub to: Amount,
}

/// How much of what an owner has someone else may transfer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AllowanceView {
    /// Of which token.
    #[schema(value_type = String, example = "SHOP")]
    pub token: TokenId,
    /// Who has it.
    #[schema(value_type = String)]
    pub owner: Address,
    /// Who may transfer it.
    #[schema(value_type = String)]
    pub spender: Address,
    /// How much, in minor units.
    #[schema(value_type = String, example = "500")]
    pub amount: Amount,
}

/// How much of what you have someone else may transfer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct GivenAllowanceView {
    /// Names it in the list: who may, and of what.
    pub id: String,
    /// Of which token.
    #[schema(value_type = String, example = "SHOP")]
    pub token: TokenId,
    /// Who may transfer it.
    #[schema(value_type = String)]
    pub spender: Address,
    /// How much, in minor units.
    #[schema(value_type = String, example = "500")]
    pub amount: Amount,
}

impl GivenAllowanceView {
    /// So much of a token, for someone.
    pub fn new(spender: Address, token: TokenId, amount: Amount) -> Self {
        Self { id: format!("{spender}-{token}"), token, spender, amount }
    }
}

/// Allowances of one owner.
pub type GivenAllowances = List<GivenAllowanceView>;

/// The next issuer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandingOver {
    /// Who makes more of the token from now on.
    #[schema(value_type = String)]
    pub to: Address,
}

/// A token.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// Its symbol: the asset in payments, balances and markets.
    #[schema(value_type = String, example = "SHOP")]
    pub symbol: TokenId,
    /// What it is called.
    #[schema(value_type = String)]
    pub name: TokenName,
    /// Who makes more of it.
    #[schema(value_type = String)]
    pub issuer: Address,
    /// The issuer's name.
    #[schema(value_type = String)]
    pub issuer_name: Name,
    /// How many digits of an amount are behind the point when it is shown.
    #[schema(value_type = u8)]
    pub decimals: Decimals,
    /// How much of it there may be at one time.
    #[schema(value_type = Option<String>)]
    pub cap: Option<Amount>,
    /// How much of it there is.
    #[schema(value_type = String, example = "1000")]
    pub supply: Amount,
    /// How many accounts have some of it.
    pub holders: u64,
    /// Since when it exists.
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// A part of the list of tokens.
pub type TokenList = List<TokenView>;

impl From<TokenRecord> for TokenView {
    fn from(record: TokenRecord) -> Self {
        let TokenRecord { symbol, issuer, issuer_name, name, decimals, cap, supply, holders, created_at } =
            record;
        let created_at = rfc3339(created_at);
        Self { symbol, name, issuer, issuer_name, decimals, cap, supply, holders, created_at }
    }
}

/// Who has some of a token.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct HolderView {
    /// Who.
    #[schema(value_type = String)]
    pub address: Address,
    /// The name of who.
    #[schema(value_type = String)]
    pub name: Name,
    /// Free to spend, in minor units.
    #[schema(value_type = String, example = "900")]
    pub available: Amount,
    /// Set aside for orders, in minor units.
    #[schema(value_type = String, example = "100")]
    pub held: Amount,
}

/// A part of the list of holders.
pub type HolderList = List<HolderView>;

impl From<HolderRecord> for HolderView {
    fn from(HolderRecord { account, name, available, held }: HolderRecord) -> Self {
        Self { address: account, name, available, held }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_token_may_have_no_decimals() {
        assert_eq!(super::no_decimals().value(), 0);
    }
}
