//! Markets, orders and the tape.

use ledger::{Amount, CancelReason, MarketId, MarketStatus, OrderId, OrderSide, TokenId, UnixMillis};
use pbft_crypto::Address;

use super::list::List;
use super::page::{PageRequest, Position};
use super::{Found, Listed, ReadError, ReadModel};
use crate::sql::{
    Col,
    either::{self, QueryBuilder, Row},
};

/// How long the spans of candles are, in milliseconds: a minute, a quarter of an hour, an hour, a day.
pub const CANDLE_SPANS: [u64; 4] = [60_000, 900_000, 3_600_000, 86_400_000];

/// A sum of quantities, which may be more than an amount can say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Volume(pub u128);

impl Volume {
    /// The sum.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// A market, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketRecord {
    /// What names it.
    pub id: MarketId,
    /// All prices are multiples of it.
    pub tick: Amount,
    /// All quantities are multiples of it, and prices are for so much.
    pub lot: Amount,
    /// Whether orders can be placed.
    pub status: MarketStatus,
    /// The price of the last fill.
    pub last_price: Option<Amount>,
    /// The number of the last fill.
    pub fills: u64,
    /// How much has changed hands.
    pub volume: Volume,
    /// Since when it exists.
    pub opened_at: UnixMillis,
}

/// An order, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRecord {
    /// What names it.
    pub id: OrderId,
    /// Where.
    pub market: MarketId,
    /// Whose.
    pub owner: Address,
    /// Buys or sells.
    pub side: OrderSide,
    /// The worst price for each lot.
    pub price: Option<Amount>,
    /// How much of the base token, less what was taken back.
    pub quantity: Amount,
    /// How much of that did not change hands.
    pub remaining: Amount,
    /// `GTC`, `GTT`, `IOC`, `FOK` or `POST_ONLY`.
    pub kind: String,
    /// When it runs out.
    pub until: Option<UnixMillis>,
    /// `OPEN`, `FILLED` or `CANCELLED`.
    pub status: String,
    /// Why what was left was taken away.
    pub reason: Option<CancelReason>,
    /// When it was placed.
    pub placed_at: UnixMillis,
    /// When something happened to it last.
    pub updated_at: UnixMillis,
}

/// A line of the tape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillRecord {
    /// Its place in the one order of all events.
    pub position: Position,
    /// Where.
    pub market: MarketId,
    /// Its number on the market.
    pub number: u64,
    /// The price for each lot.
    pub price: Amount,
    /// How much changed hands.
    pub quantity: Amount,
    /// What the buyer paid.
    pub cost: Amount,
    /// The part of it that is the fee.
    pub fee: Amount,
    /// Who bought.
    pub buyer: Address,
    /// Who sold.
    pub seller: Address,
    /// What the order does that came second.
    pub taker_side: OrderSide,
    /// When.
    pub at: UnixMillis,
}

/// What some fills, one after the other, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candle {
    /// The first price.
    pub open: Amount,
    /// The highest.
    pub high: Amount,
    /// The lowest.
    pub low: Amount,
    /// The last.
    pub close: Amount,
    /// How much changed hands.
    pub volume: Volume,
    /// How many they are.
    pub fills: u64,
}

impl Candle {
    /// Of one fill.
    pub fn of(price: Amount, quantity: Amount) -> Self {
        let volume = Volume(u128::from(quantity.value()));
        Self { open: price, high: price, low: price, close: price, volume, fills: 1 }
    }

    /// With those that came after.
    pub fn add(&mut self, later: &Self) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.volume = self.volume.plus(later.volume);
        self.fills = self.fills.saturating_add(later.fills);
    }

    pub(crate) fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            open: row.col("open")?,
            high: row.col("high")?,
            low: row.col("low")?,
            close: row.col("close")?,
            volume: row.col("volume")?,
            fills: row.col("fills")?,
        })
    }
}

/// Which orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderQuery {
    /// Only those of one account.
    pub owner: Option<Address>,
    /// Only those on one market.
    pub market: Option<MarketId>,
    /// Only those that wait.
    pub only_open: bool,
}

const MARKETS: List = List {
    select: "SELECT * FROM markets WHERE 1 = 1",
    table: "markets",
    key: "id",
    order: &["position"],
    descending: true,
};

const ORDERS: List = List {
    select: "SELECT * FROM orders WHERE 1 = 1",
    table: "orders",
    key: "id",
    order: &["position"],
    descending: true,
};

const FILLS: List = List {
    select: "SELECT * FROM fills WHERE 1 = 1",
    table: "fills",
    key: "position",
    order: &["position"],
    descending: true,
};

fn market(row: &Row) -> Result<MarketRecord, sqlx::Error> {
    Ok(MarketRecord {
        id: row.col("id")?,
        tick: row.col("tick")?,
        lot: row.col("lot")?,
        status: row.col("status")?,
        last_price: row.optional("last_price")?,
        fills: row.col("fills")?,
        volume: row.col("volume")?,
        opened_at: row.col("opened_at")?,
    })
}

fn order(row: &Row) -> Result<OrderRecord, sqlx::Error> {
    Ok(OrderRecord {
        id: row.col("id")?,
        market: row.col("market")?,
        owner: row.col("owner")?,
        side: row.col("side")?,
        price: row.optional("price")?,
        quantity: row.col("quantity")?,
        remaining: row.col("remaining")?,
        kind: row.get("kind")?,
        until: row.optional("until")?,
        status: row.get("status")?,
        reason: row.optional("reason")?,
        placed_at: row.col("placed_at")?,
        updated_at: row.col("updated_at")?,
    })
}

fn fill(row: &Row) -> Result<FillRecord, sqlx::Error> {
    Ok(FillRecord {
        position: row.col("position")?,
        market: row.col("market")?,
        number: row.col("number")?,
        price: row.col("price")?,
        quantity: row.col("quantity")?,
        cost: row.col("cost")?,
        fee: row.col("fee")?,
        buyer: row.col("buyer")?,
        seller: row.col("seller")?,
        taker_side: row.col("taker_side")?,
        at: row.col("at")?,
    })
}

/// Finds orders.
pub(super) fn orders(query: OrderQuery, page: PageRequest<OrderId>) -> QueryBuilder {
    ORDERS.statement(page, |sql| {
        if let Some(owner) = query.owner {
            sql.push(" AND orders.owner = ").push_bind(Col(owner));
        }
        if let Some(market) = query.market {
            sql.push(" AND orders.market = ").push_bind(Col(market));
        }
        if query.only_open {
            sql.push(" AND orders.status = 'OPEN'");
        }
    })
}

impl ReadModel {
    /// A market.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn market(&self, id: MarketId) -> Found<MarketRecord> {
        let sql = "SELECT * FROM markets WHERE id = $1";
        let row = either::query(sql).bind(Col(id)).fetch_optional(self.readers()).await?;
        Ok(row.as_ref().map(market).transpose()?)
    }

    /// Markets, the newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn markets(&self, page: PageRequest<MarketId>) -> Listed<MarketRecord> {
        MARKETS.page(self.readers(), page, |_| {}, market).await
    }

    /// An order.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn order(&self, id: &OrderId) -> Found<OrderRecord> {
        let sql = "SELECT * FROM orders WHERE id = $1";
        let row = either::query(sql).bind(Col(*id)).fetch_optional(self.readers()).await?;
        Ok(row.as_ref().map(order).transpose()?)
    }

    /// Orders, the newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn orders(&self, query: OrderQuery, page: PageRequest<OrderId>) -> Listed<OrderRecord> {
        ORDERS.fetch(self.readers(), page, orders(query, page), order).await
    }

    /// The tape of a market, the newest first. What names a line is its position.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn fills(&self, market: MarketId, page: PageRequest<Position>) -> Listed<FillRecord> {
        let filter = |sql: &mut QueryBuilder| {
            sql.push(" AND fills.market = ").push_bind(Col(market));
        };
        FILLS.page(self.readers(), page, filter, fill).await
    }

    /// The tapes of all markets for a token in one, the newest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn fills_of_token(&self, token: TokenId, page: PageRequest<Position>) -> Listed<FillRecord> {
        let filter = |sql: &mut QueryBuilder| {
            sql.push(" AND fills.base = ").push_bind(Col(token));
        };
        FILLS.page(self.readers(), page, filter, fill).await
    }

    /// The last candles of a market that begin before `before`, the oldest first. Spans without a fill have none.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn candles(
        &self,
        market: MarketId,
        span: u64,
        before: UnixMillis,
        limit: u32,
    ) -> Result<Vec<(UnixMillis, Candle)>, ReadError> {
        let sql = "SELECT * FROM candles WHERE market = $1 AND span = $2 AND start < $3 \
                   ORDER BY start DESC LIMIT $4";
        let query = either::query(sql).bind(Col(market)).bind(Col(span)).bind(Col(before));
        let rows = query.bind(i64::from(limit)).fetch_all(self.readers()).await?;
        let read = |row: &Row| Ok((row.col("start")?, Candle::read(row)?));
        let mut candles: Vec<_> = rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?;
        candles.reverse();
        Ok(candles)
    }
}
