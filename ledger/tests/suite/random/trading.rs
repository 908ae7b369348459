//! Who asks for what about trades.

use ledger::{
    HandoverCode, ListingId, Memo, Operation, Reason, Role, Ruling, Split, Tracking, TradeAction, TradeId,
    TradeOp, handover_hash,
};
use pbft_crypto::{Address, Digest};

use super::Run;
use crate::trade_model::MTrade;
use crate::world::amount;

impl Run {
    pub(super) fn open(&mut self) -> Operation {
        let listing = self.known(|model| &model.listings);
        let versions = self.model.listings.get(&listing).map(|row| row.versions.clone()).unwrap_or_default();
        let current = u32::try_from(versions.len()).unwrap();
        let hash = versions.last().map_or(Digest::ZERO, |version| version.1);
        let version = if self.dice.percent(10) { current.wrapping_sub(1) } else { current };
        let content_hash = if self.dice.percent(5) { Digest::ZERO } else { hash };
        TradeOp::Open { listing: ListingId::new(listing), version, content_hash }.into()
    }

    /// Mostly something that fits the state, by someone who may.
    pub(super) fn move_trade(&mut self, who: Address) -> (Address, Operation) {
        let id = self.some_trade();
        let Some(trade) = self.model.trades.get(&id).cloned() else {
            return (who, TradeOp::Confirm { trade: TradeId::new(id) }.into());
        };
        let fitting = fitting(trade.state);
        let action = if self.dice.percent(85) { self.dice.pick(fitting) } else { None };
        let action = action.or_else(|| self.dice.pick(&TradeAction::ALL)).copied().unwrap();
        let actor = self.actor(action, &trade);
        let who = if self.dice.percent(10) { who } else { actor.unwrap_or(who) };
        (who, self.operation(action, TradeId::new(id), &trade).into())
    }

    /// Mostly one that is not over; of those in dispute mostly the same one, so that its record fills up.
    fn some_trade(&mut self) -> Digest {
        let any = self.known(|model| &model.trades);
        let trades = || self.model.trades.iter();
        let disputed = trades().find(|(_, trade)| trade.state == "DISPUTED").map(|(id, _)| *id);
        let live: Vec<Digest> = trades().filter(|(_, trade)| trade.live()).map(|(id, _)| *id).collect();
        match self.dice.below(100) {
            0..=24 => disputed.unwrap_or(any),
            25..=84 => self.dice.pick(&live).copied().unwrap_or(any),
            _ => any,
        }
    }

    /// Someone who may.
    fn actor(&mut self, action: TradeAction, trade: &MTrade) -> Option<Address> {
        use TradeAction::{
            Accept, Attest, Collect, Confirm, Extend, GiveBack, HandOver, Resolve, ReturnConfirm, ReturnShip,
            Ship,
        };
        let couriers: Vec<Address> = {
            let rows = self.model.accounts.iter().filter(|(_, row)| row.role == Role::Courier);
            rows.map(|(who, _)| *who).collect()
        };
        match action {
            Accept | Ship | HandOver | GiveBack | ReturnConfirm => Some(trade.seller),
            Confirm | Collect | Extend | ReturnShip => Some(trade.buyer),
            Attest => self.dice.pick(&couriers).copied(),
            Resolve => trade.arbiter,
            TradeAction::Dispute if trade.state == "RETURNING" => Some(trade.seller),
            TradeAction::Dispute => Some(trade.buyer),
            TradeAction::AddEvidence => {
                let all = [Some(trade.buyer), Some(trade.seller), trade.arbiter];
                let who =
                    if self.dice.percent(60) { 0 } else { usize::try_from(self.dice.below(3)).unwrap() };
                all[who]
            }
            TradeAction::AcceptSplit => {
                let other =
                    trade.offer.map(|(who, _)| if who == trade.buyer { trade.seller } else { trade.buyer });
                if self.dice.percent(80) { other } else { Some(trade.buyer) }
            }
            TradeAction::Cancel | TradeAction::ProposeSplit => {
                self.dice.pick(&[trade.buyer, trade.seller]).copied()
            }
        }
    }

    fn operation(&mut self, action: TradeAction, trade: TradeId, row: &MTrade) -> TradeOp {
        match action {
            TradeAction::Accept => TradeOp::Accept { trade },
            TradeAction::Ship => TradeOp::Ship { trade, tracking: Tracking::new("CJ").unwrap() },
            TradeAction::Confirm => TradeOp::Confirm { trade },
            TradeAction::Cancel => TradeOp::Cancel { trade },
            TradeAction::Attest => TradeOp::Attest { trade },
            TradeAction::Extend => TradeOp::Extend { trade },
            TradeAction::ProposeSplit => TradeOp::ProposeSplit { trade, split: self.split(row.price) },
            TradeAction::AcceptSplit => {
                let other = self.split(row.price);
                let offer = row.offer.filter(|_| self.dice.percent(80)).map(|offer| offer.1);
                TradeOp::AcceptSplit { trade, split: offer.unwrap_or(other) }
            }
            TradeAction::Dispute => TradeOp::Dispute { trade, reason: Reason::new("broken").unwrap() },
            TradeAction::AddEvidence => {
                TradeOp::AddEvidence { trade, hash: Digest::ZERO, note: Memo::new("see").unwrap() }
            }
            TradeAction::Resolve => {
                let ruling = self.ruling(row.price);
                TradeOp::Resolve { trade, ruling, reason: Reason::new("so be it").unwrap() }
            }
            TradeAction::ReturnShip => TradeOp::ReturnShip { trade, tracking: Tracking::new("CJ").unwrap() },
            TradeAction::ReturnConfirm => TradeOp::ReturnConfirm { trade },
            TradeAction::GiveBack => {
                let all = row.price - row.given_back;
                let units = if self.dice.percent(50) { all } else { self.units() };
                TradeOp::GiveBack { trade, amount: amount(units) }
            }
            TradeAction::HandOver => {
                let code = self.code();
                TradeOp::HandOver { trade, code_hash: handover_hash(&trade, &code) }
            }
            TradeAction::Collect => TradeOp::Collect { trade, code: self.code() },
        }
    }

    fn split(&mut self, price: u64) -> Split {
        let to_buyer = self.dice.below(price.max(1));
        let off = u64::from(self.dice.percent(10));
        Split { to_buyer: amount(to_buyer), to_seller: amount((price - to_buyer).wrapping_add(off)) }
    }

    fn ruling(&mut self, price: u64) -> Ruling {
        match self.dice.below(6) {
            0 => Ruling::Release,
            1 => Ruling::Refund,
            2 => Ruling::Split(self.split(price)),
            _ => Ruling::Return,
        }
    }

    /// One of two.
    fn code(&mut self) -> HandoverCode {
        HandoverCode::new(format!("code-{}", self.dice.below(2))).unwrap()
    }
}

/// What may be done in a state, what leads further more often.
fn fitting(state: &str) -> &'static [TradeAction] {
    use TradeAction::{
        Accept, AcceptSplit, AddEvidence, Attest, Cancel, Collect, Confirm, Dispute, Extend, GiveBack,
        HandOver, ProposeSplit, Resolve, ReturnConfirm, ReturnShip, Ship,
    };
    match state {
        "FUNDED" => &[Accept, Accept, Ship, Ship, Ship, HandOver, Collect, Confirm, Cancel],
        "ACCEPTED" => &[
            Ship,
            Ship,
            HandOver,
            Collect,
            Confirm,
            Cancel,
            ProposeSplit,
            ProposeSplit,
            AcceptSplit,
            AcceptSplit,
        ],
        "SHIPPED" => &[Attest, Extend, Dispute, Dispute, Dispute, Confirm, ProposeSplit, AcceptSplit],
        "DISPUTED" => {
            &[AddEvidence, AddEvidence, AddEvidence, AddEvidence, Resolve, Attest, ProposeSplit, AcceptSplit]
        }
        "RETURNING" => &[ReturnShip, ReturnShip, Attest, ReturnConfirm, Dispute],
        "RELEASED" => &[GiveBack],
        _ => &[],
    }
}
