//! Tokens and who has them.

use ledger::{Amount, AssetId, Decimals, Name, TokenId, TokenName, UnixMillis};
use pbft_crypto::Address;

use super::list::List;
use super::page::PageRequest;
use super::{Found, Listed, ReadError, ReadModel};
use crate::sql::{
    Col,
    either::{self, QueryBuilder, Row},
};

/// A token, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// Its symbol.
    pub symbol: TokenId,
    /// Who makes more of it.
    pub issuer: Address,
    /// The issuer's name.
    pub issuer_name: Name,
    /// What it is called.
    pub name: TokenName,
    /// How many digits of an amount are behind the point.
    pub decimals: Decimals,
    /// How much of it there may be at one time.
    pub cap: Option<Amount>,
    /// How much of it there is.
    pub supply: Amount,
    /// How many accounts have some of it.
    pub holders: u64,
    /// Since when it exists.
    pub created_at: UnixMillis,
}

/// Who has how much of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderRecord {
    /// Who.
    pub account: Address,
    /// The name of who.
    pub name: Name,
    /// Free to spend.
    pub available: Amount,
    /// Set aside for orders.
    pub held: Amount,
}

const TOKENS: List = List {
    select: "SELECT tokens.*, accounts.name AS issuer_name FROM tokens \
             JOIN accounts ON accounts.address = tokens.issuer WHERE 1 = 1",
    table: "tokens",
    key: "symbol",
    order: &["position"],
    descending: true,
};

/// The first condition is that of the index, to the letter.
pub(super) const HOLDERS: &str = "SELECT balances.*, accounts.name FROM balances \
    JOIN accounts ON accounts.address = balances.account \
    WHERE (balances.available > '00000000000000000000' OR balances.held > '00000000000000000000') \
    AND balances.asset = $1 AND balances.account > $2 ORDER BY balances.account LIMIT $3";

pub(super) fn decimals(row: &Row) -> Result<Decimals, sqlx::Error> {
    let decimals: u32 = row.col("decimals")?;
    let decimals = u8::try_from(decimals).ok().and_then(Decimals::new);
    decimals.ok_or_else(|| sqlx::Error::Decode("too many decimals".into()))
}

fn token(row: &Row) -> Result<TokenRecord, sqlx::Error> {
    Ok(TokenRecord {
        symbol: row.col("symbol")?,
        issuer: row.col("issuer")?,
        issuer_name: row.col("issuer_name")?,
        name: row.col("name")?,
        decimals: decimals(row)?,
        cap: row.optional("cap")?,
        supply: row.col("supply")?,
        holders: row.col("holders")?,
        created_at: row.col("created_at")?,
    })
}

fn holder(row: &Row) -> Result<HolderRecord, sqlx::Error> {
    Ok(HolderRecord {
        account: row.col("account")?,
        name: row.col("name")?,
        available: row.col("available")?,
        held: row.col("held")?,
    })
}

impl ReadModel {
    /// A token.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn token(&self, symbol: TokenId) -> Found<TokenRecord> {
        let mut sql = QueryBuilder::new(TOKENS.select);
        sql.push(" AND tokens.symbol = ").push_bind(Col(symbol));
        let row = sql.build().fetch_optional(self.readers()).await?;
        Ok(row.as_ref().map(token).transpose()?)
    }

    /// Tokens, the newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn tokens(&self, page: PageRequest<TokenId>) -> Listed<TokenRecord> {
        TOKENS.page(self.readers(), page, |_| {}, token).await
    }

    /// Who has some of a token, by address; from the one after `after` on, at most so many.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn holders(
        &self,
        token: TokenId,
        after: Option<Address>,
        limit: u32,
    ) -> Result<Vec<HolderRecord>, ReadError> {
        let asset = Col(AssetId::from(token));
        let after = after.map(|address| address.as_bytes().to_vec()).unwrap_or_default();
        let query = either::query(HOLDERS).bind(asset).bind(after).bind(i64::from(limit));
        let rows = query.fetch_all(self.readers()).await?;
        Ok(rows.iter().map(holder).collect::<Result<_, _>>()?)
    }
}
