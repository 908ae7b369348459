//! Markets.

use std::fmt;
use std::str::FromStr;

use pbft_crypto::Address;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use thiserror::Error;

use super::ExchangeRejection;
use crate::amount::{Amount, AssetId, TokenId};
use crate::table::{Row, TableId};
use crate::time::UnixMillis;

/// Names a market: its pair of assets, as in `SHOP-POP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarketId {
    /// What is bought and sold.
    pub base: TokenId,
    /// What it is paid with.
    pub quote: AssetId,
}

/// A text that names no market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a market is called like SHOP-POP: a token, a line, and what it is paid with")]
pub struct UnknownMarketName;

impl fmt::Display for MarketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.base, self.quote)
    }
}

impl FromStr for MarketId {
    type Err = UnknownMarketName;

    fn from_str(text: &str) -> Result<Self, UnknownMarketName> {
        let (base, quote) = text.split_once('-').ok_or(UnknownMarketName)?;
        let base = base.parse().map_err(|_| UnknownMarketName)?;
        let quote = quote.parse().map_err(|_| UnknownMarketName)?;
        Ok(Self { base, quote })
    }
}

impl Serialize for MarketId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.collect_str(self) } else { (self.base, self.quote).serialize(to) }
    }
}

impl<'de> Deserialize<'de> for MarketId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            return String::deserialize(from)?.parse().map_err(D::Error::custom);
        }
        let (base, quote) = Deserialize::deserialize(from)?;
        Ok(Self { base, quote })
    }
}

/// Whether orders can be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MarketStatus {
    /// They can.
    Open,
    /// Not until an admin lets the market go on.
    Halted,
}

impl MarketStatus {
    /// A name that never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Halted => "HALTED",
        }
    }
}

/// A market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Market {
    /// All prices are multiples of it.
    pub tick: Amount,
    /// All quantities are multiples of it, and prices are for so much.
    pub lot: Amount,
    /// Whether orders can be placed.
    pub status: MarketStatus,
    /// Who opened it.
    pub opened_by: Address,
    /// Since when it exists.
    pub opened_at: UnixMillis,
    /// How many orders were placed: the number of the last one.
    pub orders: u64,
    /// How many fills there were: the number of the last one.
    pub fills: u64,
    /// The price of the last fill.
    pub last_price: Option<Amount>,
    /// How much of the base token has changed hands in all fills.
    pub volume: u128,
}

impl Row for Market {
    type Key = MarketId;
    const TABLE: TableId = TableId::Markets;
}

impl Market {
    pub(super) const fn new(tick: Amount, lot: Amount, opened_by: Address, opened_at: UnixMillis) -> Self {
        let status = MarketStatus::Open;
        Self { tick, lot, status, opened_by, opened_at, orders: 0, fills: 0, last_price: None, volume: 0 }
    }

    /// What a quantity costs: exactly, or not at all if it is no whole number of lots or too much to count.
    pub(super) fn cost(&self, price: Amount, quantity: Amount) -> Result<Amount, ExchangeRejection> {
        let lots = quantity.whole_parts(self.lot);
        let lots = lots.ok_or(ExchangeRejection::QuantityOffLot { lot: self.lot })?;
        price.checked_mul(lots).ok_or(ExchangeRejection::OrderTooLarge)
    }

    pub(super) fn check_price(&self, price: Amount) -> Result<(), ExchangeRejection> {
        let fits = !price.is_zero() && price.whole_parts(self.tick).is_some();
        if fits { Ok(()) } else { Err(ExchangeRejection::PriceOffTick { tick: self.tick }) }
    }

    pub(super) fn check_quantity(&self, quantity: Amount) -> Result<(), ExchangeRejection> {
        let fits = !quantity.is_zero() && quantity.whole_parts(self.lot).is_some();
        if fits { Ok(()) } else { Err(ExchangeRejection::QuantityOffLot { lot: self.lot }) }
    }
}
