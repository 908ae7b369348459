//! What events say about tokens, markets and orders, into tables.

use std::collections::BTreeMap;

use ledger::{
    Amount, ExchangeEvent, Lifetime, MarketId, MarketStatus, NewOrder, OrderId, OrderStatus, TokenEvent,
    TokenId, UnixMillis,
};

use super::write::{Done, To};
use crate::read_model::{CANDLE_SPANS, Candle, Position, Volume};
use crate::sql::{Col, either};

pub(super) async fn token(to: &mut To<'_>, position: Position, event: &TokenEvent) -> Done {
    match event {
        TokenEvent::Created { token, issuer, name, decimals, cap, at } => {
            let sql = "INSERT INTO tokens (symbol, position, issuer, name, decimals, cap, supply, created_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
            let query = either::query(sql).bind(Col(*token)).bind(Col(position)).bind(Col(*issuer));
            let query = query.bind(Col(name.clone())).bind(i64::from(decimals.value())).bind(cap.map(Col));
            query.bind(Col(Amount::ZERO)).bind(Col(*at)).execute(to).await?;
            Ok(())
        }
        TokenEvent::Minted { token, amount, .. } => {
            change_supply(to, *token, |supply| supply.checked_add(*amount)).await
        }
        TokenEvent::Burned { token, amount, .. } => {
            change_supply(to, *token, |supply| supply.checked_sub(*amount)).await
        }
        TokenEvent::HandedOver { token, to: issuer, .. } => {
            let sql = "UPDATE tokens SET issuer = $1 WHERE symbol = $2";
            either::query(sql).bind(Col(*issuer)).bind(Col(*token)).execute(to).await?;
            Ok(())
        }
        // Who has how much is in the balances, and who asks for allowances asks the ledger.
        TokenEvent::Transferred { .. } | TokenEvent::Approved { .. } => Ok(()),
    }
}

async fn change_supply(
    to: &mut To<'_>,
    token: TokenId,
    change: impl FnOnce(Amount) -> Option<Amount>,
) -> Done {
    let sql = "SELECT supply FROM tokens WHERE symbol = $1";
    let row = either::query(sql).bind(Col(token)).fetch_one(&mut **to).await?;
    let supply = change(row.col("supply")?).ok_or_else(|| broken("a supply that cannot be counted"))?;
    let sql = "UPDATE tokens SET supply = $1 WHERE symbol = $2";
    either::query(sql).bind(Col(supply)).bind(Col(token)).execute(to).await?;
    Ok(())
}

fn broken(what: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(what.into())
}

pub(super) async fn exchange(to: &mut To<'_>, position: Position, event: &ExchangeEvent) -> Done {
    match event {
        ExchangeEvent::MarketOpened { market, tick, lot, at, .. } => {
            let sql = "INSERT INTO markets (id, position, tick, lot, status, fills, volume, opened_at) \
                       VALUES ($1, $2, $3, $4, $5, 0, $6, $7)";
            let query = either::query(sql).bind(Col(*market)).bind(Col(position)).bind(Col(*tick));
            let query = query.bind(Col(*lot)).bind(MarketStatus::Open.code()).bind(Col(Volume::default()));
            query.bind(Col(*at)).execute(to).await?;
            Ok(())
        }
        ExchangeEvent::MarketHalted { market, .. } => set_status(to, *market, MarketStatus::Halted).await,
        ExchangeEvent::MarketResumed { market, .. } => set_status(to, *market, MarketStatus::Open).await,
        ExchangeEvent::OrderPlaced { order, owner, terms, at, .. } => {
            let NewOrder { market, side, price, quantity, lifetime, .. } = *terms;
            let until = match lifetime {
                Lifetime::Until { at } => Some(Col(at)),
                _ => None,
            };
            let sql = "INSERT INTO orders (id, position, market, owner, side, price, quantity, remaining, kind, until, \
                       status, placed_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11, $11)";
            let query = either::query(sql).bind(Col(*order)).bind(Col(position)).bind(Col(market));
            let query = query.bind(Col(*owner)).bind(side.code()).bind(price.map(Col)).bind(Col(quantity));
            let query = query.bind(lifetime.code()).bind(until).bind(OrderStatus::Open.code());
            query.bind(Col(*at)).execute(to).await?;
            Ok(())
        }
        ExchangeEvent::Filled { maker, taker, maker_left, taker_left, at, .. } => {
            left(to, *maker, *maker_left, *at).await?;
            left(to, *taker, *taker_left, *at).await
        }
        ExchangeEvent::OrderReduced { order, by, left, at, .. } => reduce(to, *order, *by, *left, *at).await,
        ExchangeEvent::OrderCancelled { order, reason, at, .. } => {
            let sql = "UPDATE orders SET status = 'CANCELLED', reason = $1, updated_at = $2 WHERE id = $3";
            let query = either::query(sql).bind(reason.code()).bind(Col(*at)).bind(Col(*order));
            query.execute(to).await?;
            Ok(())
        }
    }
}

async fn set_status(to: &mut To<'_>, market: MarketId, status: MarketStatus) -> Done {
    let sql = "UPDATE markets SET status = $1 WHERE id = $2";
    either::query(sql).bind(status.code()).bind(Col(market)).execute(to).await?;
    Ok(())
}

async fn left(to: &mut To<'_>, order: OrderId, left: Amount, at: UnixMillis) -> Done {
    let status = if left.is_zero() { OrderStatus::Filled } else { OrderStatus::Open };
    let sql = "UPDATE orders SET remaining = $1, status = $2, updated_at = $3 WHERE id = $4";
    let query = either::query(sql).bind(Col(left)).bind(status.code()).bind(Col(at)).bind(Col(order));
    query.execute(to).await?;
    Ok(())
}

async fn reduce(to: &mut To<'_>, order: OrderId, by: Amount, left: Amount, at: UnixMillis) -> Done {
    let sql = "SELECT quantity FROM orders WHERE id = $1";
    let row = either::query(sql).bind(Col(order)).fetch_one(&mut **to).await?;
    let quantity: Amount = row.col("quantity")?;
    let quantity = quantity.checked_sub(by).ok_or_else(|| broken("an order of less than nothing"))?;
    let sql = "UPDATE orders SET quantity = $1, remaining = $2, updated_at = $3 WHERE id = $4";
    let query = either::query(sql).bind(Col(quantity)).bind(Col(left)).bind(Col(at)).bind(Col(order));
    query.execute(to).await?;
    Ok(())
}

/// What some fills say by market and by span of time, before it is added to what is there.
#[derive(Default)]
pub(super) struct Tape {
    markets: BTreeMap<MarketId, Candle>,
    candles: BTreeMap<(MarketId, u64, UnixMillis), Candle>,
}

impl Tape {
    /// The next fill.
    pub(super) fn add(&mut self, market: MarketId, price: Amount, quantity: Amount, at: UnixMillis) {
        let one = Candle::of(price, quantity);
        self.markets.entry(market).and_modify(|candle| candle.add(&one)).or_insert(one);
        for span in CANDLE_SPANS {
            let start = UnixMillis::new(at.value() - at.value() % span);
            let candle = self.candles.entry((market, span, start));
            candle.and_modify(|candle| candle.add(&one)).or_insert(one);
        }
    }

    pub(super) async fn write(&self, to: &mut To<'_>) -> Done {
        for (market, candle) in &self.markets {
            let sql = "SELECT volume FROM markets WHERE id = $1";
            let row = either::query(sql).bind(Col(*market)).fetch_one(&mut **to).await?;
            let volume: Volume = row.col("volume")?;
            let sql = "UPDATE markets SET last_price = $1, fills = fills + $2, volume = $3 WHERE id = $4";
            let query = either::query(sql).bind(Col(candle.close)).bind(Col(candle.fills));
            query.bind(Col(volume.plus(candle.volume))).bind(Col(*market)).execute(to).await?;
        }
        for ((market, span, start), candle) in &self.candles {
            write_candle(to, (*market, *span, *start), *candle).await?;
        }
        Ok(())
    }
}

async fn write_candle(
    to: &mut To<'_>,
    (market, span, start): (MarketId, u64, UnixMillis),
    later: Candle,
) -> Done {
    let sql = "SELECT * FROM candles WHERE market = $1 AND span = $2 AND start = $3";
    let query = either::query(sql).bind(Col(market)).bind(Col(span)).bind(Col(start));
    let there = query.fetch_optional(&mut **to).await?;
    let candle = match there.as_ref().map(Candle::read).transpose()? {
        Some(mut candle) => {
            candle.add(&later);
            candle
        }
        None => later,
    };
    let sql = "INSERT INTO candles (market, span, start, open, high, low, close, volume, fills) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (market, span, start) DO UPDATE SET \
               high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume, \
               fills = excluded.fills";
    let query = either::query(sql).bind(Col(market)).bind(Col(span)).bind(Col(start));
    let query = query.bind(Col(candle.open)).bind(Col(candle.high)).bind(Col(candle.low));
    let query = query.bind(Col(candle.close)).bind(Col(candle.volume)).bind(Col(candle.fills));
    query.execute(to).await?;
    Ok(())
}
