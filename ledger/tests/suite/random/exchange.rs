//! Tokens and orders: a few symbols, prices close to each other, so that much meets.

use ledger::{
    Amount, AssetId, Decimals, ExchangeOp, Lifetime, MarketId, NewOrder, Operation, OrderId, OrderSide,
    SelfTrade, TokenId, TokenName, TokenOp, UnixMillis,
};
use pbft_crypto::{Address, Digest};

use super::Run;
use crate::exchange_model::MToken;
use crate::world::{address, amount};

const SYMBOLS: [&str; 4] = ["AAA", "BBBB", "SHOP", "TOKEN12CHARS"];

impl Run {
    pub(super) fn token_or_order(&mut self, who: Address) -> (Address, Operation) {
        if self.model.exchange.tokens.len() < 2 && self.dice.percent(80) {
            return (who, self.create().into());
        }
        if self.model.exchange.markets.len() < 2 && self.dice.percent(40) {
            return self.market();
        }
        match self.dice.below(100) {
            0 => (who, self.create().into()),
            1..=2 => self.market(),
            3..=4 => self.halt_or_resume(who),
            5..=18 => self.mint(who),
            19..=34 => self.token(who),
            35..=48 => self.change_order(who),
            _ => (who, ExchangeOp::Place { order: self.order(who) }.into()),
        }
    }

    fn symbol(&mut self) -> TokenId {
        TokenId::new(self.dice.pick(&SYMBOLS).unwrap()).unwrap()
    }

    /// Mostly a token that there is.
    fn known_token(&mut self) -> TokenId {
        let tokens: Vec<TokenId> = self.model.exchange.tokens.keys().copied().collect();
        let any = self.symbol();
        if self.dice.percent(5) { any } else { self.dice.pick(&tokens).copied().unwrap_or(any) }
    }

    /// Mostly the coin.
    pub(super) fn asset(&mut self) -> AssetId {
        if self.dice.percent(75) { AssetId::Pop } else { self.known_token().into() }
    }

    fn create(&mut self) -> TokenOp {
        TokenOp::Create {
            token: self.symbol(),
            name: TokenName::new("Some token").unwrap(),
            decimals: Decimals::new(2).unwrap(),
            cap: self.dice.percent(50).then(|| amount(100_000)),
        }
    }

    fn mint(&mut self, who: Address) -> (Address, Operation) {
        let token = self.known_token();
        let issuer = self.model.exchange.tokens.get(&token).map(|row: &MToken| row.issuer);
        let who = if self.dice.percent(10) { who } else { issuer.unwrap_or(who) };
        let to = self.recipient();
        if self.dice.percent(4) {
            return (who, TokenOp::HandOver { token, to }.into());
        }
        let units = if self.dice.percent(10) { self.units() } else { self.dice.below(20_000) };
        (who, TokenOp::Mint { token, to, amount: amount(units) }.into())
    }

    fn recipient(&mut self) -> Address {
        if self.dice.percent(3) { address("nobody") } else { self.anyone() }
    }

    /// What those do who have tokens.
    fn token(&mut self, who: Address) -> (Address, Operation) {
        let (token, to, units) = (self.known_token(), self.recipient(), amount(self.units()));
        let allowances: Vec<_> = self.model.exchange.allowances.iter().map(|(key, n)| (*key, *n)).collect();
        let known = self.dice.pick(&allowances).copied();
        let op = match (self.dice.below(6), known) {
            (0, _) => TokenOp::Burn { token, amount: amount(self.dice.below(500)) },
            (1 | 2, Some(((owner, spender, token), most))) => {
                let amount = if self.dice.percent(60) {
                    Amount::new(self.dice.below(most.min(5_000) + 1))
                } else {
                    units
                };
                return (spender, TokenOp::TransferFrom { token, owner, to, amount }.into());
            }
            (3, Some(((owner, spender, token), now))) => {
                let from = if self.dice.percent(80) { Amount::new(now) } else { units };
                return (owner, TokenOp::Approve { token, spender, from, to: units }.into());
            }
            (4, _) => TokenOp::Approve { token, spender: to, from: Amount::ZERO, to: units },
            _ => TokenOp::Transfer { token, to, amount: units },
        };
        (who, op.into())
    }

    fn market(&mut self) -> (Address, Operation) {
        let (base, other) = (self.known_token(), self.known_token());
        let quote = if self.dice.percent(60) { AssetId::Pop } else { other.into() };
        let issuer = self.model.exchange.tokens.get(&base).map(|row: &MToken| row.issuer);
        let who = match self.dice.below(10) {
            0 => self.anyone(),
            1..=3 => address("ann"),
            _ => issuer.unwrap_or_else(|| address("ben")),
        };
        let (tick, lot) = (amount(self.dice.below(6)), amount(self.dice.below(12)));
        (who, ExchangeOp::OpenMarket { base, quote, tick, lot }.into())
    }

    fn market_id(&mut self) -> MarketId {
        let markets: Vec<MarketId> = self.model.exchange.markets.keys().copied().collect();
        let any = MarketId { base: self.known_token(), quote: AssetId::Pop };
        if self.dice.percent(3) { any } else { self.dice.pick(&markets).copied().unwrap_or(any) }
    }

    /// Halted markets soon go on.
    fn halt_or_resume(&mut self, who: Address) -> (Address, Operation) {
        let halted = self.model.exchange.markets.iter().find(|(_, market)| market.halted).map(|(id, _)| *id);
        let who = if self.dice.percent(10) { who } else { address("ann") };
        let op = match halted {
            Some(market) if self.dice.percent(80) => ExchangeOp::Resume { market },
            _ if self.dice.percent(70) => ExchangeOp::Halt { market: self.market_id() },
            _ => ExchangeOp::Resume { market: self.market_id() },
        };
        (who, op.into())
    }

    fn order(&mut self, who: Address) -> NewOrder {
        let market = self.market_id();
        let row = self.model.exchange.markets.get(&market);
        let (tick, lot) = row.map_or((1, 1), |row| (row.tick, row.lot));
        let has_some = self.model.available_of(&who, market.base.into()) > 0;
        let sells = if has_some { self.dice.percent(60) } else { self.dice.percent(5) };
        let quantity = match self.dice.below(40) {
            0 => self.units(),
            1 => lot * (u64::MAX / 2 / lot),
            _ => lot * (1 + self.dice.below(30)),
        };
        let price = match self.dice.below(40) {
            0 => Some(self.units()),
            1..=4 => None,
            _ => Some(tick * (10 + self.dice.below(12))),
        };
        NewOrder {
            market,
            side: if sells { OrderSide::Sell } else { OrderSide::Buy },
            price: price.map(Amount::new),
            quantity: amount(quantity),
            lifetime: self.lifetime(price.is_some()),
            self_trade: if self.dice.percent(70) { SelfTrade::CancelNewest } else { SelfTrade::CancelOldest },
        }
    }

    fn lifetime(&mut self, has_price: bool) -> Lifetime {
        let waits = if has_price { self.dice.percent(75) } else { self.dice.percent(10) };
        match (waits, self.dice.below(10)) {
            (true, 0..=4) => Lifetime::UntilCancelled,
            (true, 5..=7) => {
                let at = self.now + self.dice.below(20_000_000);
                Lifetime::Until { at: UnixMillis::new(if self.dice.percent(5) { self.now } else { at }) }
            }
            (true, _) => Lifetime::PostOnly,
            (false, 0..=5) => Lifetime::Immediate,
            (false, _) => Lifetime::FillOrKill,
        }
    }

    fn change_order(&mut self, who: Address) -> (Address, Operation) {
        let orders = &self.model.exchange.orders;
        let of = |open: bool| -> Vec<(Digest, Address, u64)> {
            let some = orders.iter().filter(|order| !open || order.state == "OPEN");
            some.map(|order| (order.id, order.owner, order.left)).collect()
        };
        let (open, all) = (of(true), of(false));
        let chosen = if self.dice.percent(90) { self.dice.pick(&open) } else { self.dice.pick(&all) };
        let nothing = (Digest::from_bytes([0xee; 32]), who, 10);
        let (id, owner, left) =
            if self.dice.percent(2) { nothing } else { chosen.copied().unwrap_or(nothing) };
        let who = if self.dice.percent(10) { who } else { owner };
        let order = OrderId::new(id);
        let op = if self.dice.percent(40) {
            ExchangeOp::Cancel { order }
        } else {
            ExchangeOp::Reduce { order, by: amount(self.dice.below(left + 2)) }
        };
        (who, op.into())
    }
}
