//! What a member has behind them: counted as trades end and reviews come in, so that nobody has to read them all.

use std::collections::BTreeMap;

use pbft_crypto::Address;
use serde::{Deserialize, Serialize};

use super::{Rating, Review, ReviewSide, Reviews};
use crate::state::State;
use crate::table::{Row, TableId};
use crate::trades::{Trade, TradeState};

/// What a member has behind them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where they bought.
    pub as_buyer: Tally,
    /// Where they sold.
    pub as_seller: Tally,
}

impl Row for Record {
    type Key = Address;
    const TABLE: TableId = TableId::Records;
}

/// A member's trades on one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many ended with the seller paid, in full or in part: RELEASED or SPLIT.
    pub completed: u64,
    /// How many ended with the buyer paid back: CANCELLED or REFUNDED.
    pub cancelled: u64,
    /// How many went to an arbiter, however they ended or will end.
    pub disputed: u64,
    /// How many reviews there are about the member.
    pub reviews: u64,
    /// The sum of their ratings.
    pub stars: u64,
}

/// How a trade counts for the records of buyer and seller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The seller was paid, in full or in part.
    Completed,
    /// The buyer was paid back.
    Cancelled,
}

impl End {
    /// Of a trade that is over.
    pub const fn of(state: TradeState) -> Option<Self> {
        match state {
            TradeState::Released | TradeState::Split => Some(Self::Completed),
            TradeState::Cancelled | TradeState::Refunded => Some(Self::Cancelled),
            _ => None,
        }
    }
}

impl Tally {
    fn end(&mut self, end: End) {
        let count = match end {
            End::Completed => &mut self.completed,
            End::Cancelled => &mut self.cancelled,
        };
        *count = count.saturating_add(1);
    }

    fn dispute(&mut self) {
        self.disputed = self.disputed.saturating_add(1);
    }

    fn review(&mut self, rating: Rating) {
        self.reviews = self.reviews.saturating_add(1);
        self.stars = self.stars.saturating_add(u64::from(rating.value()));
    }
}

impl Record {
    /// The side of whom a review is about.
    const fn about(&mut self, side: ReviewSide) -> &mut Tally {
        match side {
            ReviewSide::ByBuyer => &mut self.as_seller,
            ReviewSide::BySeller => &mut self.as_buyer,
        }
    }
}

fn change(reviews: &mut Reviews, who: Address, change: impl FnOnce(&mut Record)) {
    let mut record = reviews.records.find(&who).copied().unwrap_or_default();
    change(&mut record);
    reviews.records.put(who, record);
}

pub(crate) fn count_end(reviews: &mut Reviews, trade: &Trade, end: End) {
    change(reviews, trade.buyer, |record| record.as_buyer.end(end));
    change(reviews, trade.seller, |record| record.as_seller.end(end));
}

pub(crate) fn count_dispute(reviews: &mut Reviews, trade: &Trade) {
    change(reviews, trade.buyer, |record| record.as_buyer.dispute());
    change(reviews, trade.seller, |record| record.as_seller.dispute());
}

pub(super) fn count_review(reviews: &mut Reviews, subject: Address, side: ReviewSide, rating: Rating) {
    change(reviews, subject, |record| record.about(side).review(rating));
}

/// The records as all trades and reviews say.
pub(crate) fn expected(state: &State) -> BTreeMap<Address, Record> {
    let mut records: BTreeMap<Address, Record> = BTreeMap::new();
    for (_, trade) in state.trades.rows.iter() {
        if let Some(end) = End::of(trade.state) {
            records.entry(trade.buyer).or_default().as_buyer.end(end);
            records.entry(trade.seller).or_default().as_seller.end(end);
        }
        if trade.dispute.is_some() {
            records.entry(trade.buyer).or_default().as_buyer.dispute();
            records.entry(trade.seller).or_default().as_seller.dispute();
        }
    }
    for ((_, side), Review { subject, rating, .. }) in state.reviews.rows.iter() {
        records.entry(*subject).or_default().about(*side).review(*rating);
    }
    records
}
