//! The rules of the exchange once more, as naively as possible: orders are a list, sorted anew for each meeting,
//! and everything is tried on a copy that is thrown away if something does not fit.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{AssetId, ExchangeOp, Genesis, Lifetime, MarketId, NewOrder, OrderSide, SelfTrade, TokenId};
use pbft_crypto::{Address, Digest};

use crate::model::{Model, Outcome, ensure};

#[derive(Clone, Debug)]
pub(crate) struct MToken {
    pub(crate) issuer: Address,
    pub(crate) cap: Option<u64>,
    pub(crate) minted: u128,
    pub(crate) burned: u128,
}

#[derive(Clone, Debug)]
pub(crate) struct MMarket {
    pub(crate) tick: u64,
    pub(crate) lot: u64,
    pub(crate) halted: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct MOrder {
    pub(crate) id: Digest,
    pub(crate) owner: Address,
    pub(crate) market: MarketId,
    pub(crate) buys: bool,
    pub(crate) price: Option<u64>,
    pub(crate) left: u64,
    pub(crate) filled: u64,
    pub(crate) until: Option<u64>,
    pub(crate) state: &'static str,
}

/// A line of the tape: market, number, price, quantity, buyer, seller.
pub(crate) type Line = (MarketId, u64, u64, u64, Address, Address);

#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    fee_bps: u128,
    pub(crate) tokens: BTreeMap<TokenId, MToken>,
    /// All that ever came and went, signed.
    pub(crate) wealth: BTreeMap<(Address, TokenId), i128>,
    pub(crate) allowances: BTreeMap<(Address, Address, TokenId), u64>,
    pub(crate) markets: BTreeMap<MarketId, MMarket>,
    /// The older ones first.
    pub(crate) orders: Vec<MOrder>,
    pub(crate) tape: Vec<Line>,
    /// Why orders were taken away.
    pub(crate) reasons: BTreeSet<&'static str>,
}

impl Exchange {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        Self {
            fee_bps: u128::from(genesis.params.exchange.fee.value()),
            tokens: BTreeMap::new(),
            wealth: BTreeMap::new(),
            allowances: BTreeMap::new(),
            markets: BTreeMap::new(),
            orders: Vec::new(),
            tape: Vec::new(),
            reasons: BTreeSet::new(),
        }
    }

    pub(crate) fn held(&self, who: &Address, asset: AssetId) -> i128 {
        let hold = |order: &MOrder| {
            let (held, amount) = match order.buys {
                true => (order.market.quote, self.cost(order.market, order.price.unwrap(), order.left)),
                false => (order.market.base.into(), i128::from(order.left)),
            };
            if held == asset { amount } else { 0 }
        };
        self.orders.iter().filter(|order| order.state == "OPEN" && order.owner == *who).map(hold).sum()
    }

    fn cost(&self, market: MarketId, price: u64, quantity: u64) -> i128 {
        i128::from(quantity / self.markets[&market].lot) * i128::from(price)
    }

    pub(crate) fn due(&self) -> impl Iterator<Item = (u64, Digest)> {
        let open = self.orders.iter().filter(|order| order.state == "OPEN");
        open.filter_map(|order| Some((order.until?, order.id)))
    }

    pub(crate) fn cancel(&mut self, id: Digest, reason: &'static str) {
        self.reasons.insert(reason);
        self.orders.iter_mut().find(|order| order.id == id).unwrap().state = "CANCELLED";
    }

    pub(crate) fn token(&self, token: &TokenId) -> Result<&MToken, &'static str> {
        self.tokens.get(token).ok_or("UNKNOWN_TOKEN")
    }

    pub(crate) fn allowance(&mut self, owner: Address, spender: Address, token: TokenId) -> &mut u64 {
        self.allowances.entry((owner, spender, token)).or_default()
    }
}

impl Model {
    pub(crate) fn available_of(&self, who: &Address, asset: AssetId) -> i128 {
        match asset.token() {
            None => self.available(who),
            Some(token) => {
                let wealth = self.exchange.wealth.get(&(*who, token)).copied().unwrap_or_default();
                wealth - self.held_of(who, asset)
            }
        }
    }

    pub(crate) fn held_of(&self, who: &Address, asset: AssetId) -> i128 {
        match asset.token() {
            None => self.held(who),
            Some(_) => self.exchange.held(who, asset) + self.held_for_payees(who, asset),
        }
    }

    pub(crate) fn wealth_of(&mut self, who: Address, asset: AssetId) -> &mut i128 {
        match asset.token() {
            None => self.wealth.entry(who).or_default(),
            Some(token) => self.exchange.wealth.entry((who, token)).or_default(),
        }
    }

    pub(crate) fn exchange(&mut self, who: Address, id: Digest, time: u64, op: &ExchangeOp) -> Outcome {
        match op {
            ExchangeOp::OpenMarket { base, quote, tick, lot } => {
                self.open_market(who, MarketId { base: *base, quote: *quote }, tick.value(), lot.value())
            }
            ExchangeOp::Halt { market } => self.set_halted(who, market, true),
            ExchangeOp::Resume { market } => self.set_halted(who, market, false),
            ExchangeOp::Place { order } => self.place(who, id, time, order),
            ExchangeOp::Cancel { order } => {
                let order = self.own_order(who, order.digest())?.id;
                self.exchange.cancel(order, "REQUESTED");
                Ok(())
            }
            ExchangeOp::Reduce { order, by } => {
                let row = self.own_order(who, order.digest())?.clone();
                let by = by.value();
                let lot = self.exchange.markets[&row.market].lot;
                ensure(by > 0 && by % lot == 0, "QUANTITY_OFF_LOT")?;
                ensure(by < row.left, "NOTHING_LEFT")?;
                self.exchange.orders.iter_mut().find(|order| order.id == row.id).unwrap().left -= by;
                Ok(())
            }
        }
    }

    fn open_market(&mut self, who: Address, market: MarketId, tick: u64, lot: u64) -> Outcome {
        let issuer = self.exchange.token(&market.base)?.issuer;
        if let Some(token) = market.quote.token() {
            self.exchange.token(&token)?;
        }
        ensure(issuer == who || self.is_admin(&who), "NOT_ADMIN_OR_ISSUER")?;
        self.is_not_frozen(&who)?;
        ensure(market.quote != market.base.into(), "SAME_ASSET")?;
        ensure(tick > 0 && lot > 0, "ZERO_TICK_OR_LOT")?;
        ensure(!self.exchange.markets.contains_key(&market), "MARKET_EXISTS")?;
        self.exchange.markets.insert(market, MMarket { tick, lot, halted: false });
        Ok(())
    }

    fn set_halted(&mut self, who: Address, market: &MarketId, halted: bool) -> Outcome {
        let admin = self.is_admin(&who);
        let row = self.exchange.markets.get_mut(market).ok_or("UNKNOWN_MARKET")?;
        ensure(admin, "NOT_ADMIN")?;
        ensure(row.halted != halted, "WRONG_MARKET_STATUS")?;
        row.halted = halted;
        Ok(())
    }

    fn own_order(&self, who: Address, id: &Digest) -> Result<&MOrder, &'static str> {
        let order = self.exchange.orders.iter().find(|order| order.id == *id).ok_or("UNKNOWN_ORDER")?;
        ensure(order.owner == who, "NOT_ORDER_OWNER")?;
        ensure(order.state == "OPEN", "ORDER_NOT_OPEN")?;
        Ok(order)
    }

    fn place(&mut self, who: Address, id: Digest, time: u64, terms: &NewOrder) -> Outcome {
        let market = self.exchange.markets.get(&terms.market).ok_or("UNKNOWN_MARKET")?.clone();
        let (quantity, price) = (terms.quantity.value(), terms.price.map(ledger::Amount::value));
        ensure(!market.halted, "WRONG_MARKET_STATUS")?;
        ensure(quantity > 0 && quantity % market.lot == 0, "QUANTITY_OFF_LOT")?;
        let waits = !matches!(terms.lifetime, Lifetime::Immediate | Lifetime::FillOrKill);
        match price {
            Some(price) => {
                ensure(price > 0 && price % market.tick == 0, "PRICE_OFF_TICK")?;
                let cost = self.exchange.cost(terms.market, price, quantity);
                ensure(cost <= i128::from(u64::MAX), "ORDER_TOO_LARGE")?;
            }
            None => ensure(!waits, "PRICE_NEEDED")?,
        }
        let until = match terms.lifetime {
            Lifetime::Until { at } => Some(at.value()),
            _ => None,
        };
        ensure(until.is_none_or(|at| at > time), "ORDER_ALREADY_OVER")?;
        let (buys, state) = (terms.side == OrderSide::Buy, "OPEN");
        let order = MOrder {
            id,
            owner: who,
            market: terms.market,
            buys,
            price,
            left: quantity,
            filled: 0,
            until,
            state,
        };
        let paid_with = if buys { terms.market.quote } else { terms.market.base.into() };
        let available = self.available_of(&who, paid_with);
        let before = (self.exchange.clone(), self.wealth.clone());
        let result = self.meet_all(time, order, terms).and_then(|needed| {
            self.may_spend(&who, paid_with, u128::try_from(needed).unwrap(), time)?;
            ensure(needed <= available, "INSUFFICIENT_FUNDS")?;
            self.count_spent(who, paid_with, u64::try_from(needed).unwrap(), time);
            Ok(())
        });
        if result.is_err() {
            (self.exchange, self.wealth) = before;
        }
        result
    }

    /// Carries an order out, whoever pays for it, and says how much that takes.
    fn meet_all(&mut self, time: u64, mut order: MOrder, terms: &NewOrder) -> Result<i128, &'static str> {
        let (mut needed, mut met, mut end) = (0, 0, None);
        while order.left > 0
            && let Some(other) = self.best_for(&order)
        {
            let expired = other.until.is_some_and(|at| at <= time);
            let frozen = !expired && self.is_not_frozen(&other.owner).is_err();
            let gone = expired || frozen;
            let own = !gone && other.owner == order.owner;
            let spoils = own || (!gone && terms.lifetime == Lifetime::PostOnly) || met == 100;
            ensure(terms.lifetime != Lifetime::PostOnly || !spoils, "WOULD_TRADE")?;
            if met == 100 {
                end = Some("TOO_MANY_MEETINGS");
                break;
            }
            if own && terms.self_trade == SelfTrade::CancelNewest {
                end = Some("SELF_TRADE");
                break;
            }
            met += 1;
            match () {
                () if expired => self.exchange.cancel(other.id, "EXPIRED"),
                () if frozen => self.exchange.cancel(other.id, "FROZEN"),
                () if own => self.exchange.cancel(other.id, "SELF_TRADE"),
                () => needed += self.fill(&mut order, other.id),
            }
        }
        let waits = !matches!(terms.lifetime, Lifetime::Immediate | Lifetime::FillOrKill);
        ensure(order.left == 0 || terms.lifetime != Lifetime::FillOrKill, "NOT_FILLABLE")?;
        if order.left == 0 {
            order.state = "FILLED";
        } else if let Some(reason) = end.or((!waits).then_some("UNFILLED")) {
            order.state = "CANCELLED";
            self.exchange.reasons.insert(reason);
        } else {
            needed += match order.buys {
                true => self.exchange.cost(order.market, order.price.unwrap(), order.left),
                false => i128::from(order.left),
            };
        }
        self.exchange.orders.push(order);
        Ok(needed)
    }

    /// The order that this one meets next, if any.
    fn best_for(&self, order: &MOrder) -> Option<MOrder> {
        let fits = |other: &&MOrder| {
            let price = other.price.unwrap();
            other.state == "OPEN"
                && other.market == order.market
                && other.buys != order.buys
                && order.price.is_none_or(|limit| if order.buys { price <= limit } else { price >= limit })
        };
        let open = self.exchange.orders.iter().filter(|other| other.state == "OPEN");
        let mut others: Vec<MOrder> = open.filter(fits).cloned().collect();
        // The sort keeps those of one price in the order in which they came.
        others.sort_by_key(|other| {
            if order.buys { i128::from(other.price.unwrap()) } else { -i128::from(other.price.unwrap()) }
        });
        others.first().cloned()
    }

    /// Moves what both can. Returns how much the new order gives.
    fn fill(&mut self, order: &mut MOrder, other: Digest) -> i128 {
        let row = self.exchange.orders.iter_mut().find(|row| row.id == other).unwrap();
        let quantity = order.left.min(row.left);
        for side in [&mut *order, &mut *row] {
            side.left -= quantity;
            side.filled += quantity;
        }
        if row.left == 0 {
            row.state = "FILLED";
        }
        let (price, market) = (row.price.unwrap(), row.market);
        let (buyer, seller) = if order.buys { (order.owner, row.owner) } else { (row.owner, order.owner) };
        let cost = self.exchange.cost(market, price, quantity);
        let fee = i128::try_from(u128::try_from(cost).unwrap() * self.exchange.fee_bps / 10_000).unwrap();
        let units = i128::from(quantity);
        *self.wealth_of(seller, market.base.into()) -= units;
        *self.wealth_of(buyer, market.base.into()) += units;
        *self.wealth_of(buyer, market.quote) -= cost;
        *self.wealth_of(seller, market.quote) += cost - fee;
        let fees = self.fee_account;
        *self.wealth_of(fees, market.quote) += fee;
        let number = self.exchange.tape.iter().filter(|line| line.0 == market).count() as u64 + 1;
        self.exchange.tape.push((market, number, price, quantity, buyer, seller));
        if order.buys { cost } else { units }
    }
}
