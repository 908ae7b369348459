//! The exchange.

use clap::{Subcommand, ValueEnum};
use ledger::{
    Amount, AssetId, ExchangeOp, Lifetime, MarketId, NewOrder, OrderId, OrderSide, SelfTrade, TokenId,
};

use super::{Facts, values::When};

/// Who gets the token.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Side {
    Buy,
    Sell,
}

/// How long an order waits.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Kind {
    /// Until it is filled or cancelled
    Gtc,
    /// Not at all: what is not filled at once is cancelled
    Ioc,
    /// Not at all: it is filled at once as a whole, or rejected
    Fok,
    /// Until it is filled or cancelled, and rejected if it would be filled at once
    PostOnly,
}

#[derive(Debug, Subcommand)]
pub(super) enum OrderKind {
    /// Buy or sell
    Place {
        /// Where, as in SHOP-POP
        market: MarketId,
        /// Buy or sell
        side: Side,
        /// How much of the token, in minor units
        quantity: Amount,
        /// What is paid at most or received at least for each lot; without it, whatever there is
        #[arg(long)]
        price: Option<Amount>,
        /// How long it waits
        #[arg(long, default_value = "gtc")]
        lifetime: Kind,
        /// It waits until then: a time, or a span from now such as 7d
        #[arg(long, value_name = "TIME", conflicts_with = "lifetime")]
        until: Option<When>,
        /// If it meets an order of your own, that one is cancelled and this one goes on, instead of the other way round
        #[arg(long)]
        cancel_oldest: bool,
    },
    /// Take back what is left of an order
    Cancel {
        /// Which
        order: OrderId,
    },
    /// Take back a part of what is left; it keeps its place
    Reduce {
        /// Which
        order: OrderId,
        /// How much
        by: Amount,
    },
}

impl OrderKind {
    pub(super) fn operation(self, facts: &Facts<'_>) -> ExchangeOp {
        match self {
            Self::Place { market, side, quantity, price, lifetime, until, cancel_oldest } => {
                let side = match side {
                    Side::Buy => OrderSide::Buy,
                    Side::Sell => OrderSide::Sell,
                };
                let lifetime = match (until, lifetime) {
                    (Some(until), _) => Lifetime::Until { at: until.from(facts.now) },
                    (None, Kind::Gtc) => Lifetime::UntilCancelled,
                    (None, Kind::Ioc) => Lifetime::Immediate,
                    (None, Kind::Fok) => Lifetime::FillOrKill,
                    (None, Kind::PostOnly) => Lifetime::PostOnly,
                };
                let self_trade =
                    if cancel_oldest { SelfTrade::CancelOldest } else { SelfTrade::CancelNewest };
                let order = NewOrder { market, side, price, quantity, lifetime, self_trade };
                ExchangeOp::Place { order }
            }
            Self::Cancel { order } => ExchangeOp::Cancel { order },
            Self::Reduce { order, by } => ExchangeOp::Reduce { order, by },
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum MarketKind {
    /// Open a market; for admins, and the token's issuer
    Open {
        /// What is bought and sold
        base: TokenId,
        /// What it is paid with
        #[arg(default_value = "POP")]
        quote: AssetId,
        /// All prices are multiples of it
        #[arg(long, default_value = "1")]
        tick: Amount,
        /// All quantities are multiples of it
        #[arg(long, default_value = "1")]
        lot: Amount,
    },
    /// No orders from now on; for admins
    Halt {
        /// Where
        market: MarketId,
    },
    /// Orders again; for admins
    Resume {
        /// Where
        market: MarketId,
    },
}

impl MarketKind {
    pub(super) fn operation(self) -> ExchangeOp {
        match self {
            Self::Open { base, quote, tick, lot } => ExchangeOp::OpenMarket { base, quote, tick, lot },
            Self::Halt { market } => ExchangeOp::Halt { market },
            Self::Resume { market } => ExchangeOp::Resume { market },
        }
    }
}
