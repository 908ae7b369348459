use ledger::{
    Amount, AssetId, CancelReason, Lifetime, MarketId, NewOrder, OrderId, OrderSide, SelfTrade, TokenId,
    UnixMillis,
};
use pbft_crypto::Address;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{List, coin};
use crate::http::timestamp::{millis, rfc3339};
use crate::read_model::{Candle, FillRecord, MarketRecord, OrderRecord};

/// A market to be opened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMarket {
    /// What is bought and sold.
    #[schema(value_type = String, example = "SHOP")]
    pub base: TokenId,
    /// What it is paid with.
    #[serde(default = "coin")]
    #[schema(value_type = String, example = "POP", default = "POP")]
    pub quote: AssetId,
    /// All prices are multiples of it, in minor units of the quote asset.
    #[schema(value_type = String, example = "1", pattern = "^[0-9]{1,20}$")]
    pub tick: Amount,
    /// All quantities are multiples of it, and prices are for so much, in minor units of the base token.
    #[schema(value_type = String, example = "1", pattern = "^[0-9]{1,20}$")]
    pub lot: Amount,
}

/// A market.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct MarketView {
    /// What names it.
    #[schema(value_type = String, example = "SHOP-POP")]
    pub id: MarketId,
    /// What is bought and sold.
    #[schema(value_type = String, example = "SHOP")]
    pub base: TokenId,
    /// What it is paid with.
    #[schema(value_type = String, example = "POP")]
    pub quote: AssetId,
    /// All prices are multiples of it.
    #[schema(value_type = String, example = "1")]
    pub tick: Amount,
    /// All quantities are multiples of it, and prices are for so much.
    #[schema(value_type = String, example = "1")]
    pub lot: Amount,
    /// `OPEN` or `HALTED`.
    #[schema(example = "OPEN")]
    pub status: String,
    /// The price of the last fill.
    #[schema(value_type = Option<String>)]
    pub last_price: Option<Amount>,
    /// The number of the last fill. They have no gaps.
    pub fills: u64,
    /// How much of the base token has changed hands.
    #[schema(example = "1000")]
    pub volume: String,
    /// Since when it exists.
    #[schema(format = DateTime)]
    pub opened_at: String,
}

/// A part of the list of markets.
pub type MarketList = List<MarketView>;

impl From<MarketRecord> for MarketView {
    fn from(record: MarketRecord) -> Self {
        let MarketRecord { id, tick, lot, status, last_price, fills, volume, opened_at } = record;
        Self {
            id,
            base: id.base,
            quote: id.quote,
            tick,
            lot,
            status: status.code().to_owned(),
            last_price,
            fills,
            volume: volume.0.to_string(),
            opened_at: rfc3339(opened_at),
        }
    }
}

/// How long an order waits for others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderKind {
    /// Until it is filled or cancelled.
    #[default]
    Gtc,
    /// Until the time `until`.
    Gtt,
    /// Not at all: what is not filled at once is cancelled.
    Ioc,
    /// Not at all: it is filled at once as a whole, or fails.
    Fok,
    /// Until it is filled or cancelled; it fails if it would be filled at once.
    PostOnly,
}

/// Something to buy or to sell.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrderBody {
    /// Where.
    #[schema(value_type = String, example = "SHOP-POP")]
    pub market: MarketId,
    /// `BUY` or `SELL`.
    #[schema(value_type = String, example = "BUY")]
    pub side: OrderSide,
    /// What is paid at most or received at least for each lot. Without it, whatever there is: only `IOC` and `FOK`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "250", pattern = "^[0-9]{1,20}$")]
    pub price: Option<Amount>,
    /// How much of the base token, in minor units.
    #[schema(value_type = String, example = "10", pattern = "^[0-9]{1,20}$")]
    pub quantity: Amount,
    /// How long it waits: `GTC` until it is filled or cancelled; `GTT` until the time `until`; `IOC` not at all, what is not
    /// filled at once is cancelled; `FOK` not at all, it is filled at once as a whole or fails; `POST_ONLY` like `GTC`, and it
    /// fails if it would be filled at once.
    #[serde(default)]
    #[schema(value_type = String, default = "GTC", pattern = "^(GTC|GTT|IOC|FOK|POST_ONLY)$")]
    pub kind: OrderKind,
    /// Of `GTT` alone: when it runs out.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub until: Option<String>,
    /// What happens if it meets an order of yours: `CANCEL_NEWEST` or `CANCEL_OLDEST`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "CANCEL_NEWEST")]
    pub self_trade: SelfTrade,
}

impl NewOrderBody {
    /// What the ledger makes of it, if kind and time go together.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn terms(self) -> Result<NewOrder, &'static str> {
        let Self { market, side, price, quantity, kind, until, self_trade } = self;
        let lifetime = match (kind, until) {
            (OrderKind::Gtt, Some(until)) => Lifetime::Until {
                at: millis(&until).ok_or("until: not a time such as 2030-01-01T00:00:00Z")?,
            },
            (OrderKind::Gtt, None) => return Err("until: a GTT order needs it"),
            (_, Some(_)) => return Err("until: only a GTT order has it"),
            (OrderKind::Gtc, None) => Lifetime::UntilCancelled,
            (OrderKind::Ioc, None) => Lifetime::Immediate,
            (OrderKind::Fok, None) => Lifetime::FillOrKill,
            (OrderKind::PostOnly, None) => Lifetime::PostOnly,
        };
        Ok(NewOrder { market, side, price, quantity, lifetime, self_trade })
    }
}

/// A part of an order that is taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reducing {
    /// How much of the base token, less than what is left.
    #[schema(value_type = String, example = "10", pattern = "^[0-9]{1,20}$")]
    pub by: Amount,
}

/// An order, as its owner sees it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct OrderView {
    /// What names it.
    #[schema(value_type = String)]
    pub id: OrderId,
    /// Where.
    #[schema(value_type = String, example = "SHOP-POP")]
    pub market: MarketId,
    /// `BUY` or `SELL`.
    #[schema(value_type = String, example = "BUY")]
    pub side: OrderSide,
    /// `GTC`, `GTT`, `IOC`, `FOK` or `POST_ONLY`.
    #[schema(example = "GTC")]
    pub kind: String,
    /// When it runs out.
    #[schema(format = DateTime)]
    pub until: Option<String>,
    /// What is paid at most or received at least for each lot.
    #[schema(value_type = Option<String>, example = "250")]
    pub price: Option<Amount>,
    /// How much of the base token, less what was taken back.
    #[schema(value_type = String, example = "10")]
    pub quantity: Amount,
    /// How much of that did not change hands.
    #[schema(value_type = String, example = "4")]
    pub remaining: Amount,
    /// `OPEN`, `FILLED` or `CANCELLED`.
    #[schema(example = "OPEN")]
    pub status: String,
    /// Why what was left was taken away: `REQUESTED`, `EXPIRED`, `SELF_TRADE`, `UNFILLED`, `TOO_MANY_MEETINGS` or
    /// `FROZEN`.
    #[schema(value_type = Option<String>)]
    pub reason: Option<CancelReason>,
    /// When it was placed.
    #[schema(format = DateTime)]
    pub placed_at: String,
    /// When something happened to it last.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// A part of the list of orders.
pub type OrderList = List<OrderView>;

impl From<OrderRecord> for OrderView {
    fn from(record: OrderRecord) -> Self {
        let OrderRecord { id, market, side, price, quantity, remaining, kind, status, reason, .. } = record;
        Self {
            id,
            market,
            side,
            kind,
            until: record.until.map(rfc3339),
            price,
            quantity,
            remaining,
            status,
            reason,
            placed_at: rfc3339(record.placed_at),
            updated_at: rfc3339(record.updated_at),
        }
    }
}

/// All orders of one price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Level {
    /// The price for each lot.
    #[schema(value_type = String, example = "250")]
    pub price: Amount,
    /// How much there is at this price, in minor units of the base token.
    #[schema(example = "30")]
    pub quantity: String,
    /// In how many orders.
    pub orders: u64,
}

/// What is asked and bid on a market, the best prices first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct BookView {
    /// Where.
    #[schema(value_type = String, example = "SHOP-POP")]
    pub market: MarketId,
    /// What buyers pay.
    pub bids: Vec<Level>,
    /// What sellers want.
    pub asks: Vec<Level>,
}

/// A line of the tape.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FillView {
    /// Its place in the one order of all events, which names it in lists.
    #[schema(example = "12-3")]
    pub id: String,
    /// Where.
    #[schema(value_type = String, example = "SHOP-POP")]
    pub market: MarketId,
    /// Its number on the market: one above that of the fill before.
    pub number: u64,
    /// The price for each lot.
    #[schema(value_type = String, example = "250")]
    pub price: Amount,
    /// How much of the base token changed hands.
    #[schema(value_type = String, example = "10")]
    pub quantity: Amount,
    /// What the buyer paid, in the quote asset.
    #[schema(value_type = String, example = "2500")]
    pub cost: Amount,
    /// The part of it that is the fee; the seller got the rest.
    #[schema(value_type = String, example = "2")]
    pub fee: Amount,
    /// Who bought.
    #[schema(value_type = String)]
    pub buyer: Address,
    /// Who sold.
    #[schema(value_type = String)]
    pub seller: Address,
    /// What the order does that met one that was there before.
    #[schema(value_type = String, example = "BUY")]
    pub taker_side: OrderSide,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
}

impl From<FillRecord> for FillView {
    fn from(record: FillRecord) -> Self {
        let FillRecord { position, market, number, price, quantity, cost, fee, buyer, seller, .. } = record;
        let (id, at, taker_side) = (position.to_string(), rfc3339(record.at), record.taker_side);
        Self { id, market, number, price, quantity, cost, fee, buyer, seller, taker_side, at }
    }
}

/// What the fills of a span of time say.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CandleView {
    /// When the span begins.
    #[schema(format = DateTime)]
    pub start: String,
    /// The first price.
    #[schema(value_type = String)]
    pub open: Amount,
    /// The highest.
    #[schema(value_type = String)]
    pub high: Amount,
    /// The lowest.
    #[schema(value_type = String)]
    pub low: Amount,
    /// The last.
    #[schema(value_type = String)]
    pub close: Amount,
    /// How much changed hands.
    pub volume: String,
    /// In how many fills.
    pub fills: u64,
}

/// Candles, the oldest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CandleList {
    /// Spans without a fill have none.
    pub data: Vec<CandleView>,
}

impl CandleView {
    /// Of a span that begins then.
    pub fn new(start: UnixMillis, candle: Candle) -> Self {
        let Candle { open, high, low, close, volume, fills } = candle;
        Self { start: rfc3339(start), open, high, low, close, volume: volume.0.to_string(), fills }
    }
}
