//! Whatever a text may name or be about.

use std::str::FromStr;

use ledger::{Height, ListingId, MarketId, Name, PollId, Question, Title, TokenId, TokenName, TradeId, TxId};
use pbft_crypto::{Address, Digest};

use super::listings::{pattern, words};
use super::page::{PageLimit, PageRequest, PageStart};
use super::query::ListingQuery;
use super::{ReadError, ReadModel};
use crate::sql::either::{self, QueryBuilder, Row};

/// How many of each kind are found at most.
const MOST: u32 = 10;

/// Behind every character that names and symbols have.
const BEHIND: char = '\u{ffff}';

/// Something that a search has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hit {
    /// A block, by its height or hash.
    Block {
        /// Its height.
        height: Height,
        /// Its hash.
        hash: Digest,
    },
    /// A transaction, by its id.
    Transaction {
        /// Its id.
        id: TxId,
    },
    /// An account, by its address or the beginning of its name.
    Account {
        /// Its address.
        address: Address,
        /// Its name.
        name: Name,
    },
    /// A listing, by its id or by words in it.
    Listing {
        /// Its id.
        id: ListingId,
        /// Its title.
        title: Title,
    },
    /// A trade, by its id.
    Trade {
        /// Its id.
        id: TradeId,
        /// What is bought.
        listing: ListingId,
        /// What that is called.
        title: Title,
        /// Buyer, seller and, if there is one, the arbiter.
        parties: Vec<Address>,
    },
    /// A payment, by its transaction.
    Payment {
        /// That transaction.
        tx: TxId,
    },
    /// A token, by the beginning of its symbol.
    Token {
        /// Its symbol.
        symbol: TokenId,
        /// Its name.
        name: TokenName,
    },
    /// A market, by the beginning of its name.
    Market {
        /// Its name.
        id: MarketId,
    },
    /// A poll, by its id or by words in its question.
    Poll {
        /// Its id.
        id: PollId,
        /// Its question.
        question: Question,
    },
}

impl Hit {
    /// The names of all kinds: they never change.
    pub const KINDS: [&'static str; 9] =
        ["block", "transaction", "account", "listing", "trade", "payment", "token", "market", "poll"];

    /// What kind of thing it is.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Block { .. } => "block",
            Self::Transaction { .. } => "transaction",
            Self::Account { .. } => "account",
            Self::Listing { .. } => "listing",
            Self::Trade { .. } => "trade",
            Self::Payment { .. } => "payment",
            Self::Token { .. } => "token",
            Self::Market { .. } => "market",
            Self::Poll { .. } => "poll",
        }
    }

    /// What names it among those of its kind.
    pub fn id(&self) -> String {
        match self {
            Self::Block { height, .. } => height.to_string(),
            Self::Transaction { id } => id.to_string(),
            Self::Account { address, .. } => address.to_string(),
            Self::Listing { id, .. } => id.to_string(),
            Self::Trade { id, .. } => id.to_string(),
            Self::Payment { tx } => tx.to_string(),
            Self::Token { symbol, .. } => symbol.to_string(),
            Self::Market { id } => id.to_string(),
            Self::Poll { id, .. } => id.to_string(),
        }
    }
}

type Hits = Result<Vec<Hit>, ReadError>;

fn account(row: &Row) -> Result<Hit, sqlx::Error> {
    Ok(Hit::Account { address: row.col("address")?, name: row.col("name")? })
}

fn token(row: &Row) -> Result<Hit, sqlx::Error> {
    Ok(Hit::Token { symbol: row.col("symbol")?, name: row.col("name")? })
}

fn market(row: &Row) -> Result<Hit, sqlx::Error> {
    Ok(Hit::Market { id: row.col("id")? })
}

fn poll(row: &Row) -> Result<Hit, sqlx::Error> {
    Ok(Hit::Poll { id: row.col("id")?, question: row.col("question")? })
}

impl ReadModel {
    /// What a text names, and what it may be about: what it names exactly comes first. Charges, withdrawals and orders are
    /// found as the transactions that made them.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn search(&self, text: &str) -> Hits {
        let text = text.trim();
        if text.is_empty() || text.contains(char::is_control) {
            return Ok(Vec::new());
        }
        if let Ok(digest) = Digest::from_str(&text.to_ascii_lowercase()) {
            return self.search_digest(digest).await;
        }
        if let Ok(address) = text.parse::<Address>() {
            let account = self.account(&address).await?;
            let hit = account.map(|account| Hit::Account { address, name: account.name });
            return Ok(hit.into_iter().collect());
        }
        let mut hits = Vec::new();
        if let Ok(height) = text.parse() {
            let block = self.block_at(Height::new(height)).await?;
            hits.extend(block.map(|block| Hit::Block { height: block.header.height, hash: block.hash }));
        }
        hits.extend(self.search_accounts(text).await?);
        hits.extend(self.search_tokens(text).await?);
        hits.extend(self.search_markets(text).await?);
        hits.extend(self.search_listings(text).await?);
        hits.extend(self.search_polls(text).await?);
        Ok(hits)
    }

    /// What has this digest for a name. What a transaction makes has the id of the transaction.
    async fn search_digest(&self, digest: Digest) -> Hits {
        let mut hits = Vec::new();
        if let Some(block) = self.block_by_hash(&digest).await? {
            hits.push(Hit::Block { height: block.header.height, hash: block.hash });
        }
        let tx = TxId::new(digest);
        if let Some(listing) = self.listing(&tx.into()).await? {
            hits.push(Hit::Listing { id: listing.id, title: listing.content.title });
        }
        if let Some(trade) = self.trade(&tx.into()).await? {
            let arbiter = trade.row.dispute.and_then(|dispute| dispute.arbiter);
            let parties = [trade.buyer, trade.seller].into_iter().chain(arbiter).collect();
            hits.push(Hit::Trade { id: trade.id, listing: trade.listing, title: trade.title, parties });
        }
        if let Some(payment) = self.payment(&tx).await? {
            hits.push(Hit::Payment { tx: payment.tx });
        }
        let id = PollId::from(tx);
        hits.extend(self.poll_question(&id).await?.map(|question| Hit::Poll { id, question }));
        if self.transaction(&tx).await?.is_some() {
            hits.push(Hit::Transaction { id: tx });
        }
        Ok(hits)
    }

    async fn search_accounts(&self, text: &str) -> Hits {
        let sql = "SELECT address, name FROM accounts WHERE LOWER(name) >= $1 AND LOWER(name) < $2 \
                   ORDER BY LOWER(name) LIMIT $3";
        self.beginning(sql, text.to_ascii_lowercase(), account).await
    }

    async fn search_tokens(&self, text: &str) -> Hits {
        let sql =
            "SELECT symbol, name FROM tokens WHERE symbol >= $1 AND symbol < $2 ORDER BY symbol LIMIT $3";
        self.beginning(sql, text.to_ascii_uppercase(), token).await
    }

    async fn search_markets(&self, text: &str) -> Hits {
        let sql = "SELECT id FROM markets WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3";
        self.beginning(sql, text.to_ascii_uppercase(), market).await
    }

    /// What begins like this, by an index.
    async fn beginning(
        &self,
        sql: &'static str,
        text: String,
        read: fn(&Row) -> Result<Hit, sqlx::Error>,
    ) -> Hits {
        let end = format!("{text}{BEHIND}");
        let query = either::query(sql).bind(text).bind(end).bind(i64::from(MOST));
        let rows = query.fetch_all(self.readers()).await?;
        Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
    }

    async fn search_listings(&self, text: &str) -> Hits {
        let query = ListingQuery { text: Some(text.to_owned()), ..ListingQuery::default() };
        let limit = PageLimit::new(MOST).unwrap_or(PageLimit::DEFAULT);
        let page = self.listings(&query, PageRequest { limit, start: PageStart::First }).await?;
        let hit =
            |listing: super::ListingRecord| Hit::Listing { id: listing.id, title: listing.content.title };
        Ok(page.items.into_iter().map(hit).collect())
    }

    async fn search_polls(&self, text: &str) -> Hits {
        let mut sql = QueryBuilder::new("SELECT id, question FROM polls WHERE 1 = 1");
        for word in words(text) {
            sql.push(" AND search_text LIKE ").push_bind(pattern(word)).push(" ESCAPE '\\'");
        }
        sql.push(" ORDER BY position DESC LIMIT ").push_bind(i64::from(MOST));
        let rows = sql.build().fetch_all(self.readers()).await?;
        Ok(rows.iter().map(poll).collect::<Result<_, _>>()?)
    }
}
