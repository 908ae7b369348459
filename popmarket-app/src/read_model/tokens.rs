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
    select: "SELECT tokens.*, accounts.name AS issuer_name, (SELECT COUNT(*) FROM balances \
             WHERE balances.asset = tokens.symbol AND (balances.available > '00000000000000000000' \
             OR balances.held > '00000000000000000000')) AS holders FROM tokens \
             JOIN accounts ON accounts.address = tokens.issuer WHERE 1 = 1",
    table: "tokens",
    key: "symbol",
    order: &["position"],
    descending: true,
};

fn token(row: &Row) -> Result<TokenRecord, sqlx::Error> {
    let decimals: u32 = row.col("decimals")?;
    let decimals = u8::try_from(decimals).ok().and_then(Decimals::new);
    Ok(TokenRecord {
        symbol: row.col("symbol")?,
        issuer: row.col("issuer")?,
        issuer_name: row.col("issuer_name")?,
        name: row.col("name")?,
        decimals: decimals.ok_or_else(|| sqlx::Error::Decode("too many decimals".into()))?,
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
        let sql = "SELECT balances.*, accounts.name FROM balances \
                   JOIN accounts ON accounts.address = balances.account WHERE balances.asset = $1 \
                   AND (balances.available > $2 OR balances.held > $2) AND balances.account > $3 \
                   ORDER BY balances.account LIMIT $4";
        let asset = Col(AssetId::from(token));
        let after = after.map(|address| address.as_bytes().to_vec()).unwrap_or_default();
        let query = either::query(sql).bind(asset).bind(Col(Amount::ZERO)).bind(after).bind(i64::from(limit));
        let rows = query.fetch_all(self.readers()).await?;
        Ok(rows.iter().map(holder).collect::<Result<_, _>>()?)
    }
}
