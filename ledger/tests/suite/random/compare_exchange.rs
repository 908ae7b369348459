//! Tokens, orders, books and the tape of both.

use ledger::{AssetId, Event, EventKind, ExchangeEvent, MarketStatus, OrderId, OrderSide};
use pbft_crypto::{Address, Digest};

use super::Run;
use crate::exchange_model::Line;

impl Run {
    pub(super) fn compare_tokens_of(&self, who: &Address) {
        for token in self.model.exchange.tokens.keys() {
            let asset = AssetId::from(*token);
            let balance = self.ledger.balance(who, asset);
            let funds = [balance.available, balance.held].map(|part| i128::from(part.value()));
            let expected = [self.model.available_of(who, asset), self.model.held_of(who, asset)];
            assert_eq!(funds, expected, "{:?}: {who} {token}", (self.seed, self.seq));
        }
    }

    pub(super) fn compare_exchange(&self) {
        let (ledger, model, at) = (&self.ledger, &self.model.exchange, (self.seed, self.seq));
        for (token, expected) in &model.tokens {
            let row = ledger.token(token).unwrap();
            assert_eq!(
                (row.issuer, row.cap.map(ledger::Amount::value)),
                (expected.issuer, expected.cap),
                "{at:?}"
            );
            let supply = ledger.supply((*token).into());
            let got = [supply.minted, supply.burned].map(|amount| u128::from(amount.value()));
            assert_eq!(got, [expected.minted, expected.burned], "{at:?}");
        }
        for ((owner, spender, token), expected) in &model.allowances {
            assert_eq!(ledger.allowance(owner, spender, *token).value(), *expected, "{at:?}");
        }
        for order in &model.orders {
            let row = ledger.order(&OrderId::new(order.id)).unwrap();
            let got = (row.owner, row.filled.value(), row.status.code());
            assert_eq!(got, (order.owner, order.filled, order.state), "{at:?}");
            let left = if order.state == "FILLED" { 0 } else { order.left };
            assert_eq!(row.left().value(), left, "{at:?}");
        }
        self.compare_markets();
    }

    fn compare_markets(&self) {
        let (model, at) = (&self.model.exchange, (self.seed, self.seq));
        for (id, market) in &model.markets {
            let row = self.ledger.market(id).unwrap();
            assert_eq!((row.tick.value(), row.lot.value()), (market.tick, market.lot), "{at:?}");
            assert_eq!(row.status == MarketStatus::Halted, market.halted, "{at:?}");
            let tape: Vec<&Line> = model.tape.iter().filter(|line| line.0 == *id).collect();
            assert_eq!(row.fills, tape.len() as u64, "{at:?}");
            assert_eq!(row.volume, tape.iter().map(|line| u128::from(line.3)).sum::<u128>(), "{at:?}");
            assert_eq!(row.last_price.map(ledger::Amount::value), tape.last().map(|line| line.2), "{at:?}");
            for side in [OrderSide::Buy, OrderSide::Sell] {
                let mut open: Vec<_> = model.orders.iter().filter(|order| order.state == "OPEN").collect();
                open.retain(|order| order.market == *id && order.buys == (side == OrderSide::Buy));
                open.sort_by_key(|order| {
                    let price = i128::from(order.price.unwrap());
                    if side == OrderSide::Buy { -price } else { price }
                });
                let expected: Vec<Digest> = open.iter().map(|order| order.id).collect();
                let book: Vec<Digest> = self.ledger.book(id, side).map(|(id, _)| *id.digest()).collect();
                assert_eq!(book, expected, "{at:?}");
            }
        }
    }

    /// What the events say is what the model has at the end of its tape.
    pub(super) fn compare_tape(&mut self, events: &[Event]) {
        let line = |event: &Event| match &event.kind {
            EventKind::Exchange(ExchangeEvent::Filled {
                market,
                number,
                price,
                quantity,
                buyer,
                seller,
                ..
            }) => Some((*market, *number, price.value(), quantity.value(), *buyer, *seller)),
            _ => None,
        };
        let told: Vec<Line> = events.iter().filter_map(line).collect();
        let tape = &self.model.exchange.tape;
        assert_eq!(tape[tape.len() - told.len()..], told[..], "{:?}", (self.seed, self.seq));
        self.fills += told.len() as u64;
        assert_eq!(tape.len() as u64, self.fills, "{:?}", (self.seed, self.seq));
    }
}
