//! Shares, orders, votes, and money that is held for a payee.

use ledger::{
    Amount, AssetId, Ballot, Census, Decimals, ExchangeOp, Lifetime, MarketId, Memo, NewOrder, Operation,
    OrderSide, PaymentOp, PollContent, PollOp, PollTimes, SelfTrade, TokenId, TokenName, TokenOp, UnixMillis,
};

use super::{Traffic, address};

fn shop() -> TokenId {
    TokenId::new("SHOP").unwrap()
}

impl Traffic {
    fn anyone(&mut self) -> pbft_crypto::Address {
        let person = usize::try_from(self.rng.below(8)).unwrap();
        address(&self.people[person])
    }

    pub(super) fn token(&mut self) -> Operation {
        let (token, to) = (shop(), self.anyone());
        let amount = Amount::new(self.rng.below(500));
        match self.rng.below(6) {
            0 => {
                let (name, decimals) = (TokenName::new("Shop shares").unwrap(), Decimals::new(0).unwrap());
                TokenOp::Create { token, name, decimals, cap: None }
            }
            1 | 2 => TokenOp::Mint { token, to, amount },
            3 => TokenOp::Burn { token, amount },
            4 => TokenOp::Transfer { token, to, amount },
            _ => TokenOp::Approve { token, spender: to, from: Amount::ZERO, to: amount },
        }
        .into()
    }

    pub(super) fn order(&mut self) -> Operation {
        let (base, quote) = (shop(), AssetId::Pop);
        let one = Amount::new(1);
        let order = self.rng.one_of(&self.orders);
        match (self.rng.below(8), order) {
            (0, _) => ExchangeOp::OpenMarket { base, quote, tick: one, lot: one },
            (1, Some(order)) => ExchangeOp::Cancel { order },
            (2, Some(order)) => ExchangeOp::Reduce { order, by: Amount::new(self.rng.below(5)) },
            _ => ExchangeOp::Place { order: self.new_order(MarketId { base, quote }) },
        }
        .into()
    }

    fn new_order(&mut self, market: MarketId) -> NewOrder {
        let side = if self.rng.below(2) == 0 { OrderSide::Buy } else { OrderSide::Sell };
        let at = UnixMillis::new(self.time + 3_600_000);
        let lifetime = match self.rng.below(4) {
            0 => Lifetime::Immediate,
            1 => Lifetime::Until { at },
            _ => Lifetime::UntilCancelled,
        };
        NewOrder {
            market,
            side,
            price: Some(Amount::new(90 + self.rng.below(20))),
            quantity: Amount::new(1 + self.rng.below(20)),
            lifetime,
            self_trade: SelfTrade::CancelNewest,
        }
    }

    pub(super) fn poll(&mut self) -> Operation {
        let poll = self.rng.one_of(&self.polls);
        match (self.rng.below(5), poll) {
            (1.., Some(poll)) => {
                PollOp::Vote { poll, choice: u8::try_from(self.rng.below(2)).unwrap() }.into()
            }
            _ => {
                let options = ["네", "no"].map(|text| text.parse().unwrap()).to_vec();
                let content =
                    PollContent { question: "Is it?".parse().unwrap(), options: options.try_into().unwrap() };
                let times = PollTimes {
                    opens_at: UnixMillis::new(self.time + 1_000),
                    closes_at: UnixMillis::new(self.time + 4 * 86_400_000),
                };
                let (ballot, census) = (Ballot::Open, Census::Everyone);
                PollOp::Create { content, ballot, census, changeable: true, times }.into()
            }
        }
    }

    pub(super) fn hold(&mut self) -> Operation {
        let (payment, amount) = (self.rng.one_of(&self.payments), self.amount());
        match (self.rng.below(5), payment) {
            (0, Some(payment)) => PaymentOp::Capture { payment, amount },
            (1, Some(payment)) => PaymentOp::Void { payment },
            (2, Some(payment)) => PaymentOp::Refund { payment, amount },
            _ => {
                let (to, asset, memo) = (self.anyone(), AssetId::Pop, Memo::new("").unwrap());
                let until = UnixMillis::new(self.time + 86_400_000);
                PaymentOp::Authorize { to, asset, amount, reference: None, memo, until }
            }
        }
        .into()
    }
}
